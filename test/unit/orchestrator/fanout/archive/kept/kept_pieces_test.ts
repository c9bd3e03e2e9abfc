import assert from "node:assert/strict";
import { QueryClaims } from "../../../../../../protocol/signing/claims.ts";
import { KeptPieces } from "../../../../../../orchestrator/fanout/archive/kept/kept_pieces.ts";
import type { KeptQuestion } from "../../../../../../orchestrator/fanout/archive/kept/kept_question.ts";
import { placed } from "../../../../../../orchestrator/fanout/archive/pieces.ts";
import type { Piece, PlacedChunk } from "../../../../../../orchestrator/fanout/archive/pieces.ts";
import type { HostAnswer } from "../../../../../../orchestrator/fanout/collector.ts";
import { PLAN_VERSION } from "../../../../../../queries/plan/planner.ts";
import { TempFolder } from "../../../../../harness/temp_folder.ts";

const PLANNED = { tables: [{ name: "logs", columns: [] }], version: PLAN_VERSION };

const COLUMNS = [{ name: "n", type: "BIGINT" }];

function claims(changed: Partial<QueryClaims> = {}): QueryClaims {
  return QueryClaims.parse({
    kind: "query",
    id: crypto.randomUUID(),
    sql_sha256: "0".repeat(64),
    selector: "",
    range: { since: null, until: null, implied: false },
    source: "archive",
    now: "2026-11-29T00:00:00Z",
    limits: { timeout_ms: 1_000, rows_max: 10, bytes_max: 10 },
    issued_at_ms: 0,
    expires_at_ms: 1,
    ...changed,
  });
}

/** Chunks of hosts, two hours each. */
function chunks(...hosts: string[]): PlacedChunk[] {
  return placed(hosts.flatMap((host) =>
    ["19", "20"].map((hour) => ({
      key: `stream=logs/region=eu/date=2026-11-22/hour=${hour}/${host}.${"0".repeat(16)}.parquet`,
      bytes: 10,
      etag: `"${host}-${hour}"`,
      rows: null,
      readBytes: 10,
      requests: 1,
    }))
  ));
}

function pieceOf(some: PlacedChunk[]): Piece {
  return { region: "eu", host: null, chunks: some, bytes: 20 };
}

function answerOf(value: string, file?: string): HostAnswer {
  const coverage = {
    ...{ chunks: 2, rows_scanned: 1, bytes_read: 1, rejects: 0, behind_bytes: 0 },
    gaps: { count: 0, bytes: 0 },
    lost: { files: 0, rows: 0 },
  };
  const parts: HostAnswer["parts"] = [
    { table: "partial", part: { encoding: "text", columns: COLUMNS, values: [[value]] } },
    ...(file === undefined ? [] : [{
      table: "partial",
      part: { encoding: "parquet", file } as const,
    }]),
  ];
  return { host: "web-1", parts, rows: { partial: 1 }, coverage, byteCount: 7 };
}

interface Scene extends AsyncDisposable {
  folder: TempFolder;
  open(bytesMax?: number): Promise<KeptPieces>;
  /** The question with its answers over web-1 and web-2, kept by an orchestrator that then ended. */
  leave(): Promise<void>;
  /** What the next one finds for the same question. */
  find(listed: PlacedChunk[], byHost?: boolean): Promise<string[]>;
}

const ASKED = { sql: "SELECT 1", operator: "ed25519:a", claims: claims() };

async function makeScene(): Promise<Scene> {
  const folder = await TempFolder.make();
  await Deno.mkdir(folder.join("workspace"));
  const stack = new DisposableStack();
  const open = async (bytesMax = 1e6) =>
    stack.use(await KeptPieces.open({ folder: folder.join("pieces"), bytesMax }));
  const begin = async (): Promise<KeptQuestion> => {
    const question = await (await open()).begin(ASKED);
    assert.ok(question !== null);
    return question;
  };
  return {
    folder,
    open,
    async leave() {
      const question = await begin();
      await question.plan(PLANNED);
      await question.keep(pieceOf(chunks("web-1")), answerOf("1"));
      const file = await folder.write("workspace/answer.parquet", "as it came");
      await question.keep(pieceOf(chunks("web-2")), answerOf("2", file));
    },
    async find(listed, byHost = false) {
      const question = await begin();
      const texts: string[] = [];
      for (const { read } of await question.usable(listed, byHost)) {
        const answer = await read(() => folder.join("workspace"));
        for (const { part } of answer?.parts ?? []) {
          if (part.encoding === "text") texts.push(String(part.values[0]?.[0]));
          else texts.push(await Deno.readTextFile(part.file));
          if (part.encoding === "parquet") await Deno.remove(part.file);
        }
      }
      return texts.sort();
    },
    [Symbol.asyncDispose]() {
      stack.dispose();
      return folder[Symbol.asyncDispose]();
    },
  };
}

Deno.test("what was kept is found again, whole, with its files, for the same question only", async () => {
  await using scene = await makeScene();
  await scene.leave();
  const listed = chunks("web-1", "web-2", "web-3");
  assert.deepEqual(await scene.find(listed), ["1", "2", "as it came"]);
  const other = async (changed: Partial<typeof ASKED>) => {
    const question = await (await scene.open()).begin({ ...ASKED, ...changed });
    assert.equal(question?.planned, null);
  };
  await other({ sql: "SELECT 2" });
  await other({ operator: "ed25519:b" });
  await other({ claims: claims({ now: "2026-11-29T00:00:01Z" }) });
  await other({ claims: claims({ broadcast_sha256: "1".repeat(64) }) });
  const same = await (await scene.open()).begin({ ...ASKED, claims: claims() });
  assert.deepEqual(same?.planned, PLANNED);
});

Deno.test("an answer over chunks that went or changed is not used", async () => {
  await using scene = await makeScene();
  await scene.leave();
  const [first, ...others] = chunks("web-1", "web-2");
  assert.ok(first !== undefined);
  assert.deepEqual(await scene.find(others), ["2", "as it came"], "one is not there");
  const changed = [{ ...first, etag: '"other"' }, ...others];
  assert.deepEqual(await scene.find(changed), ["2", "as it came"], "one is another object");
  const late = { ...first, key: first.key.replace("0000.parquet", "0001.parquet") };
  const more = [first, late, ...others];
  assert.deepEqual(await scene.find(more), ["1", "2", "as it came"]);
  assert.deepEqual(await scene.find(more, true), ["2", "as it came"], "a host's are together");
});

Deno.test("an answer whose files are not as they were is not used", async () => {
  await using scene = await makeScene();
  await scene.leave();
  const folder = scene.folder.join("pieces");
  const [question] = [...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`);
  for (const { name } of Deno.readDirSync(question ?? "")) {
    if (name.endsWith(".parquet")) await Deno.truncate(`${question}/${name}`, 3);
  }
  assert.deepEqual(await scene.find(chunks("web-1", "web-2")), ["1"]);
  await Deno.writeTextFile(`${question}/plan.json`, "{");
  assert.deepEqual(await scene.find(chunks("web-1", "web-2")), []);
  assert.deepEqual([...Deno.readDirSync(folder)], [], "nobody knows how it was planned");
  await scene.leave();
  await Deno.writeTextFile(`${question}/plan.json`, JSON.stringify({ ...PLANNED, version: 1 }));
  assert.deepEqual(await scene.find(chunks("web-1")), [], "nobody plans so any more");
});

Deno.test("what is answered is removed, what is left is there for a day, and has a limit", async () => {
  await using scene = await makeScene();
  const names = () => [...Deno.readDirSync(scene.folder.join("pieces"))].map(({ name }) => name);
  const keep = async (pieces: KeptPieces, sql: string, value = "1") => {
    const question = await pieces.begin({ ...ASKED, sql });
    await question?.plan(PLANNED);
    await question?.keep(pieceOf(chunks("web-1")), answerOf(value));
    return question;
  };
  const pieces = await scene.open(20_000);
  const answered = await keep(pieces, "SELECT 1");
  assert.equal(names().length, 1);
  assert.equal(await pieces.begin({ ...ASKED, sql: "SELECT 1" }), null, "it is being asked");
  await answered?.end(false);
  assert.deepEqual(names(), []);
  const failed = await keep(pieces, "SELECT 2");
  await failed?.end(true);
  const [left = ""] = names();
  const long = await keep(pieces, "SELECT 3", "x".repeat(30_000));
  const long3 = [
    ...Deno.readDirSync(scene.folder.join("pieces", names().find((n) => n !== left)!)),
  ];
  assert.deepEqual(long3.map(({ name }) => name), ["plan.json"], "it has no room");
  await long?.end(false);
  const yesterday = new Date(Date.now() - 25 * 3_600_000);
  await Deno.utime(scene.folder.join("pieces", left), yesterday, yesterday);
  await scene.open();
  assert.deepEqual(names(), []);
  const stopping = await scene.open();
  const running = await keep(stopping, "SELECT 4");
  stopping.leaveAll();
  await running?.end(false);
  assert.equal(names().length, 1, "the next orchestrator finds it");
  await scene.open(1_000);
  assert.deepEqual(names(), [], "more than half of the room");
});

Deno.test("an erasure forgets what questions have read that still run, and what they read then", async () => {
  await using scene = await makeScene();
  const pieces = await scene.open();
  const [running, left] = [await pieces.begin(ASKED), await pieces.begin({ ...ASKED, sql: "2" })];
  assert.ok(running !== null && left !== null);
  for (const question of [running, left]) {
    await question.plan(PLANNED);
    await question.keep(pieceOf(chunks("web-1")), answerOf("1"));
  }
  await left.end(true);
  const names = () => [...Deno.readDirSync(scene.folder.join("pieces"))].map(({ name }) => name);
  assert.equal(names().length, 2);
  const found = await running.usable(chunks("web-1"), false);
  const writing = running.keep(pieceOf(chunks("web-2")), answerOf("2"));
  const opening = pieces.begin({ ...ASKED, sql: "2" });
  await pieces.forget();
  await writing;
  const opened = await opening;
  assert.deepEqual(names(), []);
  assert.equal(await found[0]?.read(() => scene.folder.join("workspace")), null, "it went");
  assert.deepEqual(await running.usable(chunks("web-1"), false), []);
  for (const question of [running, opened]) {
    await question?.plan(PLANNED);
    await question?.keep(pieceOf(chunks("web-3")), answerOf("3"));
    assert.deepEqual(names(), [], "what comes now may have such rows, too");
    await question?.end(true);
  }
  assert.deepEqual(names(), []);
  const again = await pieces.begin(ASKED);
  await again?.plan(PLANNED);
  await again?.keep(pieceOf(chunks("web-1")), answerOf("1"));
  await again?.end(true);
  assert.equal(names().length, 1, "who asks after that has a new beginning");
});
