/** What a sink is: a function that takes documents, and says what became of them. */

/** One document on its way. */
export interface Outgoing {
  /** With the revision, what a sink tells repetitions by. */
  id: string;
  revision: number;
  /** What kind of document it is: sinks may keep each kind in a place of its own. */
  kind: "event" | "place" | "row";
  /** The start of its window, ISO 8601, UTC. */
  at: string;
  /** JSON, on one line. */
  body: string;
}

/** What will never be taken: for good, by itself, whatever is sent with it. */
export interface Rejected {
  event: Outgoing;
  reason: string;
}

/** What became of documents that were sent together; those that are not named were taken. */
export interface Sent {
  rejected: readonly Rejected[];
  /** To be sent again after a while: the sink had no room for them. */
  again: readonly Outgoing[];
  /** Why the first of these was put off. */
  why?: string | undefined;
}

export const ALL_TAKEN: Sent = { rejected: [], again: [] };

/** Sends documents. @throws {SinkError} and whatever else: nothing is known to be taken */
export type SendDocuments = (events: readonly Outgoing[], signal: AbortSignal) => Promise<Sent>;

/** A sink that is open. */
export interface Sink extends AsyncDisposable {
  send: SendDocuments;
}

/** Why a sink took nothing. */
export class SinkError extends Error {
  override readonly name = "SinkError";

  constructor(
    message: string,
    /** `blames`: a document among them is at fault; sending fewer finds it. */
    readonly facts: { blames?: boolean; retryAfterMs?: number | undefined } = {},
  ) {
    super(message);
  }
}

/** Answers over HTTP that say that a document is at fault, and not the sink or its keys. */
const BLAMING = new Set([400, 413, 422]);

/** What a failed answer over HTTP means. Its body is read for the reason. */
export async function httpError(response: Response, what: string): Promise<SinkError> {
  const text = (await response.text().catch(() => "")).slice(0, 300).replaceAll(/\s+/g, " ");
  const { status } = response;
  const retryAfterS = Number(response.headers.get("retry-after") ?? NaN);
  return new SinkError(`${what} answered ${status}${text === "" ? "" : `: ${text}`}`, {
    blames: BLAMING.has(status),
    retryAfterMs: Number.isFinite(retryAfterS) ? retryAfterS * 1_000 : undefined,
  });
}

/** Nothing to close. */
export function withoutClosing(send: SendDocuments): Sink {
  return { send, [Symbol.asyncDispose]: () => Promise.resolve() };
}
