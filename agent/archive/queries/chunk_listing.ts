/** Lists a region's archived chunks that a question can reach, from the object store itself. */
import type { ListedObject, ObjectStore } from "../../../protocol/archive/object_store.ts";
import { counting } from "../../../protocol/chunk_id.ts";
import { LogvendError } from "../../../protocol/errors.ts";
import type { ArchiveScope } from "../../store/query_archive.ts";
import { retried } from "../reads/retried.ts";
import { Slots } from "../reads/slots.ts";
import { scopeFilter } from "./scope.ts";
import type { Onlooker } from "./scope.ts";

const DAY_MS = 86_400_000;

/** Of a longer range everything is listed, and what is beyond it left out. */
const DAYS_MAX = 62;

/** Lists under way at once. */
const LISTS_AT_ONCE = 8;

/** More chunks of one question would take longer than any question may. */
const CHUNKS_MAX = 1_000_000;

/** By key. @throws {LogvendError} of the store; bad_sql, for more chunks than one question may read */
export async function listChunks(
  store: ObjectStore,
  scope: ArchiveScope,
  self: Onlooker,
  signal: AbortSignal,
): Promise<ListedObject[]> {
  const inScope = scopeFilter(scope, self);
  if (scope.regions?.includes(self.region) === false) return [];
  const prefixes = Object.keys(scope.needs).flatMap((stream) =>
    daysOf(scope).map((day) => `stream=${stream}/region=${self.region}/${day}`)
  );
  const slots = new Slots(LISTS_AT_ONCE);
  const found: ListedObject[] = [];
  await Promise.all(prefixes.map((prefix) =>
    slots.run(async () => {
      const list = () => Array.fromAsync(inScopeOf(store.list(prefix, signal), inScope));
      for (const object of await retried(list, { signal })) found.push(object);
      if (found.length > CHUNKS_MAX) throw tooMany();
    })
  ));
  return counting(found).sort((a, b) => a.key < b.key ? -1 : 1);
}

async function* inScopeOf(
  objects: AsyncIterable<ListedObject>,
  inScope: ReturnType<typeof scopeFilter>,
): AsyncGenerator<ListedObject> {
  let count = 0;
  for await (const object of objects) {
    if (inScope(object.key) === null) continue;
    if (++count > CHUNKS_MAX) throw tooMany();
    yield object;
  }
}

/** Prefixes of the days of a range; one empty prefix where they are many. */
function daysOf({ since, until }: ArchiveScope): string[] {
  if (since === null) return [""];
  const firstMs = Math.floor(Date.parse(since) / DAY_MS) * DAY_MS;
  const endMs = until === null ? Date.now() + DAY_MS : Date.parse(until);
  const count = Math.ceil((endMs - firstMs) / DAY_MS);
  if (count > DAYS_MAX) return [""];
  return Array.from({ length: Math.max(0, count) }, (_, i) => {
    return `date=${new Date(firstMs + i * DAY_MS).toISOString().slice(0, 10)}/`;
  });
}

function tooMany(): LogvendError {
  return new LogvendError(
    "bad_sql",
    `The question reads more than ${CHUNKS_MAX} archived chunks: narrow its range or its hosts`,
  );
}
