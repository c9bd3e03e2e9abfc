/** Which archived chunks a signed question may see, by what their keys say. */
import { parseChunkPath } from "../../../protocol/chunk_path.ts";
import type { ChunkPlace } from "../../../protocol/chunk_path.ts";
import { matchesKnown, parseSelector } from "../../../protocol/selector.ts";
import type { ArchiveScope } from "../../store/query_archive.ts";

const HOUR_MS = 3_600_000;

/** The agent that looks: of its own host it knows all labels. */
export interface Onlooker {
  host: string;
  region: string;
  labels: Readonly<Record<string, string>>;
}

/** Tells of keys whether their chunks are of a scope; null: they are not. */
export function scopeFilter(
  scope: ArchiveScope,
  self: Onlooker,
): (key: string) => ChunkPlace | null {
  const selector = parseSelector(scope.selector);
  const known = new Map<string, boolean>();
  const isSelected = ({ host, region }: ChunkPlace) => {
    const id = `${region}/${host}`;
    const isOwn = host === self.host && region === self.region;
    const labels = isOwn ? { ...self.labels, host, region } : { host, region };
    const selected = known.get(id) ?? matchesKnown(selector, labels) === true;
    known.set(id, selected);
    return selected;
  };
  return (key) => {
    const place = parseChunkPath(key);
    if (place === null || !Object.hasOwn(scope.needs, place.stream)) return null;
    if (scope.hosts?.includes(place.host) === false) return null;
    if (scope.regions?.includes(place.region) === false) return null;
    return touches(place, scope) && isSelected(place) ? place : null;
  };
}

function touches({ hour }: ChunkPlace, { since, until }: ArchiveScope): boolean {
  const startMs = Date.parse(`${hour}:00:00Z`);
  return (until === null || startMs < Date.parse(until)) &&
    (since === null || startMs + HOUR_MS > Date.parse(since));
}
