/** The error of a question that no host answered. */
import { LogvendError } from "../../protocol/errors.ts";
import type { WireError } from "../../protocol/wire/messages.ts";
import { fromWireError } from "../../protocol/wire/wire_error.ts";
import type { Coverage } from "./coverage.ts";

/** Of an empty fleet. */
export const NO_HOST_YET = "No host is known yet: logvend-agent run -c agent.yaml adds one " +
  "(logvend init writes agent.yaml)";

/** No host answered, for different reasons: the coverage holds them. */
export class UnansweredError extends LogvendError {
  constructor(readonly coverage: Coverage) {
    super("unavailable", "No host answered");
  }
}

export interface HostError {
  host: string;
  error: WireError;
}

/** What all hosts say themselves is the error; otherwise it is that nobody could be reached. */
export function unanswered(errors: readonly HostError[], coverage: Coverage): LogvendError {
  const [first, ...others] = errors;
  if (first === undefined) return new UnansweredError(coverage);
  const { code, message } = first.error;
  if (others.some(({ error }) => error.code !== code)) return new UnansweredError(coverage);
  // Bad SQL is no host's fault; of everything else it matters who says so.
  return fromWireError(
    code === "bad_sql" ? first.error : { ...first.error, message: `${first.host}: ${message}` },
  );
}
