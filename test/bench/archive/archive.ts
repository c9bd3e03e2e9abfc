/** What the archive costs: `deno task bench archive`, or some parts, `bench archive drain`. */
import { benchBatch } from "./batch.ts";
import { benchCatalog } from "./catalog.ts";
import { benchDrain } from "./drain.ts";
import { benchErase } from "./erase.ts";
import { benchReads } from "./reads.ts";

const PARTS: Readonly<Record<string, () => Promise<void>>> = {
  drain: benchDrain,
  reads: benchReads,
  batch: benchBatch,
  catalog: benchCatalog,
  erase: benchErase,
};

/** @param parts which of them; none: all */
export async function benchArchive(parts: readonly string[]): Promise<void> {
  for (const [name, run] of Object.entries(PARTS)) {
    if (parts.length === 0 || parts.includes(name)) await run();
  }
}
