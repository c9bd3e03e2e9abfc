/** Tables of hosts that read nothing but access logs. */
import type { Table } from "../../protocol/wire/messages.ts";
import { ACCESS_SHAPE } from "../../protocol/schema/stream_shape.ts";
import { tablesOf } from "../../protocol/schema/streams.ts";

/** Those of these streams, and what every host has. */
export function accessTables(...streams: string[]): Table[] {
  return tablesOf(streams, () => ACCESS_SHAPE);
}
