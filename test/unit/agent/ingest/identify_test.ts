/** Telling what a file is while its original is emptied: copytruncate does so at any moment. */
import assert from "node:assert/strict";
import { FormerGenerations } from "../../../../agent/ingest/former.ts";
import { History } from "../../../../agent/ingest/history.ts";
import { identify } from "../../../../agent/ingest/identify.ts";
import { generationFrom, newGeneration, openFileInfo } from "../../../../agent/ingest/identity.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";
import { text } from "./tail_scene.ts";

/** Calls of the original's handle in one look, with some to spare: after the last nothing is emptied. */
const CALLS = 40;

for (
  const { name, lines, copied } of [
    { name: "small", lines: 4, copied: 4 },
    { name: "small that lacks the last lines", lines: 6, copied: 4 },
    { name: "large", lines: 40, copied: 40 },
    { name: "large that lacks the last lines", lines: 40, copied: 30 },
  ]
) {
  Deno.test(`whenever its original is emptied, a copy is no file of its own: ${name}`, async () => {
    const kinds = new Set<string>();
    for (let call = 0; call < CALLS; call++) {
      await using folder = await TempFolder.make();
      kinds.add(await kindOfCopy(folder, { lines, copied, emptiedAt: call }));
    }
    assert.ok(!kinds.has("new"), [...kinds].join());
    assert.ok(kinds.size > 1, "emptied in time, and too late to matter");
  });
}

/** What a copy of the first lines is said to be when its original is emptied before a call of its handle. */
async function kindOfCopy(
  folder: TempFolder,
  { lines, copied, emptiedAt }: { lines: number; copied: number; emptiedAt: number },
): Promise<string> {
  const path = folder.join("access.log");
  const copy = folder.join("access.log.1");
  await Deno.writeTextFile(path, text(lines));
  await Deno.writeTextFile(copy, text(copied));
  using original = await Deno.open(path);
  using handle = await Deno.open(copy);
  const info = await openFileInfo(path, original);
  const file = await openFileInfo(copy, handle);
  assert.ok(info !== null && file !== null);
  const nowMs = file.mtimeMs;
  const fresh = newGeneration("logs", info, nowMs);
  const generation = await generationFrom(original, text(lines).length, fresh);
  emptyBefore(original, path, emptiedAt);
  const identity = await identify({ file, handle, copyOf: generation.id, nowMs }, {
    history: new History([generation]),
    former: new FormerGenerations([]),
    marks: () => [],
    mayBeginWith: () => true,
    withOriginal: (_, use) => use(original),
  });
  return identity.kind;
}

/** Empties a file before its handle is used for the given time. */
function emptyBefore(handle: Deno.FsFile, path: string, emptiedAt: number) {
  let calls = 0;
  for (const method of ["stat", "seek", "read"] as const) {
    const call = handle[method].bind(handle) as (...values: unknown[]) => Promise<unknown>;
    const emptying = async (...values: unknown[]) => {
      if (calls++ === emptiedAt) await Deno.truncate(path);
      return await call(...values);
    };
    Object.defineProperty(handle, method, { value: emptying });
  }
}
