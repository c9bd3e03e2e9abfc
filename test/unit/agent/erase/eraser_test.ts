import assert from "node:assert/strict";
import { basename, join } from "node:path";
import { accountReport } from "../../../../agent/account/report.ts";
import { closingLine } from "../../../../agent/account/text.ts";
import { readQueryLog } from "../../../../agent/query_log/query_log.ts";
import { openDatabase } from "../../../../agent/store/database/database.ts";
import { QUARANTINE } from "../../../../agent/store/files/keeper.ts";
import { readBooks } from "../../../../agent/store/files/stored_files.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";
import { restored } from "../restore/restored.ts";
import { copy } from "../store/scene.ts";
import { ADDRESS, eraseSigner, erasingHost, hourLines, REJECTED } from "./scene.ts";

const { signal } = new AbortController();

/** All lines that a data folder gives back, in their order. */
async function linesOf(dataDir: string): Promise<string[]> {
  const texts = [...(await restored(dataDir)).values()];
  return texts.flatMap((hex) =>
    new TextDecoder().decode(Uint8Array.fromHex(hex)).trimEnd().split("\n")
  );
}

/** Whether the account of a data folder adds up, and its last line. */
function account(dataDir: string): string {
  return closingLine(accountReport(readBooks(dataDir), ["logs"], () => true));
}

const without = (lines: readonly string[]) => lines.filter((line) => !line.startsWith(ADDRESS));

/** What a kill at this very moment would leave: copied before anything else happens. */
function copyNow(
  dataDir: string,
  moments: TempFolder[],
  stack: AsyncDisposableStack,
): Promise<void> {
  const to = Deno.makeTempDirSync();
  const { success } = new Deno.Command("cp", {
    args: ["-r", dataDir, `${to}/data-web-1`],
  }).outputSync();
  assert.ok(success);
  return TempFolder.make().then(async (folder) => {
    await copy(to, folder.path);
    await Deno.remove(to, { recursive: true });
    moments.push(stack.use(folder));
  });
}

/** Every byte of a data folder but for agent.db's: names of files, and whether they hold a text. */
async function filesWith(folder: string, text: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) found.push(...await filesWith(path, text));
    else if (
      !name.startsWith("agent.db") && (await Deno.readFile(path)).toHex()
        .includes(new TextEncoder().encode(text).toHex())
    ) found.push(path);
  }
  return found;
}

/** Names of the damaged files that are kept. */
async function setAside(dataDir: string): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(join(dataDir, QUARANTINE))).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  });
  return entries.map(({ name }) => name);
}

Deno.test("rows in memory, parts, chunks and rejects go; what is left comes back, and the account says so", async () => {
  await using folder = await TempFolder.make();
  const { sign } = await eraseSigner();
  const all = [0, 1, 2].flatMap((hour) => hourLines(hour));
  let dataDir = "";
  {
    await using host = await erasingHost(folder);
    dataDir = host.dataDir;
    await host.write(hourLines(0));
    await host.store.flush();
    await host.store.sealAll();
    await host.write(hourLines(1, 25).slice(0, 25));
    await host.store.flush();
    await host.write(hourLines(1).slice(25));
    await host.write(hourLines(2));
    const erasure = await sign();
    assert.equal(host.eraser.progress(erasure.id), null);
    assert.ok(host.eraser.add(erasure));
    assert.ok(host.eraser.add(erasure), "it may be told again");
    assert.equal(host.store.erasures.count(), 1);
    assert.equal(host.eraser.progress(erasure.id)?.state, "working");
    assert.equal(await host.eraser.work(signal), 0);
    assert.equal(host.eraser.progress(erasure.id)?.rows, 16);
    const after = hourLines(2);
    const wanted = [...without([...hourLines(0), ...hourLines(1)]), ...after];
    await host.store.flush();
    assert.deepEqual(await linesOf(dataDir), wanted);
    assert.match(
      account(dataDir),
      /^adds up: 156 lines read = 136 stored \+ 4 rejected \+ 0 dropped \+ 16 erased$/,
    );
  }
  assert.equal(all.length, 156);
  const database = openDatabase(dataDir, { readOnly: true });
  const [logged] = readQueryLog(database);
  database.close();
  assert.match(logged?.sql ?? "", /^ERASE FROM logs WHERE ts >= '2026-11-22T18:00.*remote_addr = /);
  assert.equal(logged?.state, "complete");
});

Deno.test("no file holds the erased text any more, also none that was set aside", async () => {
  await using folder = await TempFolder.make();
  const { sign } = await eraseSigner();
  await using host = await erasingHost(folder);
  await host.write(hourLines(0));
  await host.store.flush();
  await host.store.sealAll();
  await host.write([...hourLines(1)]);
  await using _open = await host.store.snapshot({ tables: ["logs"], since: null, until: null });
  const [chunk] = readBooks(host.dataDir).files.filter(({ stream }) => stream === "logs");
  const path = join(host.dataDir, chunk?.path ?? "");
  const bytes = await Deno.readFile(path);
  bytes[200] = (bytes[200] ?? 0) ^ 1;
  await Deno.writeFile(path, bytes);
  host.eraser.add(await sign());
  await host.eraser.work(signal);
  await _open[Symbol.asyncDispose]();
  assert.deepEqual(await setAside(host.dataDir), []);
  assert.deepEqual(await filesWith(host.dataDir, ADDRESS), []);
});

Deno.test("a damaged chunk that comes after an erasure is done goes as a whole; one that it was applied to is set aside", async () => {
  await using folder = await TempFolder.make();
  const { sign } = await eraseSigner();
  await using host = await erasingHost(folder);
  const { store, dataDir, eraser } = host;
  await host.write(hourLines(0));
  eraser.add(await sign());
  await eraser.work(signal);
  const chunks = () => readBooks(dataDir).files.filter(({ stream }) => stream === "logs");
  const damage = async (path: string) => {
    const bytes = await Deno.readFile(join(dataDir, path));
    bytes[200] = (bytes[200] ?? 0) ^ 1;
    await Deno.writeFile(join(dataDir, path), bytes);
  };
  const [clean] = chunks();
  await host.write(hourLines(1));
  await store.flush();
  await store.sealAll();
  const late = chunks().find(({ path }) => path !== clean?.path);
  assert.match(clean?.path ?? "", /_/);
  assert.ok(late);
  await damage(late.path);
  assert.equal(await eraser.work(signal), 0);
  assert.deepEqual(await filesWith(dataDir, ADDRESS), []);
  assert.deepEqual(await setAside(dataDir), []);
  await damage(clean?.path ?? "");
  await store.keeper.verify(chunks());
  assert.deepEqual(
    await setAside(dataDir),
    [basename(clean?.path ?? "")],
    "nothing erased is in it",
  );
});

Deno.test("a file that nobody can read and that a start finds goes where an erasure may mean its rows", async () => {
  await using folder = await TempFolder.make();
  const { sign } = await eraseSigner();
  let other = "";
  {
    await using host = await erasingHost(folder);
    await host.write(hourLines(0));
    host.eraser.add(await sign());
    await host.eraser.work(signal);
    const chunk = readBooks(host.dataDir).files.find(({ kind, stream }) =>
      kind === "chunk" && stream === "logs"
    );
    other = (chunk?.path ?? "").replace(
      /[0-9a-f]{16}(_\w+)?\.parquet$/,
      "fedcba9876543210.parquet",
    );
    await Deno.writeTextFile(join(host.dataDir, other), `${ADDRESS} and no Parquet`);
  }
  await using host = await erasingHost(folder);
  assert.deepEqual(await filesWith(host.dataDir, ADDRESS), []);
});

Deno.test("a range goes whole, with its rejects; what does not select the host is left alone", async () => {
  await using folder = await TempFolder.make();
  const { sign } = await eraseSigner();
  await using host = await erasingHost(folder);
  await host.write([0, 1].flatMap((hour) => hourLines(hour)));
  const elsewhere = await sign({ selector: "host = web-2" });
  assert.equal(host.eraser.add(elsewhere), false);
  const range = await sign({ where: "", columns: [], until: "2026-11-22T19:00:00.000Z" });
  host.eraser.add(range);
  await host.eraser.work(signal);
  const endUs = Date.parse("2026-11-22T19:00:00Z") * 1_000;
  const again = host.store.windowBook.touched().at(-1);
  assert.ok(again?.stream === "logs" && again.toUs < endUs, "its windows are counted again");
  assert.deepEqual(host.eraser.progress(range.id), {
    ...{ id: range.id, state: "done", rows: 52, chunks: 2, archived: 0, reason: null },
  });
  assert.deepEqual(await linesOf(host.dataDir), hourLines(1));
  const erasedOf = host.store.totals().outcomes.map(({ outcome, reason, lines }) =>
    `${lines} ${outcome} ${reason}`.trim()
  );
  assert.deepEqual(erasedOf.sort(), ["100 stored", "4 rejected no_format", "52 erased"]);
  assert.match(account(host.dataDir), /^adds up: 104 lines read = 50 .* 2 rejected .* 52 erased$/);
});

Deno.test("an empty text tells no rejected line from another: none goes", async () => {
  await using folder = await TempFolder.make();
  const { sign } = await eraseSigner();
  await using host = await erasingHost(folder);
  await host.write(hourLines(0));
  const columns = [{ name: "remote_addr", type: "VARCHAR" }, {
    name: "remote_user",
    type: "VARCHAR",
  }];
  host.eraser.add(await sign({ where: "remote_user = ''", columns }));
  host.eraser.add(await sign({ where: `remote_addr IN ('', '${ADDRESS}')`, columns }));
  await host.eraser.work(signal);
  assert.match(account(host.dataDir), /52 lines read = 43 .* 2 rejected .* 7 erased$/);
  assert.deepEqual(await linesOf(host.dataDir), [
    ...without(hourLines(0).slice(0, -2)),
    ...hourLines(0).slice(-2),
  ]);
});

Deno.test("lines that come later are erased before they are archived; a query in flight keeps what it began with", async () => {
  await using folder = await TempFolder.make();
  const { sign } = await eraseSigner();
  await using host = await erasingHost(folder);
  await host.write(hourLines(0));
  await host.store.flush();
  await host.store.sealAll();
  const snapshot = await host.store.snapshot({ tables: ["logs"], since: null, until: null });
  const [file = ""] = snapshot.tables.get("logs")?.files ?? [];
  host.eraser.add(await sign());
  await host.eraser.work(signal);
  assert.ok((await Deno.stat(file)).isFile);
  await snapshot[Symbol.asyncDispose]();
  await assert.rejects(Deno.stat(file), Deno.errors.NotFound);
  const late = hourLines(1);
  await host.write(late);
  await host.store.flush();
  await host.store.sealAll();
  const archived = host.store.archiveBook;
  assert.ok(readBooks(host.dataDir).files.length > 2);
  for (let chunk = archived.next(); chunk !== null; chunk = archived.next()) {
    assert.match(chunk.id, /_/, "only what was looked at may go");
    archived.note(chunk, { sha256: "", bytes: 0 });
  }
  await host.eraser.work(signal);
  assert.notEqual(archived.next(), null);
  assert.deepEqual(await linesOf(host.dataDir), without([...hourLines(0), ...late]));
});

Deno.test("killed at any step, nothing is doubled and the rest is done after the next start", async () => {
  await using folder = await TempFolder.make();
  const { sign } = await eraseSigner();
  const lines = hourLines(0);
  const moments: TempFolder[] = [];
  await using stack = new AsyncDisposableStack();
  {
    await using host = await erasingHost(folder);
    await host.write(lines);
    await host.store.flush();
    host.eraser.add(await sign());
    const keep = async () => {
      const moment = stack.use(await TempFolder.make());
      await copy(folder.path, moment.path);
      moments.push(moment);
    };
    const { store } = host;
    const { sealFor, eraseRows } = store;
    store.sealFor = async (...asked) => {
      await keep();
      await sealFor.apply(store, asked);
      await keep();
    };
    const { replace } = store.erasures;
    const commits: Promise<void>[] = [];
    store.erasures.replace = (...asked) => {
      const before = folder.join("data-web-1");
      commits.push(copyNow(before, moments, stack));
      const isIn = replace.apply(store.erasures, asked);
      commits.push(copyNow(before, moments, stack));
      return isIn;
    };
    store.eraseRows = async (...asked) => {
      const after = await eraseRows.apply(store, asked);
      await keep();
      return after;
    };
    await host.eraser.work(signal);
    await Promise.all(commits);
  }
  assert.ok(moments.length === 8, String(moments.length));
  for (const moment of moments) {
    for (const isLost of [false, true]) {
      await using again = await TempFolder.make();
      await copy(moment.path, again.path);
      const path = again.join("data-web-1");
      if (isLost) {
        for (const end of ["", "-wal", "-shm"]) await Deno.remove(`${path}/agent.db${end}`);
      }
      await using host = await erasingHost(again);
      const found = await linesOf(host.dataDir);
      const left = without(lines);
      assert.deepEqual(without(found), left);
      const extra = found.filter((line) => line.startsWith(ADDRESS));
      assert.ok(extra.length <= lines.length - left.length);
      assert.equal(new Set(extra).size, extra.length, "none is doubled");
      await host.eraser.work(signal);
      if (!isLost) {
        assert.deepEqual(await linesOf(host.dataDir), left);
        assert.match(account(host.dataDir), /^adds up/);
      }
    }
  }
});

Deno.test("a condition that fails on a chunk says so, and the erasure goes on when it can", async () => {
  await using folder = await TempFolder.make();
  const { sign } = await eraseSigner();
  await using host = await erasingHost(folder);
  await host.write(hourLines(0));
  const wrong = await sign({
    where: "CAST(request AS INTEGER) = 1",
    columns: [{ name: "request", type: "VARCHAR" }],
  });
  host.eraser.add(wrong);
  assert.equal(await host.eraser.work(signal), 1);
  const progress = host.eraser.progress(wrong.id);
  assert.equal(progress?.state, "failed");
  assert.match(progress?.reason ?? "", /Could not convert string/);
  const vague = await sign({ where: "random() > 0.5", columns: [] });
  host.eraser.add(vague);
  await host.eraser.work(signal);
  assert.match(host.eraser.progress(vague.id)?.reason ?? "", /each row of logs decides by itself/);
  assert.equal((await linesOf(host.dataDir)).length, hourLines(0).length);
  assert.ok((await linesOf(host.dataDir)).includes(REJECTED));
});

Deno.test("an erasure that comes while hours are sealed on the clock seals none of them twice, and loses none", async () => {
  await using folder = await TempFolder.make();
  const { sign } = await eraseSigner();
  await using host = await erasingHost(folder);
  const { store, dataDir, eraser } = host;
  for (const hour of [0, 1, 2]) await host.write(hourLines(hour));
  await store.flush();
  const erasure = await sign();
  const sealed = await Promise.all([store.sealAll(), store.sealFor(erasure), store.sealAll()]);
  assert.equal(sealed[0].length, 6);
  assert.deepEqual(await linesOf(dataDir), [0, 1, 2].flatMap((hour) => hourLines(hour)));
  const late = hourLines(1, 20);
  await host.write(late);
  await store.flush();
  const sealing = store.sealAll();
  eraser.add(erasure);
  assert.equal(await eraser.work(signal), 0);
  assert.equal(eraser.progress(erasure.id)?.state, "done");
  assert.deepEqual(await linesOf(dataDir), [
    ...without([...hourLines(0), ...hourLines(1)]),
    ...hourLines(2),
    ...without(late),
  ]);
  await sealing;
});
