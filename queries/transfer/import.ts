/** Loads what another machine exported into a table, exactly, or not at all. */
import type { Column } from "../../protocol/messages.ts";
import type { Engine } from "../duckdb/engine.ts";

/** One host's table (or a piece of it, when text) as it came. */
export type Part =
  | { encoding: "text"; columns: Column[]; values: (string | null)[][] }
  | { encoding: "parquet"; file: string };

/** Creates the empty table that parts are loaded into: `columns` are those of the plan's partial. */
export function createPartialTable(
  _engine: Engine,
  _table: string,
  _columns: readonly Column[],
): Promise<void> {
  throw new Error("being written");
}

/**
 * Adds a part to a table made by createPartialTable, and returns how many rows it held.
 * @throws {LogvendError} usage, when the part has not exactly the expected columns and values
 */
export function importPart(
  _engine: Engine,
  _table: string,
  _columns: readonly Column[],
  _part: Part,
): Promise<number> {
  throw new Error("being written");
}
