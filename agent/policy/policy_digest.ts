/** Tells whether what a host has answered was allowed, and masked, as it would be now. */
import { sha256Hex } from "../../protocol/sha256.ts";
import type { Policy } from "./policy_config.ts";

/** Of all that decides what may be seen; what a query may cost the host is not in it. */
export function policyDigest({ streams, columns, mask, range, rows, bytes, bytes_read }: Policy) {
  const shown = {
    streams: streams?.toSorted() ?? null,
    columns: sorted(columns).map(([table, names]) => [table, names.toSorted()]),
    mask: sorted(mask),
    ...{ range: range ?? null, rows, bytes, bytes_read },
  };
  return sha256Hex(JSON.stringify(shown));
}

function sorted<T>(record: Readonly<Record<string, T>>): [name: string, value: T][] {
  return Object.entries(record).sort(([a], [b]) => a < b ? -1 : 1);
}
