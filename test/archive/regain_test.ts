/** An agent that lost its data folder reads its log files again: the archive has every line once. */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { startCeph } from "../harness/ceph/cluster.ts";
import { CEPH_IS_MISSING } from "../harness/ceph/root.ts";
import { FaultProxy } from "../harness/fault_proxy.ts";
import type { Fault } from "../harness/fault_proxy.ts";
import { makeBucket } from "../harness/s3.ts";
import { copyFolder, TempFolder } from "../harness/temp_folder.ts";
import { erasureKey } from "../../protocol/signing/erasure.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import { ADDRESS, eraseSigner, hourLines } from "../unit/agent/erase/scene.ts";
import { Host, withHost } from "./regain_scene.ts";

const COMBINED = "format: combined";

Deno.test("a lost folder: what is archived is not read again, what came since is", () =>
  withHost(COMBINED, async (host) => {
    await host.write(2_900);
    await host.write(100, { from: 200 }); // late, and of a day that is over
    await host.live();
    assert.equal(host.linesRead(), 3_000);
    await host.check();
    await host.lose();
    await host.write(500, { from: 4, hours: 2 });
    await host.live();
    assert.equal(host.linesRead(), 500);
    await host.check();
    await host.write(100);
    await host.live(); // an ordinary start
    assert.equal(host.linesRead(), 600);
    await host.check();
    await host.lose(); // and once more
    await host.write(100);
    await host.live();
    assert.equal(host.linesRead(), 100);
    await host.check();
  }));

Deno.test("a lost folder beside logs that were renamed and packed meanwhile", () =>
  withHost(COMBINED, async (host) => {
    for (let i = 0; i < 3; i++) {
      await host.write(1_000);
      await host.live();
      await host.write(20); // not archived when the folder goes
      if (i < 2) await host.rotate();
    }
    await host.lose();
    await host.rotate();
    await host.write(300);
    await host.live();
    await host.check();
  }));

Deno.test("a lost folder of which some hours were archived in part", () =>
  withHost(COMBINED, async (host) => {
    for (let i = 0; i < 4; i++) {
      await host.write(500);
      await host.live(); // each makes a chunk of the same hours
    }
    assert.ok(await host.forget((index) => index % 3 === 1) > 2);
    await host.lose();
    await host.live();
    await host.check();
  }));

Deno.test("a lost folder: small logs, ones that have grown, and a copy", () =>
  withHost(COMBINED, async (host) => {
    const [first = "", second = "", third = ""] = host.next(3);
    await host.append(first, { log: host.log("a.log") });
    await host.append(second, { log: host.log("c.log") });
    await host.write(100);
    await host.live();
    await Deno.copyFile(host.log(), host.log("copy.log"));
    await host.live(); // it is a copy
    await host.check();
    await host.loseAll();
    await host.append(third, { log: host.log("a.log") });
    await host.append(host.next(30).join(""), { log: host.log("c.log") }); // over 1 KiB by now
    await host.live();
    await host.check();
    assert.equal(host.linesRead(), 31);
  }));

Deno.test("a lost folder: records whose lines came late stay as they were archived", () => {
  const record = (host: Host, lines: number) =>
    host.next(1).join("") + "  at some.place(1)\n".repeat(lines);
  const stream = 'format: raw, multiline: { start: "^\\\\d", quiet: 10ms, max_lines: 5 }';
  return withHost(stream, async (host) => {
    const text = async (more: string) => await host.append(more, { lines: [] });
    await text(record(host, 2) + record(host, 0) + record(host, 7));
    await host.live(); // the last record is over, as nothing comes
    await text("  at some.other.place(2)\n" + record(host, 1));
    await host.live();
    const before = await host.archived();
    await host.lose();
    await host.live();
    assert.deepEqual(await host.archived(), before);
    assert.ok(await host.forget((index) => index === 1) === 1);
    await host.lose();
    await text(record(host, 3) + record(host, 3));
    await host.live();
    const records = (lines: readonly string[]) => lines.join("\n").split("\n").sort();
    const written = await Deno.readTextFile(host.log());
    assert.deepEqual(records(await host.archived()), records(written.trimEnd().split("\n")));
    host.linesRead();
  });
});

Deno.test("a lost folder: lines without a time, of a log that was put back", () =>
  withHost("format: raw", async (host) => {
    await host.append(Array.from({ length: 500 }, (_, i) => `job ${i} is done\n`).join(""));
    await host.live();
    await host.loseAll();
    await host.append("and one more\n");
    await host.live();
    assert.equal(host.linesRead(), 1);
    await host.check();
  }));

Deno.test("a lost folder: rejects and dropped lines", () =>
  withHost(`${COMBINED}, drop: [ { name: noise, when: "status = 404" } ]`, async (host) => {
    const mixed = (count: number) =>
      host.next(count).flatMap((line, i) => i % 10 === 3 ? [line, `no log line ${i} é\n`] : [line]);
    const append = async (lines: string[]) => {
      const kept = lines.filter((line) => !line.includes('" 404 ')).map((line) => line.trimEnd());
      await host.append(lines.join(""), { lines: kept });
    };
    await append(mixed(400));
    await append([`${"x".repeat(1_100_000)}\n`, ...mixed(10)]);
    host.lines.splice(host.lines.findIndex((line) => line.length > 1_048_576), 1);
    host.lines.push("x".repeat(1_048_576)); // a reject is cut
    await host.live();
    await host.check();
    await host.lose();
    await append(mixed(100));
    await host.live();
    await host.check();
    await host.forget((index) => index % 2 === 0);
    await host.lose();
    await host.live();
    await host.check();
  }));

/** Lines of one hour: `d` is dropped by the rule of before, `k` is kept. */
const PATTERNS = ["dkkd", "dkkkkd", "dkdkd"];

const DROPPING = `${COMBINED}, drop: [ { name: noise, when: "status = 404" } ]`;

/** Appends such lines, and returns those that are dropped. */
async function appendPattern(host: Host, pattern: string): Promise<string[]> {
  const lines = host.next(pattern.length, { hours: 1 }).map((line, i) =>
    line.replace(/" \d{3} /, pattern[i] === "d" ? '" 404 ' : '" 200 ')
  );
  const of = (kind: string) =>
    lines.filter((_, i) => pattern[i] === kind).map((line) => line.trimEnd());
  await host.append(lines.join(""), { lines: of("k") });
  return of("d");
}

Deno.test("a lost folder after which rules drop fewer lines: those are archived beside the others", async () => {
  for (const pattern of PATTERNS) {
    await withHost(DROPPING, async (host) => {
      const dropped = await appendPattern(host, pattern);
      await host.live();
      await host.check();
      await host.lose();
      await host.configure({ stream: COMBINED });
      host.lines.push(...dropped);
      for (let i = 0; i < 2; i++) {
        await host.live();
        await host.check();
        await host.lose(); // and once more: nothing is left to be read
      }
    });
  }
});

Deno.test("an older data folder is put back: what is read again is there already, or comes beside it", async () => {
  for (const pattern of ["kkk", "dkkd", "kdk"]) {
    await withHost(DROPPING, async (host) => {
      await host.write(20);
      await host.live();
      const [data, backup] = ["data", "backup"].map((name) => host.folder.join(name));
      assert.ok(data !== undefined && backup !== undefined);
      await copyFolder(data, backup);
      const dropped = await appendPattern(host, pattern);
      await host.live();
      await host.lose();
      await Deno.rename(backup, data);
      await host.configure({ stream: COMBINED });
      await host.live();
      const there = await host.archived();
      if (dropped.length === 0) await host.check();
      else assert.deepEqual([...new Set(there)], [...host.lines, ...dropped].sort());
      await host.lose(); // two chunks say of some lines that they have them
      await host.live();
      assert.deepEqual(await host.archived(), there);
    });
  }
});

Deno.test("a lost folder: of a log that is read from its end nothing is read that was before", () =>
  withHost(`${COMBINED}, read_from: end`, async (host) => {
    const early = host.next(200).join("");
    await host.append(early, { lines: [] });
    await Deno.writeFile(host.log("old.log.gz"), gzipSync(host.next(200).join("")));
    await host.live();
    await host.write(100);
    await host.live();
    await host.check();
    await host.lose();
    await host.write(50);
    await host.live();
    assert.equal(host.linesRead(), 50);
    await host.check();
  }));

Deno.test("agent.db alone is lost, and some of the chunks beside it", () =>
  withHost(COMBINED, async (host) => {
    await host.write(500);
    await host.live();
    await host.write(500, { from: 5 });
    await host.live();
    const folder = host.folder.join("data");
    for await (const { name } of Deno.readDir(folder)) {
      if (name.startsWith("agent.db")) await Deno.remove(`${folder}/${name}`);
    }
    await host.write(100, { from: 3, hours: 1 });
    await host.live();
    await host.check();
    await host.lose();
    await host.live();
    await host.check();
  }));

Deno.test("a lost folder: rows that were erased are read again, and erased again", async () => {
  await using folder = await TempFolder.make();
  const { sign, publicKey } = await eraseSigner();
  const host = await Host.make(folder, { more: `trust_erase: [ "${publicKey}" ]` });
  const lines = [0, 1, 2].flatMap((hour) => hourLines(hour));
  const left = lines.filter((line, i) => i >= 104 || !line.startsWith(ADDRESS));
  await host.append(lines.map((line) => `${line}\n`).join(""), { lines: left });
  await host.live();
  const { id, record } = await sign();
  await folder.write(`archive/${erasureKey(id)}`, JSON.stringify(record));
  await host.live();
  await host.check();
  for (let i = 0; i < 2; i++) {
    await host.lose();
    await host.live();
    assert.equal(host.linesRead(), lines.length - left.length);
    await host.check();
  }
});

Deno.test("a lost folder: chunks that are damaged or say nothing of their files hold nothing up", () =>
  withHost(COMBINED, async (host) => {
    await host.write(900);
    await host.live();
    const before = await host.archived();
    const [damaged = "", old = "", ...others] = (await host.chunks()).map((key) =>
      host.folder.join("archive", key)
    );
    assert.equal(others.length, 1);
    const bytes = await Deno.readFile(damaged);
    await Deno.writeFile(damaged, bytes.fill(0, 4, bytes.length / 2));
    await using engine = await Engine.open();
    await engine.run(
      `COPY (SELECT * FROM read_parquet('${old}', hive_partitioning = false)) TO '${old}.new'
       (FORMAT parquet, KV_METADATA {logvend: '{"schema_version":1,"runs":[]}'})`,
    );
    await Deno.rename(`${old}.new`, old);
    await host.lose();
    await host.live();
    assert.equal(host.linesRead(), 600);
    await Deno.remove(damaged);
    const there = await host.archived();
    assert.deepEqual([...new Set(there)], before);
    assert.equal(there.length, before.length + 300);
  }));

/** How many requests fail: the first ones, whatever they are for. */
const FAULTS: readonly [Fault, number][] = [
  [{ kind: "denied" }, 2], // of the outer attempts
  [{ kind: "truncated", afterBytes: 500 }, 9],
  [{ kind: "busy" }, 9],
];

Deno.test({
  name: "a lost folder, asked of S3 that fails and breaks off meanwhile",
  ignore: CEPH_IS_MISSING,
  fn: async () => {
    await using folder = await TempFolder.make();
    await using ceph = await startCeph();
    const bucket = await makeBucket(ceph, folder);
    await using proxy = FaultProxy.start({ port: ceph.port, latencyMs: 5 });
    const archive = bucket.archive({ endpoint: proxy.endpoint });
    const host = await Host.make(folder, { archive });
    await host.write(600);
    await host.live();
    for (const [fault, times] of FAULTS) {
      await host.lose();
      await host.write(10);
      const asked = proxy.requests.length;
      proxy.rule = { fault, only: /^GET/, times };
      await host.live();
      assert.ok(proxy.requests.length > asked + times);
      assert.equal(host.linesRead(), 10, fault.kind);
    }
    await host.check();
  },
});
