/** Which archived chunks a signed question may see, by what their keys say. */
import { parseChunkPath } from "../../../protocol/chunk/chunk_path.ts";
import type { ChunkPlace } from "../../../protocol/chunk/chunk_path.ts";
import { matchesKnown, parseSelector } from "../../../protocol/selector/selector.ts";
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
  const isSelected = selectsHost(scope, self);
  return (key) => {
    const place = parseChunkPath(key);
    if (place === null || !Object.hasOwn(scope.needs, place.stream)) return null;
    return touches(place, scope) && isSelected(place) ? place : null;
  };
}

/** Tells whether chunks of a host may be of a scope. */
export function selectsHost(
  scope: ArchiveScope,
  self: Onlooker,
): (of: Pick<ChunkPlace, "host" | "region">) => boolean {
  const selector = parseSelector(scope.selector);
  const known = new Map<string, boolean>();
  return ({ host, region }) => {
    if (scope.hosts?.includes(host) === false) return false;
    if (scope.regions?.includes(region) === false) return false;
    const id = `${region}/${host}`;
    const isOwn = host === self.host && region === self.region;
    const labels = isOwn ? { ...self.labels, host, region } : { host, region };
    const selected = known.get(id) ?? matchesKnown(selector, labels) === true;
    known.set(id, selected);
    return selected;
  };
}

function touches({ hour }: ChunkPlace, { since, until }: ArchiveScope): boolean {
  const startMs = Date.parse(`${hour}:00:00Z`);
  return (until === null || startMs < Date.parse(until)) &&
    (since === null || startMs + HOUR_MS > Date.parse(since));
}
