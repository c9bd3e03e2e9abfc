/** What the store tells whoever looks at rows as they come. */
import type { StreamShape } from "../../protocol/schema/stream_shape.ts";
import type { Batch } from "./batch.ts";

/** Told before the batch is used for other rows; it must be quick, and never throw. */
export interface RowWatcher {
  /** @param shape of all rows of the stream so far */
  added(stream: string, batch: Batch, shape: StreamShape): void;
}
