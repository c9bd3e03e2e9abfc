/**
 * Where an archive's catalog lies: beside `stream=`, where no engine looks for rows. All of it can be
 * made anew from the chunks.
 */
import { chunkPath } from "../../chunk/chunk_path.ts";

/** The chunks of one stream and region whose hours are of one UTC day. */
export interface CatalogDay {
  stream: string;
  region: string;
  /** `2026-11-22` */
  date: string;
}

/** Everything of it begins so. */
export const CATALOG = "catalog/";

/** What is noted of single chunks until a manifest has it; nothing is lost when it goes. */
export const ENTRIES = `${CATALOG}entries/`;

/** `catalog/manifests/region=eu/stream=logs/2026-11-22.parquet` */
export function manifestKey({ stream, region, date }: CatalogDay): string {
  return `${manifestFolder({ stream, region })}${date}.parquet`;
}

/** Of all days. */
export function manifestFolder({ stream, region }: Omit<CatalogDay, "date">): string {
  return `${CATALOG}manifests/region=${region}/stream=${stream}/`;
}

/** The day of a manifest's key; null: it is none. */
export function dateOfManifest(key: string): string | null {
  return /\/(\d{4}-\d\d-\d\d)\.parquet$/.exec(key)?.[1] ?? null;
}

/** The key of a day's chunk, as a manifest has it: by the hour of the day. */
export function chunkKey(
  { stream, region, date }: CatalogDay,
  { hour, host, chunk }: { hour: number; host: string; chunk: string },
): string {
  const at = `${date}T${String(hour).padStart(2, "0")}`;
  return chunkPath({ stream, region, host, chunk, hour: at });
}

/** What is noted of a day's chunks. */
export function entriesFolder({ stream, region, date }: CatalogDay): string {
  return `${ENTRIES}region=${region}/stream=${stream}/date=${date}/`;
}

/** What is noted of one chunk: its own file name, and its hour before it. */
export function entryKey(day: CatalogDay, chunk: { hour: string; host: string; chunk: string }) {
  return `${entriesFolder(day)}${chunk.hour.slice(11)}.${chunk.host}.${chunk.chunk}.parquet`;
}

/** Who changed days that manifests may have as closed: one object for each writer. */
export function changedFolder(region: string): string {
  return `${CATALOG}changed/region=${region}/`;
}

/** Who makes manifests at present. */
export function leaseKey(region: string): string {
  return `${CATALOG}leases/region=${region}.json`;
}

/** Where the chunks of a stream and region lie. */
export function chunkFolder({ stream, region }: Omit<CatalogDay, "date">): string {
  return `stream=${stream}/region=${region}/`;
}
