/** The agent on its own: import, local queries, bad input; without broker and orchestrator. */
import assert from "node:assert/strict";
import { basename } from "node:path";
import { gzipSync } from "node:zlib";
import { eventually } from "../harness/eventually.ts";
import { combinedLine, jsonLine, manyLines } from "../harness/lines.ts";
import { freePort } from "../harness/ports.ts";
import { ourProgram, runProgram, startProgram } from "../harness/program.ts";
import type { Ended } from "../harness/program.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { parquetFiles } from "../unit/agent/store/scene.ts";

const COUNT = "SELECT count(*) AS n FROM logs";

function agent(...args: string[]): Promise<Ended> {
  return runProgram({ args: ourProgram("agent/main.ts", ...args), env: { NO_COLOR: "1" } });
}

async function config(folder: TempFolder, extra = ""): Promise<string> {
  return await folder.write(
    "agent.yaml",
    `host: web-1
region: eu
data_dir: ./data
streams:
  - { name: logs, format: auto, files: [ ./access.log* ] }
${extra}`,
  );
}

async function count(...args: string[]): Promise<unknown> {
  const { code, stdout, stderr } = await agent("query", COUNT, "-o", "json", ...args);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout).rows[0].n;
}

Deno.test("query --file answers from a log as it is, compressed too, without any config", async () => {
  await using folder = await TempFolder.make();
  const plain = await folder.write("a.log", manyLines(combinedLine, 0, 1_000) + "no log line\n");
  const zipped = await folder.write("b.log.gz", gzipSync(manyLines(jsonLine, 0, 500)));
  assert.equal(await count("--file", plain), 1_000);
  assert.equal(await count("--file", zipped), 500);
  assert.equal(await count("--file", plain, "--file", zipped), 1_500);
  const table = await agent(
    "query",
    "SELECT status, count(*) AS requests FROM logs GROUP BY 1 ORDER BY 2 DESC",
    "--file",
    plain,
  );
  assert.equal(
    table.stdout,
    [" status │ requests", "────────┼──────────", "    200 │      900", "    500 │      100"]
      .join("\n") + "\n(2 rows)\n",
  );
  assert.match(
    table.stderr,
    /^read as an access log · all time · 1000 rows, 1 chunk, .* read · .*s$/m,
  );
  assert.match(table.stderr, /^ {2}reject {2}1 {2}SELECT \* FROM rejects$/m);
  const catalog = await agent("query", "SHOW TABLES", "-o", "csv", "--file", plain);
  assert.equal(catalog.stdout, "name\naccounting\nlogs\nquery_log\nrejects\n");
  assert.match(catalog.stderr, /^read as an access log · its catalog · .*s\n$/);
  const asked = ["query", "@requests_by_status", "--file", plain, "-o", "csv"];
  assert.match((await agent(...asked)).stdout, /^status,requests,percent\n200,900,90\.0\n/);
  const lines = await agent("query", "SELECT line FROM logs", "-o", "csv", "--file", zipped);
  assert.equal(lines.stdout.split("\n").length - 2, 500);
});

/** The agent with a file's bytes as its standard input. */
function agentOn(file: string, ...args: string[]): Promise<Ended> {
  const program = [Deno.execPath(), ...ourProgram("agent/main.ts", ...args)];
  return runProgram({
    command: "sh",
    args: ["-c", 'log=$1; shift; cat "$log" | "$@"', "sh", file, ...program],
    env: { NO_COLOR: "1" },
  });
}

Deno.test("query --file - asks standard input, compressed too", async () => {
  await using folder = await TempFolder.make();
  const zipped = await folder.write("a.gz", gzipSync(manyLines(jsonLine, 0, 500)));
  const { stdout, stderr } = await agentOn(zipped, "query", COUNT, "-o", "csv", "--file", "-");
  assert.equal(stdout, "n\n500\n", stderr);
});

Deno.test("import - takes standard input, once; it is accounted for and restored as a file", async () => {
  await using folder = await TempFolder.make();
  const yaml = await config(folder);
  const text = manyLines(combinedLine, 0, 3_000) + "no log line";
  const log = await folder.write("any.gz", gzipSync(text));
  const imported = await agentOn(log, "import", "-", "-c", yaml);
  assert.match(imported.stdout, /^-: 3001 lines, 3000 rows, 1 reject$/m, imported.stderr);
  const again = await agentOn(log, "import", "-", "-", "-c", yaml);
  assert.match(again.stdout, /^-: known already, nothing added\n0 lines/, again.stderr);
  const sql = "SELECT file, sum(lines)::INT AS lines FROM accounting GROUP BY 1";
  const account = await agent("query", sql, "--since", "all", "-o", "csv", "-c", yaml);
  assert.equal(account.stdout, "file,lines\n-,3001\n", account.stderr);
  const restored = await agent("restore", "--out", folder.join("out"), "-c", yaml);
  assert.match(restored.stderr, /3001 lines of -$/m);
  const [name = ""] = Array.from(Deno.readDirSync(folder.join("out")), ({ name }) => name);
  assert.match(name, /^-\.[0-9a-f]{16}$/);
  assert.equal(await Deno.readTextFile(folder.join("out", name)), text);
});

Deno.test("query --file reads any log as what it is, and lines of no format as they stand", async () => {
  await using folder = await TempFolder.make();
  const query = async (text: string, sql: string) => {
    const log = await folder.write("some.log", text);
    const { stdout, stderr } = await agent("query", sql, "--file", log, "-o", "csv");
    return { stdout, as: /^(read as [^·]+) ·/m.exec(stderr)?.[1] };
  };
  const syslog = "Nov 22 19:00:00 web-1 kernel: hello\n";
  assert.deepEqual(await query(syslog, "SELECT log_host, app_name, message FROM logs"), {
    stdout: "log_host,app_name,message\nweb-1,kernel,hello\n",
    as: "read as syslog",
  });
  const json = '{"time":"2026-11-22T19:00:00Z","level":"warn","took":1.5}\n';
  assert.deepEqual(await query(json, "SELECT level, took * 2 AS twice FROM logs"), {
    stdout: "level,twice\nwarn,3.0\n",
    as: "read as json",
  });
  assert.deepEqual(await query("what a day\nindeed\n", "SELECT message FROM logs"), {
    stdout: "message\nwhat a day\nindeed\n",
    as: "read as raw",
  });
});

Deno.test("a log without any line of its stream's format is said to be none", async () => {
  await using folder = await TempFolder.make();
  const log = await folder.write("syslog", "Nov 22 19:00:00 web-1 kernel: hello\n");
  const words = /^no line could be read as an access log: logvend-agent try FILE says which/m;
  const imported = await agent("import", log, "-c", await config(folder));
  assert.match(imported.stdout, /^1 line, 0 rows, 1 reject · .* in 1 chunk · /m);
  assert.match(imported.stderr, words);
});

Deno.test("import seals existing logs once: again, or compressed, adds nothing", async () => {
  await using folder = await TempFolder.make();
  const yaml = await config(folder);
  const text = manyLines(combinedLine, 0, 3_000) + "no log line\n";
  const plain = await folder.write("old.log", text);
  const zipped = await folder.write("old.log.gz", gzipSync(text));
  const first = await agent("import", plain, "-c", yaml);
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stdout, /3001 lines, 3000 rows, 1 reject · .* in, .* out \(0\.\d+\)/);
  for (const file of [plain, zipped]) {
    const again = await agent("import", file, "-c", yaml);
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stdout, /0 lines, 0 rows, 0 rejects/);
  }
  assert.equal(await count("-c", yaml), 3_000);
});

Deno.test("a log that is imported while its last line is being written is tailed on without a cut", async () => {
  await using folder = await TempFolder.make();
  const yaml = await config(folder, "flush_every: 100ms");
  const text = manyLines(combinedLine, 0, 100);
  const log = await folder.write("access.log", text.slice(0, -50));
  const imported = await agent("import", log, "-c", yaml);
  assert.match(imported.stdout, /access\.log: 99 lines, 99 rows, 0 rejects; its last line waits/);
  await Deno.writeTextFile(log, text.slice(-50) + combinedLine(100), { append: true });
  await using running = startProgram({ args: ourProgram("agent/main.ts", "run", "-c", yaml) });
  await running.waitForLine(/Agent .*web-1.* reads/);
  await eventually(async () => await count("-c", yaml) === 101);
  const { stdout } = await agent("query", "SELECT * FROM rejects", "-o", "jsonl", "-c", yaml);
  assert.equal(stdout, "");
});

Deno.test("a configuration named by a relative path works like any other", async () => {
  await using folder = await TempFolder.make();
  await config(folder);
  await folder.write("access.log", manyLines(combinedLine, 0, 100));
  const here = { cwd: folder.path };
  const run = ourProgram("agent/main.ts", "run", "-c", "agent.yaml");
  await using running = startProgram({ args: run, ...here });
  await running.waitForLine(/Agent .*web-1.* reads/);
  const ask = ourProgram("agent/main.ts", "query", COUNT, "-o", "csv", "-c", "agent.yaml");
  await eventually(async () => (await runProgram({ args: ask, ...here })).stdout === "n\n100\n");
});

Deno.test("query asks the running agent, and the data folder when none runs", async () => {
  await using folder = await TempFolder.make();
  const yaml = await config(folder, "flush_every: 1h");
  await folder.write("access.log", manyLines(combinedLine, 0, 100));
  {
    await using running = startProgram({ args: ourProgram("agent/main.ts", "run", "-c", yaml) });
    await running.waitForLine(/Agent .*web-1.* reads/);
    await eventually(async () => await count("-c", yaml) === 100);
    const refused = await agent("import", folder.join("access.log"), "-c", yaml);
    assert.equal(refused.code, 69);
    assert.match(refused.stderr, /in use by a running agent/);
  }
  assert.equal(await count("-c", yaml), 100, "the end of the agent made the rows durable");
});

Deno.test("kill -9 at any moment of the ingest loses no line and doubles none", async () => {
  await using folder = await TempFolder.make();
  const yaml = await config(folder, "flush_every: 100ms");
  const log = folder.join("access.log");
  for (let round = 0; round < 6; round++) {
    await Deno.writeTextFile(log, manyLines(combinedLine, round * 4_000, 4_000), { append: true });
    await using running = startProgram({ args: ourProgram("agent/main.ts", "run", "-c", yaml) });
    await running.waitForLine(/Agent .*web-1.* reads/);
    await new Promise((resolve) => setTimeout(resolve, round * 60)); // the moment is the point
    running.kill("SIGKILL");
    await running.ended();
  }
  await using running = startProgram({ args: ourProgram("agent/main.ts", "run", "-c", yaml) });
  await running.waitForLine(/Agent .*web-1.* reads/);
  await eventually(async () => Number(await count("-c", yaml)) >= 24_000);
  const { stdout } = await agent(
    "query",
    "SELECT count(*) AS n, count(DISTINCT line) AS lines FROM logs",
    ...["-o", "csv", "-c", yaml],
  );
  assert.equal(stdout, "n,lines\n24000,24000\n");
});

Deno.test("kill -9 while a past hour is read: it becomes one chunk when all of it has been read", async () => {
  await using folder = await TempFolder.make();
  const yaml = await config(folder, "flush_every: 100ms\nseal_after: 1h");
  const past = manyLines(combinedLine, 0, 60_000)
    .replaceAll(/\[.*\]/g, "[02/Jan/2024:10:11:12 +0000]");
  const log = await folder.write("access.log", past);
  const start = () => startProgram({ args: ourProgram("agent/main.ts", "run", "-c", yaml) });
  const written = async (place: string) => {
    const files = await parquetFiles(folder.join("data"));
    return files.filter((file) => file.includes(place) && !basename(file).startsWith("."));
  };
  {
    await using running = start();
    await eventually(async () => (await written("/parts/")).length > 0);
    running.kill("SIGKILL");
    await running.ended();
  }
  await Deno.writeTextFile(log, past, { append: true });
  await config(folder, "flush_every: 100ms\nseal_after: 1s");
  await using _running = start();
  await eventually(async () => (await written("/parts/")).length === 0);
  assert.equal((await written("/stream=logs/")).length, 1);
  assert.equal(await count("--since", "all", "-c", yaml), 120_000);
});

Deno.test("bad input is answered with what is wrong, its place and the exit code", async (t) => {
  await using folder = await TempFolder.make();
  const check = (name: string, args: string[], code: number, words: RegExp) =>
    t.step(name, async () => {
      const ended = await agent(...args);
      assert.equal(ended.code, code, ended.stderr);
      assert.match(ended.stderr, words);
      assert.doesNotMatch(ended.stderr, /\.ts:\d+/, "a stack trace");
    });
  const bad = await folder.write(
    "bad.yaml",
    "data_dir: ./data\nstreams:\n  - { name: logs, format: ngnix, files: [ a.log ] }\n",
  );
  await check(
    "a wrong value",
    ["run", "-c", bad],
    78,
    /bad\.yaml:3:\d+ streams\[0\]\.format: found "ngnix"/,
  );
  await check(
    "no such file",
    ["run", "-c", "/nowhere.yaml"],
    78,
    /^Cannot read \/nowhere\.yaml: no such file; give -c CONFIG$/m,
  );
  await check(
    "neither configuration nor log",
    ["query", COUNT, "-c", "/nowhere.yaml"],
    78,
    /^Cannot read \/nowhere\.yaml: no such file; give -c CONFIG or --file LOG$/m,
  );
  await check("an unknown flag", ["query", "--nope", COUNT], 64, /unknown option '--nope'/);
  const yaml = await config(folder);
  await check("no data yet", ["query", COUNT, "-c", yaml], 69, /holds no data yet/);
  const log = await folder.write("x.log", manyLines(combinedLine, 0, 10));
  await check("bad SQL", ["query", "SELECT FROM WHERE", "--file", log], 64, /syntax error/);
  await check(
    "an unknown parameter",
    ["query", "@api_requests", "--param", "patern=/x/%", "--param", "limit=5", "--file", log],
    64,
    /^@api_requests has no parameter "patern"; it has pattern, limit\. Did you mean pattern\?$/m,
  );
  await check("an unknown column", ["query", "SELECT nope FROM logs", "--file", log], 64, /nope/);
  await check(
    "no such log",
    ["query", COUNT, "--file", "/nowhere.log"],
    64,
    /^Cannot read \/nowhere\.log: no such file$/m,
  );
  await check(
    "no time at all",
    ["query", COUNT, "--file", log, "--timeout", "0s"],
    64,
    /^--timeout 0s: wanted more than 0, 1d at most$/m,
  );
  await folder.write("file", "");
  const withData = async (name: string, dataDir: string) => {
    const streams = "streams: [ { name: logs, files: [ a.log ] } ]";
    return await folder.write(name, `data_dir: ${dataDir}\n${streams}\n`);
  };
  await check(
    "a data_dir that is a file",
    ["run", "-c", await withData("file.yaml", "./file")],
    78,
    /^Cannot write to data_dir "\/.*\/file": it is a file; wanted a folder that this user may write/,
  );
  await check(
    "a data_dir below a file",
    ["import", log, "-c", await withData("below.yaml", "./file/data")],
    78,
    /^Cannot write to data_dir "\/.*\/file\/data": a folder of its path is a file; wanted/,
  );
});

Deno.test("a broker that is down is said once, and the agent works on", async () => {
  await using folder = await TempFolder.make();
  const yaml = await config(folder, `broker: mqtt://127.0.0.1:${freePort()}`);
  await folder.write("access.log", manyLines(combinedLine, 0, 10));
  await using running = startProgram({ args: ourProgram("agent/main.ts", "run", "-c", yaml) });
  await running.waitForLine(/broker/i);
  await eventually(async () => await count("-c", yaml) === 10);
  assert.doesNotMatch(running.stderr, /\.ts:\d+/);
});
