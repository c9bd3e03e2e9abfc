/** How much of a table is drawn: what a terminal has room for, and everything elsewhere. */

export interface TableLook {
  /** Columns of the terminal; values are cut to it. Without it nothing is cut. */
  width?: number;
  /** Rows drawn at most; of a longer table the first ones. Without it all are. */
  rowsMax?: number;
  /** Dims NULL. @default false */
  color?: boolean;
}

/** More rows than anybody scrolls through, drawn in well under a second. */
export const TERMINAL_ROWS_MAX = 10_000;

/** For tables on this process's stdout. */
export function stdoutLook(): TableLook {
  if (!Deno.stdout.isTerminal()) return {};
  const { columns } = Deno.consoleSize();
  return {
    ...(columns > 0 ? { width: columns } : {}), // 0: a terminal that does not know (`stty cols 0`)
    rowsMax: TERMINAL_ROWS_MAX,
    color: !Deno.noColor,
  };
}
