/** A log of every format: tried, configured as `try` says, imported, asked for, and restored. */
import assert from "node:assert/strict";
import { ourProgram, runProgram } from "../harness/program.ts";
import type { Ended } from "../harness/program.ts";
import { TempFolder } from "../harness/temp_folder.ts";

interface Sample {
  /** What `try` says of it; where it cannot know, what agent.yaml is given. */
  format: string;
  isTried?: boolean;
  lines: string[];
  sql: string;
  /** A condition, and the index of the one line that it is true for. */
  where?: readonly [string, number];
  expected: Record<string, unknown>[];
}

const CLOCK = "2026-11-23T10:00:0";

const SAMPLES: Record<string, Sample> = {
  json: {
    format: "json",
    lines: [
      `{"ts":"${CLOCK}0.5Z","status":"ready","n":1,"ok":true}`,
      `{"ts":"${CLOCK}1.5Z","status":"busy","n":2.5,"user":{"id":7}}`,
      `{"ts":"${CLOCK}2.5Z","status":"gone","n":3,"tag":"a \\"b\\" é"}`,
    ],
    sql: "SELECT status, n, ok, user, tag FROM logs ORDER BY ts",
    where: ["n > 2.4 AND json_extract_string(user, '$.id') = '7'", 1],
    expected: [
      { status: "ready", n: 1, ok: true, user: null, tag: null },
      { status: "busy", n: 2.5, ok: null, user: '{"id":7}', tag: null },
      { status: "gone", n: 3, ok: null, user: null, tag: 'a "b" é' },
    ],
  },
  "json with a time and a status": {
    format: "json",
    lines: [0, 1, 2].map((i) => `{"time":"${CLOCK}${i}Z","status":${200 + i},"job":"j${i}"}`),
    sql: "SELECT status, job FROM logs ORDER BY ts",
    expected: [0, 1, 2].map((i) => ({ status: 200 + i, job: `j${i}` })),
  },
  "json of an access log": {
    format: "auto",
    lines: [0, 1, 2].map((i) =>
      `{"time_local":"${CLOCK}${i}","remote_addr":"10.0.0.${i}","request":"GET / HTTP/1.1","status":200}`
    ),
    sql: "SELECT remote_addr, status FROM logs ORDER BY ts",
    expected: [0, 1, 2].map((i) => ({ remote_addr: `10.0.0.${i}`, status: 200 })),
  },
  logfmt: {
    format: "logfmt",
    lines: [0, 1, 2].map((i) =>
      `time=${CLOCK}${i}Z level=info msg="it took a while" ms=${i}.5 end`
    ),
    sql: 'SELECT level, msg, ms, "end" FROM logs ORDER BY ts',
    expected: [0, 1, 2].map((i) => {
      return { level: "info", msg: "it took a while", ms: i + 0.5, end: true };
    }),
  },
  "syslog of RFC 3164": {
    format: "syslog",
    lines: [0, 1, 2].map((i) => `<34>Oct  9 22:14:1${i} web-1 su[${i}]: 'su root' failed`),
    sql: "SELECT severity, app_name, procid, message FROM logs ORDER BY ts",
    expected: [0, 1, 2].map((i) => {
      return { severity: "crit", app_name: "su", procid: `${i}`, message: "'su root' failed" };
    }),
  },
  "syslog of RFC 5424": {
    format: "syslog",
    lines: [0, 1, 2].map((i) =>
      `<165>1 ${CLOCK}${i}.003Z web-1 app ${i} ID47 [a@1 b="c"][d@2 e="\\]"] \ufeffmessage ${i}`
    ),
    sql: "SELECT procid, structured_data, message FROM logs ORDER BY ts",
    expected: [0, 1, 2].map((i) => {
      const structured_data = '[a@1 b="c"][d@2 e="\\]"]';
      return { procid: `${i}`, structured_data, message: `message ${i}` };
    }),
  },
  cri: {
    format: "cri",
    lines: ["P", "F", "F"].map((tag, i) => `${CLOCK}${i}.123456789Z stdout ${tag} text ${i}`),
    sql: "SELECT log_stream, logtag, message FROM logs ORDER BY ts",
    expected: ["P", "F", "F"].map((logtag, i) => {
      return { log_stream: "stdout", logtag, message: `text ${i}` };
    }),
  },
  docker: {
    format: "docker",
    lines: ["", "\\n", "\\n"].map((end, i) =>
      `{"log":"text ${i}${end}","stream":"stderr","time":"${CLOCK}${i}.123456789Z"}`
    ),
    sql: "SELECT log_stream, message FROM logs ORDER BY ts",
    expected: [0, 1, 2].map((i) => ({ log_stream: "stderr", message: `text ${i}` })),
  },
  raw: {
    format: "raw",
    isTried: false,
    lines: ["one", "", "three é"],
    sql: "SELECT message FROM logs ORDER BY message",
    expected: [{ message: "" }, { message: "one" }, { message: "three é" }],
  },
  nginx: {
    format: `
      nginx: |
        log_format main '$remote_addr [$time_iso8601] "$request" '
                        '$status rt=$request_time ut="$upstream_response_time"';`,
    isTried: false,
    lines: [0, 1, 2].map((i) =>
      `10.0.0.${i} [${CLOCK}${i}+02:00] "GET /a HTTP/1.1" 200 rt=0.01${i} ut="0.1, 0.2"`
    ),
    sql: "SELECT remote_addr, request, request_time, upstream_response_time FROM logs ORDER BY ts",
    expected: [0, 1, 2].map((i) => ({
      remote_addr: `10.0.0.${i}`,
      request: "/a",
      request_time: 0.01 + i / 1_000,
      upstream_response_time: 0.3,
    })),
  },
  regex: {
    format: `
      regex: '(?<at>\\S+ \\S+) \\[(?<level>\\w+)\\] (?<pid>\\d+)#0: (?<message>.*)'
    time: { field: at, format: "%Y/%m/%d %H:%M:%S" }`,
    isTried: false,
    lines: [0, 1, 2].map((i) => `2026/11/23 10:00:0${i} [error] ${i}#0: open() failed`),
    sql: "SELECT ts, level, pid, message FROM logs ORDER BY ts",
    expected: [0, 1, 2].map((i) => {
      const ts = `2026-11-23 10:00:0${i}`;
      return { ts, level: "error", pid: i, message: "open() failed" };
    }),
  },
};

function agent(...args: string[]): Promise<Ended> {
  return runProgram({ args: ourProgram("agent/main.ts", ...args), env: { NO_COLOR: "1" } });
}

for (const [name, sample] of Object.entries(SAMPLES)) {
  Deno.test(`${name}: tried, imported, asked for and restored`, async () => {
    await using folder = await TempFolder.make();
    const text = sample.lines.map((line) => `${line}\n`).join("");
    const log = await folder.write("any.log", text);
    const yaml = await folder.write(
      "agent.yaml",
      `data_dir: ./data\n${await streams(sample, log)}`,
    );
    const validated = await agent("validate", "-c", yaml);
    assert.equal(validated.code, 0, validated.stderr);
    const imported = await agent("import", log, "-c", yaml);
    assert.match(imported.stdout, /3 lines, 3 rows, 0 rejects/, imported.stderr);
    const asked = await agent("query", sample.sql, "-c", yaml, "--since", "all", "-o", "json");
    assert.equal(asked.code, 0, asked.stderr);
    assert.deepEqual(JSON.parse(asked.stdout).rows, sample.expected);
    assert.equal((await agent("restore", "-c", yaml)).stdout, text);
    if (sample.where === undefined) return;
    const [where, index] = sample.where;
    const { stdout } = await agent("restore", "-c", yaml, "--where", where);
    assert.equal(stdout, `${sample.lines[index]}\n`);
  });
}

/** The YAML that `try` gives, or one for what it cannot know. */
async function streams({ format, isTried = true, lines }: Sample, log: string): Promise<string> {
  const { code, stdout } = await agent("try", log);
  if (!isTried) {
    assert.deepEqual([code, /format: raw/.test(stdout)], [1, true]);
    return `streams:\n  - name: logs\n    files: [ ${log} ]\n    format: ${format}\n`;
  }
  assert.match(stdout, new RegExp(`format ${format}, ${lines.length} of ${lines.length} lines`));
  assert.match(stdout, /\(3 rows\)/);
  return stdout.slice(stdout.indexOf("streams:"));
}
