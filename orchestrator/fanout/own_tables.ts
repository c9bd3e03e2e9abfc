/** The asker's own tables: they must not be taken for others. */
import type { BroadcastTable } from "../../protocol/wire/broadcast.ts";
import { LogvendError } from "../../protocol/errors.ts";
import type { Table } from "../../protocol/wire/messages.ts";

/** Names that merges use. */
const RESERVED = /^partial(_\d+)?$/;

/** @throws {LogvendError} usage, where a table of the asker's has the name of another */
export function checkNames(own: readonly BroadcastTable[], known: readonly Table[]) {
  const bad = own.find((table) =>
    RESERVED.test(table.name) || known.some(({ name }) => name === table.name)
  );
  if (bad === undefined) return;
  throw new LogvendError("usage", `--with ${bad.name}: that name is taken, choose another one`);
}
