/** Columns by name and type, and names as SQL writes them. */
import type { Column } from "../protocol/wire/messages.ts";

/** Says whether two lists name the same columns, with the same types, in one order. */
export function sameColumns(some: readonly Column[], others: readonly Column[]): boolean {
  return some.length === others.length &&
    some.every(({ name, type }, i) => name === others[i]?.name && type === others[i]?.type);
}
