import assert from "node:assert/strict";
import { CreateBucketCommand, ListMultipartUploadsCommand } from "@aws-sdk/client-s3";
import { Random } from "../faults/random.ts";
import { startCeph } from "../harness/ceph/cluster.ts";
import type { Ceph } from "../harness/ceph/cluster.ts";
import { CEPH_IS_MISSING } from "../harness/ceph/root.ts";
import { FaultProxy } from "../harness/fault_proxy.ts";
import type { Fault } from "../harness/fault_proxy.ts";
import { adminClient, makeBucket } from "../harness/s3.ts";
import type { Bucket } from "../harness/s3.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { archivedLines, makeHost, Time, writtenLines } from "./scene.ts";
import { SEED, times } from "../harness/seed.ts";
import { batch, START_MS } from "../unit/agent/store/scene.ts";

const { signal } = new AbortController();
const CHUNKS = times(20);

/** Waits end at once; attempts too where the store is silent, and is asked again until it is not. */
const ONCE = { attemptsMax: 1 };
const QUICK = { ...ONCE, stallMs: 300 };

Deno.test({
  name: "uploads to S3: every line is in the archive once, whatever fails",
  ignore: CEPH_IS_MISSING,
  fn: async (t) => {
    await using folder = await TempFolder.make();
    await using ceph = await startCeph();
    const step = (name: string, body: (parts: Parts) => Promise<void>) =>
      t.step(name, async () => {
        await using home = await TempFolder.make();
        await body({ ceph, home, bucket: await makeBucket(ceph, folder) });
      });
    await step("503, resets, lost replies, silence and cut replies, at random", chaos);
    await step("wrong keys, keys without the right, revoked keys: renewed without a restart", keys);
    await step("a bucket that is not there, and is made later", missingBucket);
    await step("two hosts of one name, and other rows under one id, at the same time", sameId);
    await step("a gateway that is killed in the middle, and comes back", killedGateway);
  },
});

/** A machine that was cloned with its data folder: both go on with the same log file. */
async function sameId({ home, bucket }: Parts) {
  await using objects = await bucket.open();
  const hosts = [];
  const lines: string[] = [];
  try {
    for (const letter of ["l", "m", "n"]) {
      const host = await makeHost({ path: home.join(letter) });
      hosts.push(host);
      const rows = batch(0, 10, () => START_MS);
      const own = writtenLines(10).map((line) => line.replace("l", letter));
      for (const [i, line] of own.entries()) rows.rows.columns.line_text?.set(i, line);
      lines.push(...own);
      await host.store.append(rows);
      await host.store.flush();
      await host.store.sealAll();
    }
    const ids = hosts.map(({ store }) => store.archiveBook.next()?.id);
    assert.equal(new Set(ids).size, 1);
    await Promise.all(hosts.map((host) => host.archive(objects).uploadAll(signal)));
    for (const { store } of hosts) assert.equal(store.archiveBook.backlog().chunks, 0);
    assert.deepEqual(await archivedLines(objects), lines.toSorted());
    const keys = (await Array.fromAsync(objects.list("", signal))).map(({ key }) => key);
    assert.equal(keys.length, 3);
    assert.equal(keys.filter((key) => key.includes(ids[0] ?? "")).length, 1);
  } finally {
    for (const host of hosts) await host[Symbol.asyncDispose]();
  }
}

interface Parts {
  ceph: Ceph;
  home: TempFolder;
  bucket: Bucket;
}

async function chaos({ ceph, home, bucket }: Parts) {
  await using proxy = FaultProxy.start({ port: ceph.port });
  const random = new Random(SEED);
  const time = new Time();
  await using host = await makeHost(home, { clock: time.clock });
  await host.seal(CHUNKS);
  const faults: Fault[] = [
    { kind: "busy" },
    { kind: "reset", afterBytes: 2_000 },
    { kind: "lost_reply" },
    { kind: "silence" },
    { kind: "truncated", afterBytes: 60 },
  ];
  const next = () => {
    proxy.rule = {
      fault: random.pick(faults),
      only: random.pick([/^PUT/, /^HEAD/, /./]),
      times: 1,
    };
  };
  time.onWait = next;
  const looks = setInterval(next, 20);
  await using objects = await bucket.open({ endpoint: proxy.endpoint }, QUICK);
  const archive = host.archive(objects, { wait: time.wait });
  await archive.uploadAll(signal).finally(() => clearInterval(looks));
  proxy.rule = null;
  assert.ok(time.waitsMs.length > 2, `only ${time.waitsMs.length} failures`);
  await using patient = await bucket.open();
  assert.deepEqual(await archivedLines(patient), writtenLines(host.lines));
  const keys = (await Array.fromAsync(patient.list("", signal))).map(({ key }) => key);
  assert.equal(keys.length, CHUNKS);
  assert.deepEqual(archive.condition().backlog, { chunks: 0, bytes: 0, sinceMs: null });
  const client = adminClient(ceph);
  const open = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket.name }));
  assert.deepEqual(open.Uploads ?? [], []);
  client.destroy();
}

async function keys({ ceph, home, bucket }: Parts) {
  const time = new Time();
  await using host = await makeHost(home, { clock: time.clock });
  await using objects = await bucket.open({}, ONCE);
  const archive = host.archive(objects, { wait: time.wait });
  const admin = async (...args: string[]) => void await ceph.admin(...args);
  const secretKey = ["--secret=a-second-secret"];
  await admin("user", "create", "--uid=other", "--display-name=x", "--access-key=o", ...secretKey);
  const second = ["--uid=test", "--key-type=s3", "--access-key=second-key"];
  const use = async (key: string, secret: string) => {
    await Deno.writeTextFile(bucket.keyFile, `${key}\n`);
    await Deno.writeTextFile(bucket.secretFile, `${secret}\n`);
  };
  const check = async (key: string, secret: string, said: RegExp) => {
    await use(key, secret);
    await host.seal(1);
    let message = "";
    time.onWait = () => {
      message = archive.condition().failure?.message ?? "";
      assert.equal(archive.condition().failure?.short, "S3 403");
      Deno.writeTextFileSync(bucket.keyFile, ceph.accessKey);
      Deno.writeTextFileSync(bucket.secretFile, ceph.secretKey);
    };
    await archive.uploadAll(signal);
    assert.match(message, said);
    assert.equal(archive.condition().failure, null);
    assert.deepEqual(await archivedLines(objects), writtenLines(host.lines));
  };
  await check("nobody", "x", /the credentials are wrong \(InvalidAccessKeyId\); renew/);
  await check(ceph.accessKey, "a-wrong-secret", /are wrong \(SignatureDoesNotMatch\); renew/);
  await check("o", "a-second-secret", /access denied .*; the rights it takes: logvend archive/);
  await admin("key", "create", ...second, ...secretKey);
  await use("second-key", "a-second-secret");
  await host.seal(1);
  time.onWait = () => assert.fail(archive.condition().failure?.message);
  await archive.uploadAll(signal);
  await admin("key", "rm", ...second);
  await check("second-key", "a-second-secret", /are wrong \(InvalidAccessKeyId\); renew/);
}

async function missingBucket({ ceph, home, bucket }: Parts) {
  const time = new Time();
  await using host = await makeHost(home, { clock: time.clock });
  await host.seal(2);
  const name = `${bucket.name}-later`;
  await using objects = await bucket.open({ url: `s3://${name}/logs` }, ONCE);
  const client = adminClient(ceph);
  let made: Promise<unknown> | null = null;
  const wait = async (ms: number, signal: AbortSignal) => {
    await time.wait(ms, signal);
    made ??= client.send(new CreateBucketCommand({ Bucket: name }));
    await made;
  };
  const archive = host.archive(objects, { wait });
  let message = "";
  time.onWait = () => message ||= archive.condition().failure?.message ?? "";
  await archive.uploadAll(signal);
  assert.match(message, new RegExp(`there is no bucket ${name}; make it, or correct archive.url`));
  assert.deepEqual(await archivedLines(objects), writtenLines(host.lines));
  client.destroy();
}

async function killedGateway({ ceph, home, bucket }: Parts) {
  const time = new Time();
  await using host = await makeHost(home, { clock: time.clock });
  await host.seal(5);
  await using objects = await bucket.open({}, ONCE);
  await ceph.stopGateway();
  let failure = "";
  let started: Promise<void> | null = null;
  const wait = async (ms: number, signal: AbortSignal) => {
    await time.wait(ms, signal);
    failure ||= archive.condition().failure?.message ?? "";
    await (started ??= ceph.startGateway());
  };
  const archive = host.archive(objects, { wait });
  await archive.uploadAll(signal);
  assert.match(failure, /no answer from http:.*; is it up, and archive.endpoint right\?/);
  assert.deepEqual(await archivedLines(objects), writtenLines(host.lines));
}
