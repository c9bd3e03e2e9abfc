/** The one error class of logvend: a code that is wire contract, and a sentence for people. */

/** Every way a command or request can fail. The names travel on the wire: never rename one. */
export type ErrorCode =
  | "usage" // the command line or the request is malformed
  | "bad_sql" // the SQL does not parse, bind or pass the gate
  | "too_many_rows" // rows mode would ship more than the cap
  | "unavailable" // broker, orchestrator or every asked host is out of reach
  | "partial" // some asked hosts are missing from the answer
  | "not_permitted" // unsigned, expired, replayed, altered, out of scope
  | "bad_config" // a configuration file is wrong
  | "timeout" // the deadline passed
  | "cancelled" // the asker cancelled
  | "internal"; // a defect of ours

/**
 * Process exit codes: those of sysexits.h where it has one, 124 as of timeout(1), 130 as of a shell
 * for Ctrl-C. A partial answer is the only one that comes with rows.
 */
export const EXIT_CODES: Readonly<Record<ErrorCode, number>> = {
  usage: 64,
  bad_sql: 64,
  too_many_rows: 64,
  unavailable: 69,
  internal: 70,
  partial: 75,
  not_permitted: 77,
  bad_config: 78,
  timeout: 124,
  cancelled: 130,
};

/** Says whether a string from the wire is one of our codes. */
export function isErrorCode(value: string): value is ErrorCode {
  return Object.hasOwn(EXIT_CODES, value);
}

/** Facts of an error that travel and are shown beside its message. */
export interface ErrorDetails {
  /** Of bad_sql: where in the SQL, 1-based "line:column". */
  position?: string;
  /** Of too_many_rows: what one host alone would ship. */
  rows?: number;
  bytes?: number;
  /** Of not_permitted by a host's policy: the rule, as its configuration names it. */
  rule?: string;
}

/** An expected failure. `message` says what happened and what to do; it is shown without a stack. */
export class LogvendError extends Error {
  override readonly name = "LogvendError";

  readonly details: ErrorDetails;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options: ErrorOptions & { details?: ErrorDetails } = {},
  ) {
    super(message, options);
    this.details = options.details ?? {};
  }

  get exitCode(): number {
    return EXIT_CODES[this.code];
  }
}

/** The text of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return [...new Set(inOrder(thrown).map(textOf))].join("; then: ");
}

/** What failed first: closing what it had open may have failed after it, for the same reason mostly. */
export function firstOf(thrown: unknown): unknown {
  return inOrder(thrown)[0];
}

function inOrder(thrown: unknown): unknown[] {
  return thrown instanceof SuppressedError
    ? [...inOrder(thrown.suppressed), ...inOrder(thrown.error)]
    : [thrown];
}

function textOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
