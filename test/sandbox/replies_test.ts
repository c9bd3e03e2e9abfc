/** Agents that lie or are broken: each spoils its own part of an answer, visibly, and nothing else. */
import assert from "node:assert/strict";
import type { ResultEnd, ResultPart } from "../../protocol/wire/messages.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { logsWith, Scene } from "../unit/orchestrator/scene.ts";
import type { Script } from "../unit/orchestrator/scripted_agent.ts";

const SQL = "SELECT status, count(*) AS n FROM logs GROUP BY status ORDER BY status";
const LIMITS = { timeout_ms: 180_000, rows_max: 100_000, bytes_max: 64e6 };

type Answer = { parts: ResultPart[]; end: ResultEnd };

/** Makes its true answer another one. */
type Lie = (answer: Answer) => unknown;

/** A host that says something else than what it found. */
function lying(lie: Lie): Script {
  return async ({ ack, compute, send }) => {
    ack();
    const answer = await compute();
    const told = lie(answer) ?? answer;
    send({ seq: 0, ...told as Answer }); // what it says need not be what the wire allows
  };
}

function textOf({ parts: [part] }: Answer) {
  assert(part?.encoding === "text");
  return part;
}

async function parquetOf(select: string): Promise<string> {
  await using folder = await TempFolder.make();
  await using engine = await Engine.open();
  const file = folder.join("x.parquet");
  await engine.run(`COPY (${select}) TO '${file}' (FORMAT parquet, COMPRESSION zstd)`);
  return (await Deno.readFile(file)).toBase64();
}

async function lies(): Promise<Record<string, Lie>> {
  const other = await parquetOf("SELECT 1 AS a");
  const bomb = await parquetOf("SELECT 200 AS __k0, 1::BIGINT AS __p0 FROM range(20000000)");
  const slice = (base64: string, offset = 0): Lie => ({ parts: [part], end }) => ({
    parts: [{ table: part?.table, encoding: "parquet", offset, base64 }],
    end,
  });
  return {
    "a column too many": (answer) => {
      const part = textOf(answer);
      part.columns.push({ name: "more", type: "INTEGER" });
      part.values.push(part.values[0] ?? []);
    },
    "a column of another type": (answer) =>
      void (textOf(answer).columns[0] = { name: "x", type: "BLOB" }),
    "a type that is SQL": (answer) => {
      textOf(answer).columns[0] = { name: "x", type: "INTEGER); DROP TABLE partial; --" };
    },
    "values that are none of their type": (answer) => void textOf(answer).values[0]?.fill("'); --"),
    "columns of different lengths": (answer) => void textOf(answer).values[0]?.push("1"),
    "more rows than it says": ({ parts, end }) => ({
      parts,
      end: { ...end, rows: { [parts[0]?.table ?? ""]: 1_000_000 } },
    }),
    "the same part twice": ({ parts, end }) => ({ parts: [...parts, ...parts], end }),
    "a table of another's": ({ parts, end }) => ({
      parts: parts.map((part) => ({ ...part, table: "_answer" })),
      end,
    }),
    "no table at all": ({ end }) => ({ parts: [], end }),
    "bytes that are no Parquet": slice(new Uint8Array(10_000).fill(7).toBase64()),
    "Parquet without its end": slice(other.slice(0, 100)),
    "Parquet of other columns": slice(other),
    "Parquet that unpacks to 20 million rows": slice(bomb),
    "a slice from the middle": slice(other, 4_096),
    "no base64": slice("§§§"),
    "an end of another shape": ({ parts }) => ({ parts, end: { ok: true, rows: "many" } }),
    "numbers that are none": ({ parts, end }) => ({
      parts,
      end: { ...end, coverage: { chunks: -1, rows_scanned: 1e308, bytes_read: "x" } },
    }),
    "a long error": () => ({
      parts: [],
      end: { ok: false, error: { code: "x".repeat(20), message: "y".repeat(100_000) } },
    }),
  };
}

Deno.test("a host that lies is missing from the answer, which is right without it", async (test) => {
  await using scene = await Scene.start();
  await scene.agent({ host: "web-1", logs: logsWith([200, 200, 404]) });
  let lie: Lie = () => {};
  const script: Script = (incoming) => lying((answer) => lie(answer))(incoming);
  await scene.agent({ host: "web-2", logs: logsWith([200]), script });
  for (const [name, told] of Object.entries(await lies())) {
    await test.step(name, async () => {
      lie = told;
      const { rows, end } = await scene.ask({ sql: SQL, limits: LIMITS });
      assert.deepEqual(rows, [{ status: 200, n: 2 }, { status: 404, n: 1 }]);
      assert.deepEqual(end.coverage.missing.map(({ host }) => host), ["web-2"]);
      assert.equal(end.coverage.answered, 1);
    });
  }
  lie = () => {};
  const { rows } = await scene.ask({ sql: SQL, limits: LIMITS });
  assert.deepEqual(rows[0], { status: 200, n: 3 });
});

Deno.test("SQL that no interrupt stops is merged where it can be killed, and others go on", async () => {
  await using scene = await Scene.start();
  await scene.agent({ host: "web-1", logs: logsWith([200]) });
  const unstoppable =
    "SELECT status, levenshtein(repeat('a', 1000000), repeat('b', 1000000)) FROM logs";
  const limits = { ...LIMITS, timeout_ms: 3_000 };
  const heavy = assert.rejects(scene.ask({ sql: unstoppable, limits }), /merged within 3 s/);
  for (let i = 0; i < 3; i++) {
    assert.equal((await scene.ask({ sql: SQL, limits: LIMITS })).rows.length, 1);
  }
  await heavy;
  const { rows } = await scene.ask({
    sql: "SELECT repeat('ab', status - 197) AS x FROM logs",
    limits: LIMITS,
  });
  assert.deepEqual(rows, [{ x: "ababab" }]);
});
