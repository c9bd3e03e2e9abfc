/** What DuckDB throws, told apart by whose matter it is. */
import { LogvendError, messageOf } from "../../protocol/errors.ts";

/** DuckDB's errors that are no matter of the SQL or of the data it reads. */
const OUR_FAULT = /^(IO|INTERNAL|FATAL|Permission|Serialization) Error|No magic bytes/i;

/** What DuckDB threw, with a code: mostly a defect of the SQL that shows on the data only. */
export function sqlError(thrown: unknown): unknown {
  const message = messageOf(thrown).replace(/\n+LINE \d+: .*$/s, ""); // of SQL that nobody wrote
  if (thrown instanceof LogvendError || !/^[\w ]+ Error: /.test(message)) return thrown;
  return new LogvendError(OUR_FAULT.test(message) ? "internal" : "bad_sql", message, {
    cause: thrown,
  });
}
