/** What is wrong with one archived chunk: others are read, and the answer says so. */
import { ObjectStoreError } from "../../protocol/archive/object_store.ts";
import type { StoreProblem } from "../../protocol/archive/object_store.ts";
import { LogvendError } from "../../protocol/errors.ts";

/** Of one object; what else goes wrong with a store goes wrong with all of them. */
const OF_THE_OBJECT: readonly StoreProblem[] = ["missing", "changed", "corrupt", "refused"];

/** Of what is no chunk, or a damaged one. */
export const ADVICE = "see logvend archive verify, and remove or replace it";

/** An object that is not the chunk that its key says it is. The message names what it is instead. */
export class ChunkError extends LogvendError {
  /** @param advice what to do about it */
  constructor(why: string, cause?: unknown, readonly advice = ADVICE) {
    super("unavailable", why, { cause });
  }
}

/** Why a chunk alone cannot be read, and what to do; null: others will hardly fare better. */
export function ownFault(error: unknown): string | null {
  if (error instanceof ChunkError) return `${error.message}; ${error.advice}`;
  if (error instanceof ObjectStoreError && OF_THE_OBJECT.includes(error.problem)) {
    return error.message;
  }
  return null;
}
