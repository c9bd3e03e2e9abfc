/** Reads files that agent.db does not name: what they say of themselves, or that they cannot be read. */
import { basename, join } from "node:path";
import { LogvendError } from "../../../protocol/errors.ts";
import { EMPTY_SHAPE, uniteShapes } from "../../../protocol/schema/stream_shape.ts";
import type { StreamShape } from "../../../protocol/schema/stream_shape.ts";
import { HOST_TABLES, SCHEMA_VERSION } from "../../../protocol/schema/streams.ts";
import { literal } from "../../../protocol/schema/table_sql.ts";
import type { Engine } from "../../../queries/duckdb/engine.ts";
import type { StoredFile } from "../database/catalog.ts";
import { readMetadata } from "./file_metadata.ts";
import { shapeOfFile } from "../../../queries/restore/file_shape.ts";
import type { FileMetadata } from "./file_metadata.ts";
import type { FoundFile } from "../recovery/reconcile.ts";

/** Files that agent.db does not name. */
export interface Found {
  whole: FoundFile[];
  /** Of their streams. */
  shapes: Map<string, StreamShape>;
  /** Damaged ones: what is known is their name. */
  unreadable: StoredFile[];
}

interface FoundRequest {
  dataDir: string;
  /** Relative to the data folder. */
  path: string;
  /** Where to put it. */
  found: Found;
}

/** @throws {LogvendError} unavailable, when a newer version wrote it */
export async function readFound(engine: Engine, { dataDir, path, found }: FoundRequest) {
  const absolute = join(dataDir, path);
  const { size: bytes, mtime } = await Deno.stat(absolute);
  const read = await readMetadata(engine, absolute);
  if (read.kind === "whole" || read.kind === "old") await addShape(engine, absolute, path, found);
  switch (read.kind) {
    case "whole":
      found.whole.push({ metadata: read.metadata, path, bytes });
      break;
    case "old": {
      const metadata = await oldMetadata(engine, { dataDir, path, runs: read.runs });
      found.whole.push({ metadata, path, bytes });
      break;
    }
    case "newer":
      throw new LogvendError(
        "unavailable",
        `${absolute} has schema ${read.schemaVersion}, this program has ${SCHEMA_VERSION}: ` +
          "use the newer program",
      );
    case "unreadable":
      found.unreadable.push({
        ...nameFacts(path),
        path,
        rows: 0,
        bytes,
        tsMinUs: 0,
        tsMaxUs: 0,
        runs: [],
        sha256: null,
        createdMs: mtime?.getTime() ?? 0,
      });
      break;
    default:
      return read satisfies never;
  }
}

/** Notes what the file adds to what is known of its stream's rows. */
async function addShape(engine: Engine, absolute: string, path: string, { shapes }: Found) {
  const { stream } = nameFacts(path);
  if (HOST_TABLES.includes(stream)) return;
  const shape = await shapeOfFile(engine, absolute);
  shapes.set(stream, uniteShapes(shapes.get(stream) ?? EMPTY_SHAPE, shape));
}

/** What older versions wrote into agent.db only, told from the rows. */
async function oldMetadata(
  engine: Engine,
  { dataDir, path, runs }: { dataDir: string; path: string; runs: StoredFile["runs"] },
): Promise<FileMetadata> {
  const { rows } = await engine.read(
    `SELECT count(*), epoch_us(min(ts)), epoch_us(max(ts))
     FROM read_parquet(${literal(join(dataDir, path))}, hive_partitioning = false)`,
  );
  const [count, tsMinUs, tsMaxUs] = (rows[0] ?? []).map(Number);
  return {
    ...nameFacts(path),
    schema_version: SCHEMA_VERSION,
    rows: count ?? 0,
    tsMinUs: tsMinUs ?? 0,
    tsMaxUs: tsMaxUs ?? 0,
    createdMs: (await Deno.stat(join(dataDir, path))).mtime?.getTime() ?? 0,
    runs,
    flush: null,
    generations: [],
    account: null,
  };
}

/** `parts/logs/2026-11-22T19.<id>.parquet`, or a chunk's path; of others the name is the id. */
function nameFacts(path: string): Pick<StoredFile, "id" | "kind" | "stream" | "hour"> {
  const id = basename(path, ".parquet").split(".").at(-1) ?? path;
  const part = /^parts\/([^/]+)\/([^/.]+)\.[^/]+$/.exec(path);
  if (part !== null) return { id, kind: "part", stream: part[1] ?? "", hour: part[2] ?? "" };
  const chunk = /^stream=([^/]+)\/.*date=([^/]+)\/hour=([^/]+)\//.exec(path);
  return { id, kind: "chunk", stream: chunk?.[1] ?? "", hour: `${chunk?.[2]}T${chunk?.[3]}` };
}
