/** Whether a chunk lies under the name of the host that sealed it: a copy would be counted twice. */
import { originOf, sealedId } from "../../protocol/chunk/chunk_id.ts";
import type { ChunkPlace } from "../../protocol/chunk/chunk_path.ts";
import type { FooterFacts } from "./check_footer.ts";
import { ChunkError } from "./chunk_error.ts";

/**
 * A chunk's id is made of its host and of what is in it, so it tells a copy from the chunk of a host that
 * took over another one's data folder: its rows have the former name, and its id the new one.
 * @throws {ChunkError} of a chunk of another id, and of a copy of another host's
 */
export function checkPlace(facts: FooterFacts, place: ChunkPlace) {
  const { id, host } = facts;
  if (id === null) return;
  if (id !== place.chunk) throw new ChunkError(`it is the chunk ${id}, under another's name`);
  if (host === null || host === place.host) return;
  if (sealedId({ ...place, host }, facts) !== originOf(id)) return;
  throw new ChunkError(`it is a copy of a chunk of ${host}, under another's name`);
}
