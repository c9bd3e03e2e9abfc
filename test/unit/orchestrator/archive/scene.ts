/** An archive in a folder, of hosts whose logs have other columns in every hour. */
import { listArchive } from "../../../../orchestrator/archive/archived_chunks.ts";
import type { ArchivedChunk } from "../../../../orchestrator/archive/archived_chunks.ts";
import { hashFile } from "../../../../agent/store/files/verify.ts";
import { FolderStore } from "../../../../protocol/archive/folder_store.ts";
import {
  EMPTY_SHAPE,
  uniteColumns,
  uniteShapes,
} from "../../../../protocol/schema/stream_shape.ts";
import type { StreamSchema } from "../../../../protocol/schema/streams.ts";
import { schemaOf } from "../../../../protocol/schema/streams.ts";
import type { Column } from "../../../../protocol/wire/messages.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import { conditionOf, conditionRequest } from "../../../../queries/erase/condition.ts";
import type { Erased, ErasedCondition } from "../../../../queries/erase/condition.ts";
import { Planner } from "../../../../queries/plan/planner.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";
import { HOSTS, readHours } from "../../agent/archive/queries/widened.ts";
import type { Lines } from "../../agent/archive/queries/widened.ts";
import type { Dice } from "../../queries/random_query.ts";

export const DAY = { since: "2026-11-23T00:00:00.000Z", until: "2026-11-24T00:00:00.000Z" };

/** What a test has of it. */
export interface ArchivedLogs extends AsyncDisposable {
  folder: TempFolder;
  archive: FolderStore;
  engine: Engine;
  planner: Planner;
  chunks: ArchivedChunk[];
  /** As the fleet knows them. */
  columns: Column[];
  schema: StreamSchema;
  pathOf(chunk: ArchivedChunk): string;
}

/** Puts the sealed hours of all hosts into an archive. */
export async function archivedLogs(linesOf: Lines, signal: AbortSignal): Promise<ArchivedLogs> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await TempFolder.make());
  const archive = stack.use(new FolderStore(folder.join("archive")));
  const columns = [];
  const shapes = [];
  for (const host of HOSTS) {
    await using store = await readHours(folder, host, linesOf);
    await using snapshot = await store.snapshot({ tables: ["logs"], since: null, until: null });
    for (const path of snapshot.tables.get("logs")?.files ?? []) {
      const key = path.slice(path.indexOf("stream="));
      await archive.put({ key, body: { path }, sha256: await hashFile(path) }, signal);
    }
    shapes.push(store.shape("logs") ?? EMPTY_SHAPE);
    columns.push(store.tables().find(({ name }) => name === "logs")?.columns ?? []);
  }
  const engine = stack.use(await Engine.open());
  const planner = stack.use(await Planner.open());
  const chunks = await chunksIn(archive, signal);
  const owned = stack.move();
  return {
    ...{ folder, archive, engine, planner, chunks },
    columns: uniteColumns(columns),
    schema: schemaOf("logs", shapes.reduce(uniteShapes)),
    pathOf: ({ object: { key } }) => folder.join("archive", key),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** All of them. */
export async function chunksIn(
  archive: FolderStore,
  signal: AbortSignal,
): Promise<ArchivedChunk[]> {
  const chunks: ArchivedChunk[] = [];
  const all = { since: null, until: null };
  for await (const chunk of listArchive([archive], { range: all }, signal)) {
    if (chunk.place !== null) chunks.push(chunk);
  }
  return chunks;
}

/** Null: no condition of rows. */
export async function planned(
  { planner }: Pick<ArchivedLogs, "planner">,
  erased: Erased,
): Promise<ErasedCondition | null> {
  return await planner.plan(conditionRequest(erased)).then(
    (plan) => conditionOf(plan, erased),
    () => null,
  );
}

/** Some of that day, or all of it. */
export function randomRange(dice: Dice): { since: string; until: string } {
  if (dice.chance(0.6)) return DAY;
  const [since = 0, until = 0] = [dice.integer(240), 240 + dice.integer(239)]
    .map((minutes) => Date.parse("2026-11-23T03:00:00Z") + minutes * 60_000);
  return { since: new Date(since).toISOString(), until: new Date(until).toISOString() };
}
