/** A host with sealed hours, an archive of its chunks, and what lines are in it. */
import { join } from "node:path";
import { Archive } from "../../agent/archive/archive.ts";
import type { ArchiveOptions } from "../../agent/archive/archive.ts";
import { Store } from "../../agent/store/store.ts";
import type { ObjectStore } from "../../protocol/archive/object_store.ts";
import { readObject } from "../../protocol/archive/object_store.ts";
import { ACCESS } from "../../protocol/schema/streams.ts";
import { tableSelect } from "../../protocol/schema/table_sql.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { batch, GENERATION, HOUR_MS, START_MS } from "../unit/agent/store/scene.ts";

const { signal } = new AbortController();

export const LINES_AN_HOUR = 3;

/** A clock that waits move, so that days pass in a moment. */
export class Time {
  nowMs = START_MS + 200 * HOUR_MS;
  readonly waitsMs: number[] = [];

  readonly clock = () => this.nowMs;

  readonly wait = (ms: number, signal: AbortSignal): Promise<void> => {
    if (signal.aborted) return Promise.reject(signal.reason);
    this.waitsMs.push(ms);
    this.nowMs += Math.ceil(ms);
    this.onWait();
    return Promise.resolve();
  };

  /** Called after every wait. */
  onWait = () => {};
}

/** A store, its lines `l00000000` on, and how many there are. */
export interface HostScene extends AsyncDisposable {
  dataDir: string;
  store: Store;
  lines: number;
  /** Three further lines for each of so many hours, sealed. */
  seal(hours: number): Promise<void>;
  /** An archive of its chunks. */
  archive(objects: ObjectStore, more?: Partial<ArchiveOptions>): Archive;
}

/** A host whose retention leaves alone what is not archived. */
export async function makeHost(
  folder: { path: string },
  { clock = () => START_MS + 200 * HOUR_MS, keepsUnarchived = true } = {},
): Promise<HostScene> {
  const dataDir = join(folder.path, "data");
  const store = await Store.open({
    dataDir,
    host: "web-1",
    region: "eu",
    streams: ["logs"],
    sealAfterMs: 120_000,
    isBulk: true,
    keepsUnarchived,
    clock,
    signal,
  });
  store.putGeneration(GENERATION);
  const scene = {
    dataDir,
    store,
    lines: 0,
    async seal(hours: number) {
      for (let i = 0; i < hours; i++) {
        const hourMs = START_MS + (scene.lines / LINES_AN_HOUR) * HOUR_MS;
        await store.append(batch(scene.lines, LINES_AN_HOUR, () => hourMs));
        scene.lines += LINES_AN_HOUR;
      }
      await store.flush();
      await store.sealAll();
    },
    archive: (objects: ObjectStore, more: Partial<ArchiveOptions> = {}) =>
      new Archive({
        objects,
        book: store.archiveBook,
        verified: (chunk) => store.keeper.verifyNow(chunk),
        renew: (chunk) => store.keeper.renew(chunk),
        dataDir,
        host: "web-1",
        everyMs: 3_600_000,
        clock,
        ...more,
      }),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
  return scene;
}

/** The lines that an archive has, sorted: a line that is there twice is there twice. */
export async function archivedLines(objects: ObjectStore): Promise<string[]> {
  await using folder = await TempFolder.make();
  const files: string[] = [];
  for await (const { key } of objects.list("stream=logs/", signal)) {
    files.push(await folder.write(key, await readObject(objects, key, {}, signal)));
  }
  if (files.length === 0) return [];
  await using engine = await Engine.open();
  const select = tableSelect(ACCESS, { files, region: "eu", since: null, until: null });
  await engine.run(`CREATE VIEW logs AS ${select}`);
  const { rows } = await engine.read("SELECT line FROM logs ORDER BY line");
  return rows.map(([line]) => String(line));
}

/** The lines that a host has read, but for some. */
export function writtenLines(count: number, but: readonly number[] = []): string[] {
  return Array.from({ length: count }, (_, i) => i).filter((line) => !but.includes(line))
    .map((line) => `l${String(line).padStart(8, "0")}`);
}
