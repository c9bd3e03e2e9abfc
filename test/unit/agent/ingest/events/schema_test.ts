/** Columns that appear and widen while lines come: what SQL sees, and the files made up again. */
import assert from "node:assert/strict";
import { databasePath } from "../../../../../agent/store/database/database.ts";
import type { Store } from "../../../../../agent/store/store.ts";
import { TempFolder } from "../../../../harness/temp_folder.ts";
import { restored } from "../../restore/restored.ts";
import { ask, configured, openStream, readInto } from "./scene.ts";

const JSON_STREAM = configured({ format: "json" });

/** A log that grows, and what becomes of it in a store that may be opened again. */
class Scene implements AsyncDisposable {
  private text = "";
  private lines = 0;

  private constructor(
    private readonly folder: TempFolder,
    private readonly stream: ReturnType<typeof configured>,
    public store: Store,
  ) {}

  static async make(stream = JSON_STREAM): Promise<Scene> {
    const folder = await TempFolder.make();
    return new Scene(folder, stream, await openStream(folder.join("data"), stream));
  }

  /** Writes and reads lines of one hour; a member list each. Their number is in front. */
  async add(...members: string[]) {
    const head = () => `{"i":${this.lines++},"time":"2026-11-23T09:10:11Z"`;
    await this.addLines(members.map((list) => `${head()},${list}}`));
  }

  async addLines(lines: readonly string[]) {
    this.text += lines.map((line) => `${line}\n`).join("");
    const path = await this.folder.write("any.log", this.text);
    return await readInto(this.store, this.stream, path);
  }

  /** What a stop and a start of the agent do; `whileDown` is done between. */
  async restart(whileDown: (dataDir: string) => Promise<void> = () => Promise.resolve()) {
    await this.store[Symbol.asyncDispose]();
    await whileDown(this.folder.join("data"));
    this.store = await openStream(this.folder.join("data"), this.stream);
  }

  /** Columns without those that every row has, and rows in the order of the lines. */
  async rows(select = "* EXCLUDE (i, ts, host, region, line, line_bytes)") {
    const order = this.lines > 0 && select.startsWith("*") ? "ORDER BY i" : "";
    const { columns, rows } = await ask(this.store, `SELECT ${select} FROM logs ${order}`);
    return { types: Object.fromEntries(columns.map(({ name, type }) => [name, type])), rows };
  }

  /** All lines of the store are those of the log. */
  async checkRestored() {
    await this.store.flush();
    const [hex = ""] = (await restored(this.folder.join("data"))).values();
    assert.equal(new TextDecoder().decode(Uint8Array.fromHex(hex)), this.text);
    const { rows } = await ask(this.store, "SELECT line FROM logs");
    assert.deepEqual(
      rows.map(([line]) => String(line)).toSorted(),
      this.text.trimEnd().split("\n").toSorted(),
    );
  }

  async where(condition: string): Promise<string[]> {
    const dataDir = this.folder.join("data");
    const [hex = ""] = (await restored(dataDir, { where: condition })).values();
    return new TextDecoder().decode(Uint8Array.fromHex(hex)).trimEnd().split("\n");
  }

  async [Symbol.asyncDispose]() {
    await this.store[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
  }
}

type Step = (scene: Scene) => Promise<unknown>;

/** What may come between two lines of one log. */
const BETWEEN: Record<string, Step> = {
  "nothing: all in memory": () => Promise.resolve(),
  "a flush": ({ store }) => store.flush(),
  "a seal": ({ store }) => store.flush().then(() => store.sealAll()),
  "a restart": (scene) => scene.restart(),
  "the loss of agent.db": (scene) => scene.restart((path) => Deno.remove(databasePath(path))),
  "a seal and the loss of agent.db": async (scene) => {
    await BETWEEN["a seal"]?.(scene);
    await BETWEEN["the loss of agent.db"]?.(scene);
  },
};

for (const [name, between] of Object.entries(BETWEEN)) {
  Deno.test(`columns appear and widen over ${name}`, async () => {
    await using scene = await Scene.make();
    const steps = [
      ['"a":1,"b":true,"c":1,"d":1.50', '"a":2,"b":false,"c":2,"d":-0.0'],
      ['"a":2.5,"b":"yes","c":"x"', '"a":3.5,"b":null,"new":"one"'],
      ['"a":"text","d":"text"', '"a":900719925474099312345,"New":2'],
      ['"a":4,"b":true,"d":7'],
    ];
    for (const members of steps) {
      await scene.add(...members);
      await between(scene);
    }
    const { types, rows } = await scene.rows();
    assert.deepEqual(types, {
      a: "VARCHAR",
      b: "VARCHAR",
      c: "VARCHAR",
      d: "VARCHAR",
      new: "VARCHAR",
    });
    assert.deepEqual(rows.map((row) => [row[0], row[1], row[2], row[4]]), [
      ["1", "true", "1", null],
      ["2", "false", "2", null],
      ["2.5", "yes", "x", null],
      ["3.5", null, null, "one"],
      ["text", null, null, null],
      ["900719925474099312345", null, null, "2"],
      ["4", "true", null, null],
    ]);
    await scene.checkRestored();
  });
}

for (const [name, between] of Object.entries(BETWEEN)) {
  Deno.test(`numbers that become texts read as in their lines over ${name}`, async () => {
    await using scene = await Scene.make();
    // The first line of a form is kept whole: of that a number reads as DuckDB writes it, mostly.
    const numbers = ["1.50", "2.50", "3", "4", "5.0", "-0.0", "0.00002", "0.00003", "7.25", "-8.5"];
    const read = ["1.5", "2.50", "3", "4", "5.0", "-0.0", "2e-05", "0.00003", "7.25", "-8.5"];
    await scene.add(...numbers.map((number) => `"d":${number}`));
    await between(scene);
    await scene.add('"d":"text"', '"d":3.0');
    const { types, rows } = await scene.rows();
    assert.deepEqual(types, { d: "VARCHAR" });
    assert.deepEqual(rows.flat(), [...read, "text", "3.0"]);
    await scene.checkRestored();
    const asText = await scene.rows("d, d = '4' AS is_four");
    assert.deepEqual(asText.rows.filter(([, isFour]) => isFour), [["4", true]]);
  });
}

Deno.test("whole numbers become others: sums are right, old rows are NULL where nothing was", async () => {
  await using scene = await Scene.make();
  await scene.add('"n":1', '"n":2');
  await scene.store.flush();
  await scene.add('"n":0.5', '"m":7');
  const { types, rows } = await scene.rows("sum(n) AS n, count(n)::INT AS of_n, sum(m)::INT AS m");
  assert.deepEqual(types, { n: "DOUBLE", of_n: "INTEGER", m: "INTEGER" });
  assert.deepEqual(rows, [[3.5, 3, 7]]);
  assert.deepEqual(await scene.where("n >= 1").then((lines) => lines.length), 2);
  await scene.checkRestored();
});

Deno.test("more columns and layouts than there is room for: the rest is in the line", async () => {
  await using scene = await Scene.make();
  await scene.add(...Array.from({ length: 300 }, (_, i) => `"key${i}":${i}`));
  const pairs = Array.from({ length: 100 }, (_, i) => `"key${i}":1,"key${i + 1}":2`);
  await scene.add(...pairs, ...pairs);
  const { fields, layouts } = scene.store.shape("logs");
  assert.deepEqual([fields.length, layouts.length], [250, 64]);
  const { rows: [sums] } = await scene.rows("sum(key0 + key1)::INT, sum(key248)::INT");
  assert.deepEqual(sums, [2 * (1 + 2), 248]);
  await scene.checkRestored();
});

Deno.test("a line whose column is new does not make a layout by itself", async () => {
  await using scene = await Scene.make();
  await scene.add(...Array.from({ length: 70 }, (_, i) => `"key${i}":${i}`));
  assert.deepEqual(scene.store.shape("logs").layouts, []);
  await scene.checkRestored();
});

Deno.test("odd objects: deep, empty, with doubled keys, with keys of every sort", async () => {
  await using scene = await Scene.make();
  const deep = `${"[".repeat(10_000)}${"]".repeat(10_000)}`;
  const long = "k".repeat(5_000);
  const lines = [
    `{"deep":${deep}}`,
    "{}",
    " { } ",
    '{"a":1,"a":2,"A":3}',
    '{"a":""}',
    '{"host":"h","layout":"l","ts_arrival":"t","constructor":"c","__proto__":"p"}',
    `{"${long}":1,"b\\u0000":"\\u0000","\\ud800":"\\udfff","":1}`,
    '{"b":"\\u0000"}',
    `{"b":"${"x".repeat(100_000)}"}`,
  ];
  await scene.addLines([...lines, ...lines, ...lines]);
  await scene.checkRestored();
  const { rows } = await scene.rows(
    "log_host, log_layout, log_ts_arrival, log_constructor, log___proto__",
  );
  assert.deepEqual(rows[5], ["h", "l", "t", "c", "p"]);
  const { rows: [[a, b, length] = []] } = await scene.rows(
    "max(a), count(b)::INT, max(length(deep))::INT",
  );
  assert.deepEqual([a, b, length], ["1", 6, deep.length]);
});

Deno.test("a drop rule on a field holds before and after the field is there, whatever its type", async () => {
  const stream = configured({
    format: "json",
    drop: [{ name: "debug", when: "level = 'debug' OR n = '7'" }],
  });
  await using scene = await Scene.make(stream);
  await scene.addLines(['{"msg":"a"}', '{"level":"info"}', '{"level":"debug"}']);
  await scene.addLines(['{"n":7}', '{"n":6}', '{"n":6.5}', '{"n":"x"}', '{"n":7}']);
  await scene.store.flush();
  await scene.addLines(['{"level":3,"n":8}', '{"level":"debug","z":1}']);
  const { rows } = await scene.rows("line");
  assert.deepEqual(rows.map(([line]) => line), [
    '{"msg":"a"}',
    '{"level":"info"}',
    '{"n":6}',
    '{"n":6.5}',
    '{"n":"x"}',
    '{"level":3,"n":8}',
  ]);
});

Deno.test("a drop rule on access logs holds where another format made other types of their columns", async () => {
  await using folder = await TempFolder.make();
  const json = '{"time":"2026-11-23T09:10:11Z","status":"x","Body_bytes_sent":1.5}\n';
  const combined = (status: number) =>
    `10.0.0.1 - - [23/Nov/2026:09:00:01 +0000] "GET /a HTTP/1.1" ${status} ${status} "-" "x"\n`;
  const drop = [{ name: "errors", when: "status = 500 AND body_bytes_sent = 500" }];
  const files = [
    { config: { format: "json" }, text: json },
    { config: { format: "combined", drop }, text: [200, 500, 404, 500].map(combined).join("") },
  ];
  for (const { config, text } of files) {
    const stream = configured(config);
    await using store = await openStream(folder.join("data"), stream);
    await readInto(store, stream, await folder.write(`${config.format}.log`, text));
    if (config.format === "json") continue;
    const { rows } = await ask(store, "SELECT status, body_bytes_sent FROM logs");
    assert.deepEqual(rows, [["x", 1.5], ["200", 200], ["404", 404]]);
  }
});

Deno.test("a redacted field is nowhere: its name in any case, twice in a line, nested or a number", async () => {
  const stream = configured({
    format: "json",
    redact: [
      { field: "userName", by: "mask" },
      { field: "pin", by: "mask" },
      { pattern: "token-\\w+", by: "mask" },
    ],
  });
  await using scene = await Scene.make(stream);
  const lines = [
    '{"userName":"SECRET","a":1}',
    '{"username":"SECRET","a":1}',
    '{"userName":"x","userName":"SECRET"}',
    '{"userName":"x","USERNAME":"SECRET"}',
    '{"userName":{"is":"SECRET"}}',
    String.raw`{"userName":"\u0041SECRET","pin":4711}`,
    '{"pin":4711.50,"msg":"token-SECRET"}',
    '{"pin":"4711","userName":"\uFEFFSECRET"}',
  ];
  await scene.addLines([...lines, ...lines, ...lines]);
  await scene.store.flush();
  const { rows } = await scene.rows("line, COLUMNS(* EXCLUDE (line, line_bytes, ts))::VARCHAR");
  const all = JSON.stringify([rows, scene.store.shape("logs")]);
  assert.doesNotMatch(all, /SECRET|4711/);
  assert.equal(rows.length, 3 * lines.length);
  assert.equal(rows[0]?.[0], '{"userName":"***","a":1}');
});

Deno.test("JSON stays JSON where a number, a flag or a nested value was replaced", async () => {
  const stream = configured({
    format: "json",
    redact: [
      { field: "pin", by: "mask" },
      { field: "who", by: "mask" },
      { pattern: "47\\d+", by: "mask" },
    ],
  });
  await using scene = await Scene.make(stream);
  const lines = [
    '{"pin":11,"a":1}',
    '{ "pin" : 1.50 , "who":{"is":["x"]}}',
    '{"pin":true,"who":"name"}',
    '{"n":4711,"list":[1,4712,{"m":-4713}],"text":"a 4714"}',
    '{"pin":12,"pin":13,"n":null}',
  ];
  await scene.addLines([...lines, ...lines, ...lines]);
  await scene.store.flush();
  const { rows } = await scene.rows("line");
  const kept = rows.map(([line]) => String(line));
  assert.deepEqual(kept.slice(0, 5).map((line) => JSON.parse(line)), [
    { pin: "***", a: 1 },
    { pin: "***", who: "***" },
    { pin: "***", who: "***" },
    { n: "***", list: [1, "***", { m: "-***" }], text: "a ***" },
    { pin: "***" },
  ]);
  assert.equal(kept[1], '{ "pin" : "***" , "who":"***"}');
  assert.deepEqual(kept.slice(5), [...kept.slice(0, 5), ...kept.slice(0, 5)]);
  const { rows: [[rejects] = []] } = await ask(
    scene.store,
    "SELECT count(*)::INT FROM rejects",
    "rejects",
  );
  assert.equal(rejects, 0);
});

Deno.test("a stream of another format than before keeps the columns, the rows and the lines of before", async () => {
  await using folder = await TempFolder.make();
  const dataDir = folder.join("data");
  const texts: Record<string, string> = {
    json: '{"ts":"2026-11-23T09:00:00Z","status":"x","request":5,"Remote_addr":true,"own":1}\n',
    combined: '10.0.0.1 - - [23/Nov/2026:09:00:01 +0000] "GET /a HTTP/1.1" 200 7 "-" "x y"\n',
    logfmt: "ts=2026-11-23T09:00:02Z status=1 body_bytes_sent=x\n",
  };
  for (const [format, line] of Object.entries(texts)) {
    const stream = configured({ format });
    await using store = await openStream(dataDir, stream);
    await readInto(store, stream, await folder.write(`${format}.log`, line.repeat(3)));
    if (format === "combined") await store.flush().then(() => store.sealAll());
    if (format !== "logfmt") continue;
    const { rows } = await ask(
      store,
      `SELECT DISTINCT status, request, remote_addr, body_bytes_sent, own, ts FROM logs ORDER BY ts`,
    );
    assert.deepEqual(rows.map((row) => row.slice(0, 5).map((value) => value && String(value))), [
      ["x", "5", "true", null, "1"],
      ["200", "/a", "10.0.0.1", "7", null],
      ["1", null, null, "x", null],
    ]);
  }
  for (const [path, hex] of await restored(dataDir)) {
    const [, format = ""] = /(\w+)\.log$/.exec(path) ?? [];
    assert.equal(new TextDecoder().decode(Uint8Array.fromHex(hex)), texts[format]?.repeat(3));
  }
});
