/** What rules take out of a log is nowhere in the agent's folder; what they leave out is counted. */
import assert from "node:assert/strict";
import { eventually } from "../harness/eventually.ts";
import { combinedLine, jsonLine } from "../harness/lines.ts";
import { ourProgram, runProgram, startProgram } from "../harness/program.ts";
import type { Ended } from "../harness/program.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { literal } from "../../protocol/schema/table_sql.ts";
import { Engine } from "../../queries/duckdb/engine.ts";

function agent(...args: string[]): Promise<Ended> {
  return runProgram({
    args: ourProgram("agent/main.ts", ...args),
    env: { NO_COLOR: "1", LOGVEND_TEST_KEY: "0123456789abcdef" },
  });
}

const RULES = `
    redact:
      - { field: remote_addr, by: hash, key: { env: LOGVEND_TEST_KEY } }
      - { pattern: '(?<=token=)[^& "]+', by: mask }
    drop:
      - { name: health, when: "request LIKE '/healthz%' AND status = 200" }
      - { name: agents, when: "http_user_agent::INTEGER = 7" }
`;

async function config(folder: TempFolder, rules: string): Promise<string> {
  return await folder.write(
    "agent.yaml",
    `host: web-1\ndata_dir: ./data\nflush_every: 200ms\nseal_after: 200ms\n` +
      `streams:\n  - name: logs\n    files: [ ./access.log ]${rules}`,
  );
}

/** Every form of a line, with a secret in it. */
function secretLines(): string {
  const line = combinedLine(1).trimEnd().replace("10.0.0.1", "SECRET.1");
  const health = line.replace("/item/1", "/healthz?SECRET");
  const json = jsonLine(2).trimEnd().replace("10.0.1.2", "SECRET.2");
  return [
    line,
    `${line} "more"`,
    line.replace("/item/1", "/item/1?token=SECRET"),
    `${line}\r`,
    line.replace("test/1.0", "test/\xff"),
    json,
    json.replaceAll(",", ", "),
    json.replace("SECRET", String.raw`S\u0045CRET`),
    "SECRET no log line",
    `${"SECRET".repeat(200_000)}`,
    health,
    `${health} "more"`,
  ].map((text) => `${text}\n`).join("");
}

/** Every byte of every file, and every value of every Parquet file, as text. */
async function* everything(folder: string): AsyncGenerator<{ path: string; text: string }> {
  await using engine = await Engine.open();
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* everything(path);
    else if (!name.endsWith(".sock")) {
      yield { path, text: new TextDecoder("latin1").decode(await Deno.readFile(path)) };
    }
    if (!name.endsWith(".parquet")) continue;
    const { rows } = await engine.read(
      `SELECT t::VARCHAR FROM read_parquet(${literal(path)}) AS t`,
    );
    yield { path, text: rows.join("\n") };
  }
}

Deno.test("secrets and dropped lines are nowhere in the data folder nor in what the agent says", async () => {
  await using folder = await TempFolder.make();
  const path = await config(folder, RULES);
  await Deno.writeFile(
    folder.join("access.log"),
    Uint8Array.from(secretLines(), (c) => c.charCodeAt(0)),
  );
  await using running = startProgram({
    args: ourProgram("agent/main.ts", "run", "-c", path),
    env: { LOGVEND_TEST_KEY: "0123456789abcdef" },
  });
  const select = async (sql: string) => {
    const { stdout } = await agent("query", sql, "-c", path, "-o", "json", "--since", "all");
    return JSON.parse(stdout).rows as Record<string, unknown>[];
  };
  const counted = async () => {
    const rows = await select("SELECT outcome, reason, lines FROM accounting ORDER BY ALL");
    assert.deepEqual(rows.map(({ outcome, reason, lines }) => `${outcome} ${reason} ${lines}`), [
      "dropped health 2",
      "rejected no_format 1",
      "rejected too_long 1",
      "stored null 8",
    ]);
    return true;
  };
  await eventually(counted);
  const lines = await select("SELECT line, remote_addr FROM logs");
  assert.equal(lines.length, 8);
  assert.equal(new Set(lines.map(({ remote_addr }) => remote_addr)).size, 2);
  for (const { remote_addr } of lines) assert.match(String(remote_addr), /^[0-9a-f]{16}$/);
  assert.equal(lines.filter(({ line }) => String(line).includes("token=*** HTTP")).length, 1);
  running.kill("SIGTERM");
  const { stderr } = await running.ended();
  assert.ok(!stderr.includes("SECRET"));
  for await (const { path, text } of everything(folder.join("data"))) {
    assert.ok(!text.includes("SECRET") && !text.includes("healthz"), path);
  }
  const { stdout } = await agent("account", "-c", path);
  assert.match(stdout, /12 lines read = 8 stored \+ 2 rejected \+ 2 dropped/);
});

Deno.test("import follows the same rules, and restore gives the redacted lines, each with its end", async () => {
  await using folder = await TempFolder.make();
  // Of 15 bytes: its hash is one byte longer, as the line is with its end.
  const line = (n: number) => combinedLine(n).replace(/^10\.0\.0\.\d+/, "100.100.100.100");
  const log = await folder.write(
    "old.log",
    [1, 2, 3].map(line).join("") +
      combinedLine(4).replace("/item/4", "/healthz"),
  );
  const path = await config(folder, RULES);
  const imported = await agent("import", log, "-c", path);
  assert.match(imported.stdout, /: 4 lines, 3 rows, 0 rejects, 1 dropped\n/);
  const { stdout } = await agent("restore", "-c", path, "--since", "all");
  const address = stdout.slice(0, 16);
  assert.match(address, /^[0-9a-f]{16}$/);
  assert.equal(stdout.replaceAll(address, "100.100.100.100"), [1, 2, 3].map(line).join(""));
});

Deno.test("rules that cannot be right stop the start with file, line and key", async () => {
  await using folder = await TempFolder.make();
  const check = async (rules: string, message: RegExp) => {
    const { code, stderr } = await agent("validate", "-c", await config(folder, rules));
    assert.equal(code, 78);
    assert.match(stderr.replaceAll(/\s+/g, " "), message);
  };
  const drop = (when: string) => `\n    drop: [ { name: a, when: "${when}" } ]\n`;
  await check(drop("statuss = 200"), /agent\.yaml:8:\d+ streams\[0\]\.drop\[0\]\.when: .*status/);
  await check(drop("ts < now()"), /no place in a condition that stays/);
  await check(drop("status IN (SELECT 1)"), /without subqueries/);
  const redact = (rule: string) => `\n    redact: [ { ${rule} } ]\n`;
  await check(
    redact("pattern: 'a(', by: mask"),
    /:8:\d+ streams\[0\]\.redact\[0\]\.pattern: .*regular/,
  );
  await check(redact("field: remote_addr, by: hash"), /redact\[0\].*a key with hash/);
  await check(
    redact("field: remote_addr, by: hash, key: { file: ./none }"),
    /:8:\d+ streams\[0\]\.redact\[0\]\.key: .*no such file/,
  );
  await check(
    redact("field: status, by: mask"),
    /redact\[0\]\.field: found "status"; wanted remote_addr/,
  );
});
