/** Reading an archive in S3 whose line, keys or bucket fail: right answers, or a line that helps. */
import assert from "node:assert/strict";
import { readObject } from "../../protocol/archive/object_store.ts";
import { sha256Hex } from "../../protocol/sha256.ts";
import { Random } from "../faults/random.ts";
import { startCeph } from "../harness/ceph/cluster.ts";
import type { Ceph } from "../harness/ceph/cluster.ts";
import { CEPH_IS_MISSING } from "../harness/ceph/root.ts";
import { FaultProxy } from "../harness/fault_proxy.ts";
import type { Fault, Rule } from "../harness/fault_proxy.ts";
import { makeBucket } from "../harness/s3.ts";
import type { Bucket } from "../harness/s3.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { CHUNK_ROWS, makeReader, putChunks } from "./reader.ts";
import type { Reader } from "./reader.ts";
import { SEED, times } from "../harness/seed.ts";

const HOURS = 3;
const ROUNDS = times(6);

/** The client's own attempts are none: it is ours that are asked. */
const ONCE = { attemptsMax: 1 };
/** Of a store that is silent. Who speaks may take longer on a busy machine, and is asked again then. */
const STALL_MS = 500;

const SQL = "SELECT count(*) AS n, sum(body_bytes_sent)::BIGINT AS b, max(request) AS m FROM logs";

interface Parts {
  ceph: Ceph;
  bucket: Bucket;
  reader: Reader;
  /** What SQL comes to when nothing fails. */
  expected: (string | null)[][];
}

Deno.test({
  name: "an archive in S3 is read whatever its line does, or it is said why not",
  ignore: CEPH_IS_MISSING,
  fn: async (t) => {
    await using folder = await TempFolder.make();
    await using ceph = await startCeph();
    const bucket = await makeBucket(ceph, folder);
    await using direct = await bucket.open();
    await putChunks(direct, { host: "web-1", region: "eu", hours: HOURS });
    await using reader = await makeReader();
    const { values: expected } = await reader.ask(direct, SQL);
    assert.equal(expected[0]?.[0], String(HOURS * CHUNK_ROWS));
    const parts = { ceph, bucket, reader, expected };
    await t.step("each fault, once and twice, at lists and reads", () => faults(parts));
    await t.step("faults at random", () => chaos(parts));
    await t.step("a slow line with 20 ms of latency", () => slow(parts));
    await t.step("what does not pass ends soon, with a reason", () => lasting(parts));
    await t.step("objects that are replaced and removed in the middle", () => changing(parts));
    await t.step("wrong keys, no right, no bucket: what to do is said", () => refused(parts));
  },
});

/** Asks through a line that fails by a rule. */
async function askThrough(
  { ceph, bucket, reader }: Parts,
  rule: (proxy: FaultProxy) => Rule | null,
  { stallMs, ...line }: { latencyMs?: number; bytesPerSecond?: number; stallMs?: number } = {},
) {
  await using proxy = FaultProxy.start({ port: ceph.port, ...line });
  const options = stallMs === undefined ? ONCE : { ...ONCE, stallMs };
  await using store = await bucket.open({ endpoint: proxy.endpoint }, options);
  proxy.rule = rule(proxy);
  const answer = await reader.ask(store, SQL).catch((error: Error) => error);
  const { requests } = proxy;
  return { answer, requests: requests.length };
}

async function faults(parts: Parts) {
  const all: Fault[] = [
    { kind: "busy" },
    { kind: "reset", afterBytes: 10 },
    { kind: "lost_reply" },
    { kind: "truncated", afterBytes: 100 },
    { kind: "truncated", afterBytes: 1_000 },
    { kind: "silence" },
  ];
  for (const fault of all) {
    for (const only of [/^GET \S*list-type/, /^GET \S*parquet/]) {
      const isSilent = fault.kind === "silence";
      const times = isSilent ? 1 : 2;
      const stall = isSilent ? { stallMs: 4 * STALL_MS } : {};
      const { answer } = await askThrough(parts, () => ({ fault, only, times }), stall);
      assert(!(answer instanceof Error), `${fault.kind} ${only}: ${answer}`);
      assert.deepEqual(answer.values, parts.expected, `${fault.kind} ${only}`);
      assert.equal(answer.coverage.unread, undefined, `${fault.kind} ${only}`);
    }
  }
}

async function chaos(parts: Parts) {
  const random = new Random(SEED);
  const all: Fault[] = [
    { kind: "busy" },
    { kind: "reset", afterBytes: 10 },
    { kind: "lost_reply" },
    { kind: "truncated", afterBytes: 500 },
  ];
  for (let round = 0; round < ROUNDS; round++) {
    let timer: ReturnType<typeof setInterval> | undefined;
    const { answer } = await askThrough(parts, (proxy) => {
      timer = setInterval(() => proxy.rule = { fault: random.pick(all), times: 1 }, 15);
      return null;
    }).finally(() => clearInterval(timer));
    if (answer instanceof Error) {
      assert.match(answer.message, /busy|no answer|ended \d+ bytes early/);
    } else assert.deepEqual(answer.values, parts.expected);
  }
}

async function slow(parts: Parts) {
  const { answer } = await askThrough(parts, () => null, {
    latencyMs: 20,
    bytesPerSecond: 400_000,
  });
  assert(!(answer instanceof Error), String(answer));
  assert.deepEqual(answer.values, parts.expected);
}

async function lasting(parts: Parts) {
  const cases: [Fault, RegExp][] = [
    [{ kind: "busy" }, /^Cannot (list|read) .* in s3:.*: the store is busy \(SlowDown\)$/],
    [{ kind: "silence" }, /no answer from http:.*nothing moved for 0.5 s.*; is it up, and/],
    [{ kind: "truncated", afterBytes: 700 }, /early|no answer from/],
  ];
  for (const [fault, said] of cases) {
    const rule = { fault, only: fault.kind === "truncated" ? /^GET \S*parquet/ : /./ };
    const stall = fault.kind === "silence" ? { stallMs: STALL_MS } : {};
    const { answer, requests } = await askThrough(parts, () => rule, stall);
    assert(answer instanceof Error, fault.kind);
    assert.match(answer.message, said);
    assert(requests >= 4 && requests <= 4 * (HOURS + 1), `${fault.kind}: ${requests} requests`);
  }
}

/** If-Match holds: what was listed is read, or the chunk is named. */
async function changing({ bucket, reader }: Parts) {
  const { signal } = new AbortController();
  await using store = await bucket.open({ url: `s3://${bucket.name}/changing` });
  await putChunks(store, { host: "web-1", region: "eu", hours: 3 });
  const keys: string[] = [];
  const { values, coverage } = await reader.ask(
    store,
    "SELECT count(*) AS n FROM logs",
    async (all) => {
      keys.push(...all);
      const [first = "", second = "", third = ""] = all;
      const body = await readObject(store, third, {}, signal);
      await store.put({ key: first, body, sha256: sha256Hex(body) }, signal); // a chunk, but another
      await store.remove(second, signal);
    },
  );
  assert.deepEqual(values, [[String(CHUNK_ROWS)]]);
  const [unread] = coverage.unread ?? [];
  assert.deepEqual([unread?.host, unread?.chunks, unread?.key], ["web-1", 2, keys[0]]);
  assert.match(unread?.reason ?? "", /^it was replaced while it was read: ask again$/);
}

async function refused({ ceph, bucket, reader }: Parts) {
  const check = async (said: RegExp, more: Record<string, unknown> = {}) => {
    await using store = await bucket.open(more);
    await assert.rejects(reader.ask(store, SQL), said);
  };
  const use = async (key: string, secret: string) => {
    await Deno.writeTextFile(bucket.keyFile, key);
    await Deno.writeTextFile(bucket.secretFile, secret);
  };
  const nowhere = `s3://${bucket.name}-none/logs`;
  await check(/there is no bucket \S+-none; make it, or correct archive.url/, { url: nowhere });
  await use("nobody", "x");
  await check(/the credentials are wrong \(InvalidAccessKeyId\); renew what archive.credentials/);
  await use(ceph.accessKey, "a-wrong-secret");
  await check(/the credentials are wrong \(SignatureDoesNotMatch\); renew/);
  const user = ["--uid=reader", "--display-name=x", "--access-key=r", "--secret=a-second-secret"];
  await ceph.admin("user", "create", ...user);
  await use("r", "a-second-secret");
  await check(/access denied \(AccessDenied\); the rights it takes: logvend archive policy/);
}
