/** Lines of every format of events, and of no format: what is stored makes up every file again. */
import assert from "node:assert/strict";
import { fc } from "../../../../harness/properties.ts";
import { TempFolder } from "../../../../harness/temp_folder.ts";
import { restored } from "../../restore/restored.ts";
import { damaged, EVENT_FORMATS } from "./any_event.ts";
import { ask, configured, openStream, readInto } from "./scene.ts";
import { SEED, times } from "../../../../harness/seed.ts";

const COUNT = times(600);

for (const [name, { config, line }] of Object.entries(EVENT_FORMATS)) {
  Deno.test(`${name}: ${COUNT} lines of any kind come back byte for byte (LOGVEND_SEED=${SEED})`, async () => {
    const stream = configured(config);
    const lines = fc.sample(damaged(line), COUNT);
    await using folder = await TempFolder.make();
    const dataDir = folder.join("data");
    const half = COUNT >> 1;
    const files = [lines.slice(0, half), lines.slice(half)];
    const wanted = new Map<string, string>();
    for (const [i, of] of files.entries()) {
      const path = folder.join(`${i}.log`);
      // Three starts of the agent: part of the file, more of it, a line without its end.
      for (const part of [0.1, 0.5, 1]) {
        await using store = await openStream(dataDir, stream);
        const bytes = fileOf(of.slice(0, Math.ceil(of.length * part)), part < 1);
        await Deno.writeFile(path, bytes);
        await readInto(store, stream, path);
        if (part === 0.5) await store.flush();
        if (part === 0.5 && i === 1) await store.sealAll();
        wanted.set(path, bytes.toHex().toUpperCase());
      }
    }
    await checkRestored(dataDir, wanted);
    await using store = await openStream(dataDir, stream);
    await store.sealAll();
    await checkRestored(dataDir, wanted);
    const { rows: [counts] } = await ask(store, "SELECT count(*)::INT, count(line)::INT FROM logs");
    assert.equal(counts?.[0], counts?.[1]);
    assert(Number(counts?.[0]) > COUNT / 8, `only ${counts?.[0]} rows`);
  });
}

async function checkRestored(dataDir: string, wanted: ReadonlyMap<string, string>) {
  const found = await restored(dataDir);
  for (const [path, hex] of wanted) {
    assert.deepEqual(linesOf(found.get(path) ?? ""), linesOf(hex), path);
  }
}

function fileOf(lines: readonly Uint8Array[], endsWhole: boolean): Uint8Array<ArrayBuffer> {
  const bytes = lines.flatMap((line) => [...line, 0x0a]);
  return new Uint8Array(endsWhole ? bytes : bytes.slice(0, -1));
}

/** Latin 1, for the eye. */
function linesOf(hex: string): string[] {
  return new TextDecoder("latin1").decode(Uint8Array.fromHex(hex)).split("\n");
}
