import assert from "node:assert/strict";
import { ListMultipartUploadsCommand } from "@aws-sdk/client-s3";
import { hashObject, ObjectStoreError, readObject } from "../../protocol/archive/object_store.ts";
import { sha256Hex } from "../../protocol/sha256.ts";
import { startCeph } from "../harness/ceph/cluster.ts";
import { CEPH_IS_MISSING } from "../harness/ceph/root.ts";
import { FaultProxy } from "../harness/fault_proxy.ts";
import { checkObjectStore, fails } from "../harness/object_store.ts";
import { adminClient, makeBucket } from "../harness/s3.ts";
import { TempFolder } from "../harness/temp_folder.ts";

const { signal } = new AbortController();

Deno.test({
  name: "S3 is an object store, whatever the line to it does",
  ignore: CEPH_IS_MISSING,
  fn: async (t) => {
    await using folder = await TempFolder.make();
    await using ceph = await startCeph();

    await t.step("with checksums and without", async () => {
      for (const checksums of ["full", "required"]) {
        const bucket = await makeBucket(ceph, folder);
        await using store = await bucket.open({ checksums });
        await checkObjectStore(store, folder);
      }
    });

    const bucket = await makeBucket(ceph, folder);
    await using proxy = FaultProxy.start({ port: ceph.port });
    const once = { attemptsMax: 1, partBytes: 5_242_880 };
    await using store = await bucket.open({ endpoint: proxy.endpoint }, once);
    /** For a store that is silent: one that speaks may take longer, on a busy machine. */
    await using hasty = await bucket.open(
      { endpoint: proxy.endpoint },
      { ...once, stallMs: 2_000, slowestBytesPerS: 1e8 },
    );
    const body = crypto.getRandomValues(new Uint8Array(60_000));
    const large = { path: await folder.write("large", new Uint8Array(12_000_000).fill(7)) };
    const largeHash = sha256Hex(await Deno.readFile(large.path));
    const put = (key: string, by = store) =>
      by.put({ key, body, sha256: sha256Hex(body), ifNoneMatch: true }, signal);
    const putLarge = (key: string, by = store) =>
      by.put({ key, body: large, sha256: largeHash, ifNoneMatch: true }, signal);

    await t.step("a busy store, a reset, silence: nothing is stored, and it is said", async () => {
      proxy.rule = { fault: { kind: "busy" } };
      await fails(put("busy"), "busy");
      proxy.rule = { fault: { kind: "reset", afterBytes: 20_000 } };
      await fails(put("reset"), "unreachable");
      proxy.rule = { fault: { kind: "silence" } };
      await fails(put("silence", hasty), "unreachable");
      proxy.rule = null;
      assert.deepEqual(await Array.fromAsync(store.list("", signal)), []);
    });

    await t.step(
      "bytes that were altered on the way are refused, with checksums and without",
      async () => {
        for (const checksums of ["full", "required"]) {
          const options = { attemptsMax: 1 };
          await using other = await bucket.open({ endpoint: proxy.endpoint, checksums }, options);
          proxy.rule = { fault: { kind: "altered" }, only: /^PUT/ };
          const error = await other.put({ key: "altered", body, sha256: sha256Hex(body) }, signal)
            .then(() => null, (error) => error);
          assert.ok(error instanceof ObjectStoreError, checksums);
          assert.match(error.message, /not those that were sent|SHA256|BadDigest/, checksums);
          proxy.rule = null;
          assert.equal(await other.head("altered", signal), null);
        }
      },
    );

    await t.step("a store that does not know If-None-Match is put to without", async () => {
      await using older = await bucket.open({ endpoint: proxy.endpoint }, { attemptsMax: 1 });
      proxy.rule = { fault: { kind: "unknown" }, only: /^PUT/, times: 1 };
      const object = { key: "older", body, sha256: sha256Hex(body), ifNoneMatch: true };
      assert.equal(await older.put(object, signal), "stored");
      assert.deepEqual(await readObject(older, "older", {}, signal), body);
      await older.remove("older", signal);
    });

    await t.step("what HEAD refuses may not be there: a list tells", async () => {
      const only = /^HEAD/;
      proxy.rule = { fault: { kind: "denied" }, only };
      assert.equal(await store.head("not-there", signal), null);
      assert.equal(await put("refused-to-see"), "stored");
      await fails(store.head("refused-to-see", signal), "denied");
      proxy.rule = { fault: { kind: "denied" } };
      await fails(store.head("not-there", signal), "denied");
      proxy.rule = null;
      await store.remove("refused-to-see", signal);
    });

    await t.step("the reply got lost: the object is there, once", async () => {
      proxy.rule = { fault: { kind: "lost_reply" }, only: /^PUT/, times: 1 };
      // The client may try again by itself, and finds it.
      const outcome = await put("lost").catch((error) => error.problem);
      assert.ok(["unreachable", "exists"].includes(outcome), outcome);
      assert.equal(await put("lost"), "exists");
      assert.deepEqual(await readObject(store, "lost", {}, signal), body);
    });

    await t.step("a large upload that breaks off leaves no object and no parts", async () => {
      proxy.rule = {
        fault: { kind: "reset", afterBytes: 1_000_000 },
        only: /partNumber=2/,
        times: 1,
      };
      await fails(putLarge("large"), "unreachable");
      assert.equal(await store.head("large", signal), null);
      const client = adminClient(ceph);
      const uploads = async () => {
        const command = new ListMultipartUploadsCommand({ Bucket: bucket.name });
        return (await client.send(command)).Uploads?.length ?? 0;
      };
      assert.equal(await uploads(), 0, "aborted at once");
      proxy.rule = { fault: { kind: "silence" }, only: /^(PUT|DELETE)/ };
      await fails(putLarge("large", hasty), "unreachable");
      assert.equal(await uploads(), 1, "as after a kill");
      proxy.rule = null;
      assert.equal(await putLarge("large"), "stored");
      assert.equal(await uploads(), 0, "the next attempt has aborted it");
      assert.equal(await hashObject(store, "large", {}, signal), largeHash);
      client.destroy();
    });

    await t.step("a reply that ends early is an error, and no short object", async () => {
      proxy.rule = { fault: { kind: "truncated", afterBytes: 3_000_000 }, only: /^GET/ };
      const error = await readObject(store, "large", {}, signal).then(() => null, (error) => error);
      assert.ok(error instanceof ObjectStoreError, String(error));
      assert.ok(["truncated", "unreachable"].includes(error.problem), error.problem);
      proxy.rule = null;
    });

    await t.step("the caller's end is the end", async () => {
      proxy.rule = { fault: { kind: "silence" } };
      const soon = AbortSignal.timeout(100);
      await assert.rejects(store.head("lost", soon), { name: "TimeoutError" });
      proxy.rule = null;
    });
  },
});
