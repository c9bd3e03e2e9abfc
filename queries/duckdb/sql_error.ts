/** What DuckDB throws, told apart by whose matter it is. */
import { LogvendError, messageOf } from "../../protocol/errors.ts";

/** DuckDB's errors that are no matter of the SQL or of the data it reads. */
const OUR_FAULT = /^(IO|INTERNAL|FATAL|Permission|Serialization) Error|No magic bytes/i;

/** What DuckDB threw, with a code: mostly a defect of the SQL that shows on the data only. */
export function sqlError(thrown: unknown): unknown {
  const message = messageOf(thrown).replace(/\n+LINE \d+: .*$/s, ""); // of SQL that nobody wrote
  if (thrown instanceof LogvendError || !/^[\w ]+ Error: /.test(message)) return thrown;
  const code = OUR_FAULT.test(message) ? "internal" : "bad_sql";
  return new LogvendError(code, tooMuch(message) ?? message, { cause: thrown });
}

/** DuckDB's advice on memory is to change settings, which who asks cannot. Null: it is another error. */
function tooMuch(message: string): string | null {
  const [, why] = /^Out of Memory Error: ([^\n]*)/.exec(message) ?? [];
  if (why === undefined) return null;
  const what = why.includes("offload")
    ? "It takes more than its memory, and more than the disk has room for"
    : "It takes more memory than one query may have";
  return `${what} (${why}): ask for less at once, by a shorter range, fewer columns or groups, or a LIMIT`;
}
