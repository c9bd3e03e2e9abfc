/** Chunks that are encrypted by the store and kept in classes of their own: as far as Ceph can. */
import assert from "node:assert/strict";
import {
  GetBucketLifecycleConfigurationCommand,
  HeadObjectCommand,
  PutBucketLifecycleConfigurationCommand,
} from "@aws-sdk/client-s3";
import type { S3Client } from "@aws-sdk/client-s3";
import { lifecycle } from "../../orchestrator/archive/policy.ts";
import { openPublishStore, PublishStore } from "../../orchestrator/publish/publish_store.ts";
import { hashObject, readObject } from "../../protocol/archive/object_store.ts";
import { sha256Hex } from "../../protocol/sha256.ts";
import { KMS_KEY, startCeph } from "../harness/ceph/cluster.ts";
import type { Ceph } from "../harness/ceph/cluster.ts";
import { CEPH_IS_MISSING } from "../harness/ceph/root.ts";
import { adminClient, makeBucket } from "../harness/s3.ts";
import type { Bucket } from "../harness/s3.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { archivedLines, makeHost, writtenLines } from "./scene.ts";

const { signal } = new AbortController();
const CLASS = "STANDARD_IA";

const WAYS = [
  { sse: "AES256", storage_class: CLASS },
  { sse: "aws:kms", kms_key: KMS_KEY },
  { sse: "none" },
] as const;

interface Parts {
  bucket: Bucket;
  ceph: Ceph;
  client: S3Client;
  folder: TempFolder;
}

/** Puts and reads objects that are kept in a way, and looks how the store keeps them. */
async function checkWay({ bucket, ceph, client, folder }: Parts, way: typeof WAYS[number]) {
  await using store = await bucket.open(way);
  const body = new TextEncoder().encode("a small one");
  const large = { path: await folder.write("large", new Uint8Array(12_000_000).fill(7)) };
  const sha256 = sha256Hex(await Deno.readFile(large.path));
  const prefix = way.sse.replace(":", "-");
  await store.put({ key: `${prefix}/small`, body, sha256: sha256Hex(body) }, signal);
  const object = { key: `${prefix}/large`, body: large, sha256, ifNoneMatch: true };
  assert.equal(await store.put(object, signal), "stored");
  assert.equal(await store.put(object, signal), "exists");
  assert.deepEqual(await readObject(store, `${prefix}/small`, {}, signal), body);
  assert.equal(await hashObject(store, `${prefix}/large`, {}, signal), sha256);
  const range = { start: 9_000_000, end: 9_000_003 };
  const some = await readObject(store, `${prefix}/large`, { range }, signal);
  assert.deepEqual([...some], [7, 7, 7]);
  for (const name of ["small", "large"]) {
    const Key = `logs/${prefix}/${name}`;
    const head = await client.send(new HeadObjectCommand({ Bucket: bucket.name, Key }));
    assert.equal(head.ServerSideEncryption, way.sse === "none" ? undefined : way.sse);
    assert.equal(head.SSEKMSKeyId, "kms_key" in way ? KMS_KEY : undefined);
    assert.equal(head.StorageClass, "storage_class" in way ? CLASS : undefined);
    const kept = await ceph.admin("object", "stat", `--bucket=${bucket.name}`, `--object=${Key}`);
    assert.equal(kept.includes("rgw.crypt.mode"), way.sse !== "none");
  }
}

Deno.test({
  name: "objects are encrypted, and of the class, as is configured",
  ignore: CEPH_IS_MISSING,
  fn: async (t) => {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(await TempFolder.make());
    const storageClasses = [CLASS, "GLACIER_IR"];
    const ceph = stack.use(await startCeph({ storageClasses, encrypts: true }));
    const bucket = await makeBucket(ceph, folder);
    const client = adminClient(ceph);
    stack.defer(() => client.destroy());

    for (const way of WAYS) {
      const name = `sse: ${way.sse}, in one request and in parts`;
      await t.step(name, () => checkWay({ bucket, ceph, client, folder }, way));
    }

    await t.step("an agent's chunks, and results, are kept so too", async () => {
      const host = stack.use(await makeHost(folder));
      await host.seal(2);
      const kept = { sse: "aws:kms", kms_key: KMS_KEY, storage_class: CLASS } as const;
      await using objects = await bucket.open(kept);
      await host.archive(objects).uploadAll(signal);
      assert.deepEqual(await archivedLines(objects), writtenLines(host.lines));
      const { endpoint, path_style, credentials, url } = bucket.archive();
      const publish = [PublishStore.parse({ endpoint, path_style, credentials, url, ...kept })];
      const place = `s3://${bucket.name}/results/1/`;
      await using results = await openPublishStore(place, { publish, archives: [] });
      const body = new TextEncoder().encode("a result");
      await results.put({ key: "file", body, sha256: sha256Hex(body) }, signal);
      const [chunk] = await Array.fromAsync(objects.list("stream=", signal));
      for (const Key of [`logs/${chunk?.key}`, "results/1/file"]) {
        const head = await client.send(new HeadObjectCommand({ Bucket: bucket.name, Key }));
        assert.deepEqual([head.ServerSideEncryption, head.StorageClass], ["aws:kms", CLASS]);
      }
    });

    await t.step("a key that is not there is said, and nothing is stored", async () => {
      await using wrong = await bucket.open({ sse: "aws:kms", kms_key: "no-such-key" });
      const body = new TextEncoder().encode("x");
      const object = { key: "x", body, sha256: sha256Hex(body) };
      await assert.rejects(wrong.put(object, signal), /Cannot store x in s3:/);
      assert.equal(await wrong.head("x", signal), null);
    });

    await t.step("the store takes the lifecycle that archive policy prints", async () => {
      const request = { bucket: bucket.name, prefix: "logs", region: null, host: null };
      await client.send(
        new PutBucketLifecycleConfigurationCommand({
          Bucket: bucket.name,
          LifecycleConfiguration: JSON.parse(JSON.stringify(lifecycle(request))), // as printed
        }),
      );
      const { Rules = [] } = await client.send(
        new GetBucketLifecycleConfigurationCommand({ Bucket: bucket.name }),
      );
      const classes = Rules.flatMap(({ Transitions = [] }) =>
        Transitions.map(({ Days, StorageClass }) => `${StorageClass} ${Days}`)
      );
      assert.deepEqual(classes.sort(), ["GLACIER_IR 90", "STANDARD_IA 30"]);
    });
  },
});
