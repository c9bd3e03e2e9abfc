import { ACCESS } from "../../../../protocol/schema/streams.ts";
import assert from "node:assert/strict";
import { join } from "node:path";
import { fc } from "../../../harness/properties.ts";
import { plainLines } from "../../../../agent/ingest/line_form.ts";
import { readFile } from "../../../../agent/ingest/read_file.ts";
import { linesSelect } from "../../../../queries/restore/restore_sql.ts";
import { readBooks } from "../../../../agent/store/files/stored_files.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";
import { open, START_MS } from "../store/scene.ts";
import { restored } from "./restored.ts";
import { times } from "../../../harness/seed.ts";

const HEAD = "10.0.0.1 - - [22/Nov/2026:18:00:0";

/** Lines of every kind, without their ends. */
const line = fc.oneof(
  fc.nat(9).map((n) => `${HEAD}${n} +0000] "GET /${n} HTTP/1.1" 200 ${n} "-" "x/1.0"`),
  fc.nat(9).map((n) => `${HEAD}${n} -0330] "GET / HTTP/1.1" 200 0 "" "" 0.0${n}0`),
  fc.nat(9).map((n) => `${HEAD}${n} +0545] "-" 400 - "-" "" ${n}.1234`),
  fc.nat(9).map((n) => `${HEAD}${n} +0000] "GET /crlf HTTP/1.1" 200 1 "-" "x"\r`),
  fc.nat(9).map((n) =>
    `{"time_local":"2026-11-22T19:00:0${n}","status":200,"request":"/","extra":${n}.50}`
  ),
  fc.constantFrom("", "\r", "garbage", "\0\0nul", "{", '{"a":1}', `${HEAD}`),
).map((text) => new TextEncoder().encode(text));

const broken = fc.nat(9).map((n) =>
  new Uint8Array([
    ...new TextEncoder().encode(`${HEAD}${n} +0000] "GET /`),
    0xff,
    0x00,
    0xfe,
    ...new TextEncoder().encode(' HTTP/1.1" 200 5 "-" "x"'),
  ])
);

const file = fc.record({
  lines: fc.array(fc.oneof({ weight: 5, arbitrary: line }, { weight: 1, arbitrary: broken }), {
    minLength: 1,
    maxLength: 40,
  }),
  endsWhole: fc.boolean(),
  /** How it is stored: read in two steps, with this done between. */
  between: fc.constantFrom("nothing", "flush", "seal"),
  sealed: fc.boolean(),
});

function bytesOf(lines: readonly Uint8Array[], endsWhole: boolean): Uint8Array<ArrayBuffer> {
  const all = lines.flatMap((bytes) => [...bytes, 0x0a]);
  return new Uint8Array(endsWhole ? all : all.slice(0, -1));
}

Deno.test("lines of any kind come back byte for byte, from parts, chunks and rejects, in any portions", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(file, { minLength: 1, maxLength: 2 }),
      fc.integer({
        min: 100,
        max: 10_000,
      }),
      async (files, bytesMax) => {
        await using folder = await TempFolder.make();
        const dataDir = folder.join("data");
        const wanted = new Map<string, string>();
        {
          await using store = await open(dataDir);
          const read = (path: string) =>
            readFile({
              path,
              stream: "logs",
              form: plainLines("auto"),
              sink: store,
              nowMs: () => START_MS,
            });
          for (const [i, { lines, endsWhole, between, sealed }] of files.entries()) {
            const first = lines.slice(0, lines.length >> 1);
            const path = await folder.write(`${i}.log`, bytesOf(first, true));
            await read(path);
            if (between !== "nothing") await store.flush();
            if (between === "seal") await store.sealAll();
            const whole = bytesOf(lines, endsWhole);
            await Deno.writeFile(path, whole);
            await read(path);
            await store.flush();
            if (sealed) await store.sealAll();
            if (whole.length > 0) wanted.set(path, whole.toHex().toUpperCase());
          }
        }
        assert.deepEqual(await restored(dataDir, { bytesMax }), wanted);
      },
    ),
    { numRuns: times(6) },
  );
});

Deno.test("a condition chooses rows, and rejects are left out then", async () => {
  await using folder = await TempFolder.make();
  const path = await folder.write(
    "a.log",
    `${HEAD}1 +0000] "GET /a HTTP/1.1" 200 1 "-" "x"\nno\n${HEAD}2 +0000] "GET /b HTTP/1.1" 500 1 "-" "x"\n`,
  );
  const dataDir = folder.join("data");
  {
    await using store = await open(dataDir);
    await readFile({ path, stream: "logs", form: plainLines("auto"), sink: store });
    await store.sealAll();
  }
  const { generations: [generation], files } = readBooks(dataDir);
  assert.ok(generation !== undefined);
  const of = (stream: string) =>
    files.filter((file) => file.stream === stream).map((file) => join(dataDir, file.path));
  await using engine = await Engine.open();
  const lines = async (where: string | null, since: string | null) => {
    const sql = linesSelect({
      stream: "logs",
      schema: ACCESS,
      region: "eu",
      range: { since, until: null },
      where,
      slices: [{ source: { ...generation, bytes: generation.offset }, start: 0, end: null }],
      files: of("logs"),
      rejects: of("rejects"),
    });
    const { rows } = await engine.read(`SELECT decode(bytes) FROM (${sql})`);
    return rows.map(([text]) => /(GET .* HTTP|no)/.exec(String(text))?.[0]);
  };
  assert.deepEqual(await lines("status = 500 AND region = 'eu'", null), ["GET /b HTTP"]);
  assert.deepEqual(await lines(null, null), ["GET /a HTTP", "no", "GET /b HTTP"]);
  assert.deepEqual(await lines(null, "2026-11-22T18:00:02.000Z"), ["GET /b HTTP"]);
});
