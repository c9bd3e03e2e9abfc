/**
 * The moments of the store's work at which an agent is killed. Nothing in the product helps: a
 * phase is seen coming in the data folder, and told after the kill by what lies there.
 */
import { Engine } from "../../queries/duckdb/engine.ts";
import { join } from "node:path";
import { literal } from "../../protocol/schema/table_sql.ts";
import type { FolderState } from "./data_folder.ts";
import type { Watch } from "./watch.ts";

/** A folder at a standstill, with what tells the phases apart. */
export interface Standstill extends FolderState {
  /** Parts that agent.db named once and names no more. */
  formerParts: string[];
  /** Parts under their final names that agent.db never named. */
  uncommittedParts: string[];
  /** Chunks under their final names that agent.db does not name. */
  uncommittedChunks: string[];
  /** Whether every line that was written is durable. */
  isCaughtUp: boolean;
}

export interface Phase {
  name: string;
  /** Only a new hour brings it. */
  needsHour?: boolean;
  /** It comes when nobody writes. */
  isQuiet?: boolean;
  /** It comes when chunks are removed. */
  needsRetention?: boolean;
  /** Whether it may have come: asked all the time, so it must be cheap. */
  isNear(watch: Watch): boolean;
  /** Whether the agent stands in it. */
  isHit(state: Standstill): boolean;
}

/** Just after: what was committed is this young. */
const JUST_MS = 300;

export const PHASES: readonly Phase[] = [
  {
    name: "mid-part",
    isNear: (watch) => watch.hasPartBegun(),
    isHit: ({ temporaries }) => temporaries.some((path) => path.startsWith("parts/")),
  },
  {
    name: "part renamed, before commit",
    isNear: (watch) => watch.hasPartBegun(),
    isHit: ({ uncommittedParts }) => uncommittedParts.length > 0,
  },
  {
    name: "after commit",
    isNear: (watch) => watch.hasCommitted(),
    isHit: ({ files, temporaries, unnamed, takenAtMs }) =>
      temporaries.length + unnamed.length === 0 &&
      files.some((file) => file.kind === "part" && takenAtMs - file.createdMs < JUST_MS),
  },
  {
    name: "mid-seal",
    needsHour: true,
    isQuiet: true,
    isNear: (watch) => watch.isSealing(),
    isHit: ({ sealings, uncommittedChunks }) =>
      sealings.length > 0 && uncommittedChunks.length === 0,
  },
  {
    name: "chunk renamed, before commit",
    needsHour: true,
    isQuiet: true,
    isNear: (watch) => watch.hasChunkArrived(),
    isHit: ({ uncommittedChunks }) => uncommittedChunks.length > 0,
  },
  {
    name: "sealed, before unlink",
    needsHour: true,
    isQuiet: true,
    isNear: (watch) => watch.hasChunkArrived(),
    isHit: ({ formerParts }) => formerParts.length > 0,
  },
  {
    name: "mid-retention",
    needsRetention: true,
    isNear: (watch) => watch.isRetiring(),
    isHit: ({ retired }) => retired.length > 0,
  },
  {
    name: "idle",
    isQuiet: true,
    isNear: (watch) => watch.hasCommitted() && !watch.hasPartBegun() && !watch.isSealing(),
    isHit: ({ isCaughtUp, temporaries, unnamed, sealings }) =>
      isCaughtUp && temporaries.length + unnamed.length + sealings.length === 0,
  },
];

/**
 * Tells what the unnamed files of a folder are. A part's offsets are committed with it: one that
 * ends beyond its generation's offset was never committed, any other was.
 */
export async function standstill(
  dataDir: string,
  state: FolderState,
  isCaughtUp: boolean,
): Promise<Standstill> {
  const uncommittedChunks = state.unnamed.filter((path) => !path.startsWith("parts/"));
  const parts = state.unnamed.filter((path) => path.startsWith("parts/"));
  const [formerParts, uncommittedParts]: [string[], string[]] = [[], []];
  if (parts.length > 0) {
    await using engine = await Engine.open();
    for (const part of parts) {
      const isFormer = (await runsOf(engine, join(dataDir, part)))
        .every(({ generation, end }) => end <= (state.offsets.get(generation) ?? -1));
      (isFormer ? formerParts : uncommittedParts).push(part);
    }
  }
  return { ...state, formerParts, uncommittedParts, uncommittedChunks, isCaughtUp };
}

async function runsOf(
  engine: Engine,
  path: string,
): Promise<{ generation: string; end: number }[]> {
  const { rows } = await engine.read(
    `SELECT decode(value) FROM parquet_kv_metadata(${literal(path)}) WHERE decode(key) = 'logvend'`,
  );
  return JSON.parse(String(rows[0]?.[0])).runs;
}
