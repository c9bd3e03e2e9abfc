/** The lines of one log file that the archive has from an earlier data folder: they are passed over. */

/** Lines one after the other, from the byte where the first of them begins. */
export interface LineRun {
  start: number;
  lines: number;
  /** Where the last of them ends; null: that is not known, but each of them is a line of the file. */
  end: number | null;
}

/** Reads the next runs that begin at `from` or later, in order; none: there are no more. */
export type RunReader = (from: number) => LineRun[];

/** Where its reader stands among the runs of a generation. */
export class ArchivedLines {
  private page: LineRun[] = [];
  private nextFrom = 0;
  private isAtEnd = false;

  constructor(private readonly read: RunReader) {}

  /**
   * The first run that begins at `offset` or later; null: there is none. Those that begin before it
   * are of other lines than these, and are forgotten.
   */
  from(offset: number): Readonly<LineRun> | null {
    for (;;) {
      const run = this.page[0];
      if (run === undefined) {
        if (this.isAtEnd) return null;
        this.page = this.read(this.nextFrom);
        this.isAtEnd = this.page.length === 0;
        this.nextFrom = (this.page.at(-1)?.start ?? 0) + 1;
      } else if (run.start < offset) this.page.shift();
      else return run;
    }
  }

  /** Lines of the first run were passed over, up to `offset`. Returns what is left of it. */
  pass(offset: number, lines: number): LineRun | null {
    const run = this.page[0];
    if (run === undefined) return null;
    const left = { ...run, start: offset, lines: run.lines - lines };
    const isOver = run.end === null ? left.lines <= 0 : offset >= run.end;
    if (isOver) this.page.shift();
    else this.page[0] = left;
    return isOver ? null : left;
  }
}
