/** Query workers as real processes: what they answer, what they refuse, what kills them. */
import { ACCESS } from "../../../../protocol/schema/streams.ts";
import assert from "node:assert/strict";
import { WorkerPool } from "../../../../agent/query/worker_pool.ts";
import type { WorkerResult } from "../../../../agent/query/worker_process.ts";
import { resultFile } from "../../../../agent/query/worker_protocol.ts";
import type { WorkerQuery, WorkerSettings } from "../../../../agent/query/worker_protocol.ts";
import { WORKER_USER } from "../../../../agent/query/worker_folders.ts";
import { makeSpareFolder } from "../../../../agent/store/files/spare_folder.ts";
import { accessTables } from "../../../harness/tables.ts";
import { libraryPath } from "../../../../protocol/process/kernel_file.ts";
import { selfCommand, WORKER_COMMAND } from "../../../../agent/self.ts";
import { tableSelect } from "../../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import { eventually } from "../../../harness/eventually.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";
import { ROWS_PER_404, writeLogs } from "./logs.ts";

const LOG_ROWS = 20_000;

interface Host extends AsyncDisposable {
  workers: WorkerPool;
  logs: string;
  folder: string;
  run(sql: string, options?: RunOptions): Promise<WorkerResult>;
}

interface RunOptions {
  rowsMax?: number;
  bytesMax?: number;
  signal?: AbortSignal;
  /** The file that is read instead. */
  logs?: string;
  onStart?: (pid: number) => void;
}

/** A pool of workers over one file of logs. */
async function host(): Promise<Host> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await TempFolder.make());
  const logs = folder.join("logs.parquet");
  await writeLogs(logs, LOG_ROWS);
  const options = { folder: folder.join("query"), dataDir: folder.path };
  const workers = stack.use(await WorkerPool.open(options));
  const owned = stack.move();
  return {
    workers,
    logs,
    folder: folder.path,
    async run(sql, options = {}) {
      const { rowsMax = 1e6, bytesMax = 1e9, signal = never(), onStart } = options;
      const path = workers.pathFor(options.logs ?? logs);
      const query: WorkerQuery = {
        views: [{
          table: "logs",
          sql: tableSelect(ACCESS, { files: [path], region: "r-1", since: null, until: null }),
        }],
        files: [path],
        output: {
          kind: "partials",
          partials: [{ table: "logs", sql }],
          caps: { rows_max: rowsMax, bytes_max: bytesMax },
        },
        result_folder: workers.makeFolder("result-"),
      };
      lastFolder = query.result_folder;
      return await workers.use(signal, (worker) => {
        onStart?.(worker.pid);
        return worker.run(query, signal);
      });
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const ALL = { since: null, until: null, implied: false };

let lastFolder = "";

function never(): AbortSignal {
  return new AbortController().signal;
}

function shippedBy(result: WorkerResult) {
  assert(result.kind === "partials");
  const [shipped] = result.shipped;
  assert(shipped !== undefined);
  return shipped;
}

const COUNT = "SELECT status, count(*) AS n FROM logs GROUP BY status ORDER BY status";

Deno.test("a query is answered from the files, and the worker is kept for the next", async () => {
  await using here = await host();
  const pids: number[] = [];
  for (let i = 0; i < 2; i++) {
    const shipped = shippedBy(await here.run(COUNT, { onStart: (pid) => pids.push(pid) }));
    assert(shipped.encoding === "text");
    const n404 = LOG_ROWS / ROWS_PER_404;
    assert.deepEqual(shipped.values, [["200", "404"], [`${LOG_ROWS - n404}`, `${n404}`]]);
    assert.equal(shipped.rows, 2);
  }
  assert.equal(pids[0], pids[1]);
});

Deno.test("many rows are shipped as a Parquet file that holds them all", async () => {
  await using here = await host();
  const shipped = shippedBy(await here.run("SELECT ts, request FROM logs"));
  assert.equal(shipped.encoding, "parquet");
  assert.equal(shipped.rows, LOG_ROWS);
  await using engine = await Engine.open();
  const { rows } = await engine.read(
    `SELECT count(DISTINCT request) FROM read_parquet('${resultFile(lastFolder, 0)}')`,
  );
  assert.equal(rows[0]?.[0], BigInt(LOG_ROWS));
});

Deno.test("texts that JSON would blow up over a message become Parquet", async () => {
  await using here = await host();
  const shipped = shippedBy(await here.run("SELECT repeat(chr(1), 30000) AS text"));
  assert.equal(shipped.encoding, "parquet");
  assert.equal(shipped.rows, 1);
});

Deno.test("more rows or bytes than the cap are refused, with the size they would have", async () => {
  await using here = await host();
  await assert.rejects(here.run("SELECT request FROM logs", { rowsMax: 100 }), (error: unknown) => {
    assert(error instanceof Error && "code" in error && "details" in error);
    assert.equal(error.code, "too_many_rows");
    const { rows, bytes } = error.details as { rows: number; bytes: number };
    assert.equal(rows, LOG_ROWS);
    assert(bytes > LOG_ROWS * 20 && bytes < LOG_ROWS * 60, `${bytes} bytes`);
    return true;
  });
  const result = await here.run("SELECT request FROM logs LIMIT 100", { rowsMax: 100 });
  assert.equal(shippedBy(result).rows, 100);
  await assert.rejects(here.run("SELECT request FROM logs", { bytesMax: 1_000 }), {
    code: "too_many_rows",
  });
});

Deno.test("an error of the SQL is told as such", async () => {
  await using here = await host();
  await assert.rejects(here.run("SELECT request::INTEGER FROM logs"), {
    code: "bad_sql",
    message: /Conversion Error/,
  });
});

Deno.test("a file that is gone, cut or damaged makes an error, never a shorter answer", async () => {
  const harms: Readonly<Record<string, (path: string) => Promise<void>>> = {
    gone: (path) => Deno.remove(path),
    cut: async (path) => await Deno.truncate(path, (await Deno.stat(path)).size / 2),
    damaged: async (path) => {
      using file = await Deno.open(path, { write: true });
      await file.seek(1_000, Deno.SeekMode.Start);
      await file.write(new Uint8Array(4_000));
    },
  };
  for (const [name, harm] of Object.entries(harms)) {
    await using here = await host();
    await harm(here.logs);
    await assert.rejects(here.run("SELECT ts, request FROM logs"), name);
  }
});

Deno.test("a worker reads the query's files, writes its results, and knows no secrets", async () => {
  Deno.env.set("LOGVEND_TEST_SECRET", "secret");
  await using here = await host();
  Deno.env.delete("LOGVEND_TEST_SECRET");
  const other = `${here.folder}/other.parquet`;
  await Deno.copyFile(here.logs, other);
  let environment = "";
  const onStart = (pid: number) => {
    environment = Deno.readTextFileSync(`/proc/${pid}/environ`);
  };
  for (const path of [other, "/etc/passwd"]) {
    await assert.rejects(here.run(`SELECT content FROM read_blob('${path}')`, { onStart }), {
      message: /Permission Error/,
    });
  }
  assert(environment.includes("NO_COLOR") && !environment.includes("secret"));
});

Deno.test("a worker has bounded itself, and is another user where the agent is root", async () => {
  await using here = await host();
  let status = "";
  let limits = "";
  const onStart = (pid: number) => {
    status = Deno.readTextFileSync(`/proc/${pid}/status`);
    limits = Deno.readTextFileSync(`/proc/${pid}/limits`);
  };
  await here.run(COUNT); // warm: it has confined itself
  await here.run(COUNT, { onStart });
  const user = Deno.uid() === 0 ? WORKER_USER : Deno.uid();
  assert.match(status, new RegExp(`^Uid:\\s+${user}\\s+${user}\\s+${user}\\s`, "m"));
  assert.match(status, /^NoNewPrivs:\s+1$/m);
  assert.match(limits, /^Max core file size +0 +0 /m);
  const dataBytes = Number(/^Max data size +(\d+) +\d+ /m.exec(limits)?.[1]);
  const heldBytes = Number(/^VmData:\s+(\d+) kB/m.exec(status)?.[1]) * 1_024;
  // What it held when it bounded itself is what it holds now, but for what it has given back since.
  assert(dataBytes > heldBytes && dataBytes < heldBytes + 640 * 2 ** 20, `${dataBytes}`);
});

Deno.test("a worker reads what lies in memory while the disk is full, whoever it is", async () => {
  await using here = await host();
  const spare = await makeSpareFolder(here.folder);
  try {
    const path = `${spare}/now.parquet`;
    await Deno.copyFile(here.logs, path);
    assert.equal(shippedBy(await here.run(COUNT, { logs: path })).rows, 2);
    assert.equal(await makeSpareFolder(here.folder), spare); // it is ours as before
  } finally {
    await Deno.remove(spare, { recursive: true });
  }
});

Deno.test("where a umask hides the store from others, workers stay who the agent is", async () => {
  const before = Deno.umask(0o027);
  try {
    await using here = await host();
    let status = "";
    await here.run(COUNT, {
      onStart: (pid) => status = Deno.readTextFileSync(`/proc/${pid}/status`),
    });
    assert.match(status, new RegExp(`^Uid:\\s+${Deno.uid()}\\s`, "m"));
    await here.run(COUNT);
  } finally {
    Deno.umask(before);
  }
});

Deno.test("SQL that takes too much memory gets an error, and the next query its answer", async () => {
  await using here = await host();
  for (
    const sql of [
      "SELECT length(repeat('a', 4000000000))",
      "SELECT sum(length(repeat(request, 100000))) FROM logs",
      "SELECT len(list(repeat(request, 100))) FROM logs, range(1000)",
    ]
  ) {
    await assert.rejects(here.run(sql), sql);
    assert.equal(shippedBy(await here.run(COUNT)).rows, 2);
  }
});

Deno.test("what a query took is given back: the next one of the same worker has room", async () => {
  await using here = await host();
  const held = async (sql: string) => {
    let pid = 0;
    await here.run(sql, { onStart: (at) => pid = at });
    await here.run(COUNT); // its engine is another one by now
    return Number(/^VmData:\s+(\d+) kB/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1]);
  };
  const before = await held(COUNT);
  const sorted = await held(
    `SELECT max(place) AS n FROM (SELECT row_number() OVER (ORDER BY t) AS place
     FROM (SELECT repeat(chr(97 + (i % 26)::INT), 150) || i AS t FROM range(700000) AS r(i)))`,
  );
  assert(sorted - before < 64_000, `${sorted - before} kB more`);
});

Deno.test("what is hard to plan ends, and the agent has not even noticed", async () => {
  await using here = await host();
  const plan = (sql: string) =>
    here.workers.use(never(), (worker) => {
      const request = { sql, tables: accessTables("logs"), now: "2026-11-22T20:00:00Z" };
      return worker.plan({ ...request, range: ALL, rowsMax: 1e6 }, never());
    });
  let doubled = "SELECT 1 AS x";
  for (let i = 0; i < 20; i++) doubled = `SELECT {a: x, b: x} AS x FROM (${doubled})`;
  await assert.rejects(plan(doubled), { code: "bad_sql", message: /longer than \d s to plan/ });
  await assert.rejects(plan("SELECT * FROM range(length(repeat('a', 4000000000)))"));
  assert.equal((await plan("SELECT count(*) FROM logs")).mode, "aggregate");
});

/** DuckDB does not look for interrupts in it, and it takes hours. */
const UNSTOPPABLE = "SELECT levenshtein(repeat('a', 1000000), repeat('b', 1000000))";
const STOPPABLE = "SELECT count(*) FROM range(1000000000000) a, range(1000000000000) b";

Deno.test("what runs too long is interrupted, and killed where that does not help", async () => {
  await using here = await host();
  for (const sql of [STOPPABLE, UNSTOPPABLE]) {
    await assert.rejects(here.run(sql, { signal: AbortSignal.timeout(300) }), { code: "timeout" });
    assert.equal(shippedBy(await here.run(COUNT)).rows, 2);
  }
});

Deno.test("a cancelled query ends at once", async () => {
  await using here = await host();
  const cancel = new AbortController();
  const onStart = () => void setTimeout(() => cancel.abort(), 100);
  await assert.rejects(here.run(STOPPABLE, { signal: cancel.signal, onStart }), {
    code: "cancelled",
  });
  await assert.rejects(here.run(COUNT, { signal: cancel.signal }), { code: "cancelled" });
});

Deno.test("a worker that dies fails its query only", async () => {
  await using here = await host();
  const onStart = (pid: number) => void setTimeout(() => Deno.kill(pid, "SIGKILL"), 300);
  await assert.rejects(here.run(STOPPABLE, { onStart }), {
    code: "internal",
    message: /process ended \(SIGKILL\)/,
  });
  const crash = "SELECT json_structure(repeat('[', 3000000) || repeat(']', 3000000))";
  await assert.rejects(here.run(crash));
  assert.equal(shippedBy(await here.run(COUNT)).rows, 2);
});

Deno.test("an idle worker that dies is replaced", async () => {
  await using here = await host();
  let idle = 0;
  await here.run(COUNT, { onStart: (pid) => idle = pid });
  Deno.kill(idle, "SIGKILL");
  await eventually(() => here.run(COUNT));
});

Deno.test("two queries run, sixteen wait in order, one more is turned away", async () => {
  await using here = await host();
  const gate = Promise.withResolvers<void>();
  const order: number[] = [];
  const enter = (i: number, signal = never()) =>
    here.workers.use(signal, async () => {
      order.push(i);
      await gate.promise;
    });
  const running = Array.from({ length: 18 }, (_, i) => enter(i));
  const details = { rule: "waiting" };
  await assert.rejects(enter(18), { code: "unavailable", message: /Busy/, details });
  assert.deepEqual(order, [0, 1]);
  gate.resolve();
  await Promise.all(running);
  assert.deepEqual(order, Array.from({ length: 18 }, (_, i) => i));
});

Deno.test("who gives up waiting leaves the queue", async () => {
  await using here = await host();
  const gate = Promise.withResolvers<void>();
  const hold = () => here.workers.use(never(), () => gate.promise);
  const running = [hold(), hold()];
  const impatient = here.workers.use(AbortSignal.timeout(50), () => Promise.resolve());
  await assert.rejects(impatient, { code: "timeout" });
  gate.resolve();
  await Promise.all(running);
  assert.equal(shippedBy(await here.run(COUNT)).rows, 2);
});

Deno.test("a worker ends when the agent's end of its stdin does, whatever it is doing", async () => {
  await using folder = await TempFolder.make();
  const settings: WorkerSettings = {
    spill_folder: folder.join("spill"),
    spill_bytes_max: 2 ** 30,
    memory_bytes: 512 * 2 ** 20,
    file_bytes_max: 2 ** 30,
    user: null,
    library: libraryPath(),
    arrow: false,
  };
  const self = selfCommand([WORKER_COMMAND, JSON.stringify(settings)]);
  const child = new Deno.Command(self.command, {
    args: self.args,
    stdin: "piped",
    stdout: "null",
  }).spawn();
  const query: WorkerQuery = {
    views: [],
    files: [],
    output: {
      kind: "partials",
      partials: [{ table: "logs", sql: UNSTOPPABLE }],
      caps: { rows_max: 1, bytes_max: 1 },
    },
    result_folder: folder.path,
  };
  await ReadableStream.from([JSON.stringify({ kind: "query", query }) + "\n"])
    .pipeThrough(new TextEncoderStream()).pipeTo(child.stdin);
  assert.equal((await child.status).code, 0);
});
