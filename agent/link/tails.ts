/**
 * Sends new lines to those who asked for them, for as long as they say that they are there: a tail
 * whose asker is silent for TAIL_LEASE_MS ends by itself.
 */
import { getLogger } from "@logtape/logtape";
import { TailClaims } from "../../protocol/claims.ts";
import { MESSAGE_BYTES_MAX } from "../../protocol/envelope.ts";
import { LogvendError } from "../../protocol/errors.ts";
import { TAIL_LASTS_MAX_MS, TAIL_LEASE_MS } from "../../protocol/messages.ts";
import type { TailCommand, TailMessage } from "../../protocol/messages.ts";
import { toWireError } from "../../protocol/wire_error.ts";
import type { LiveLines, LiveReader, LiveRequest } from "../live/live_tail.ts";
import { admitted } from "./admission.ts";
import type { Admission } from "./admission.ts";

/** What lines may take of a message: the envelope needs the rest. */
const LINES_BYTES_MAX = MESSAGE_BYTES_MAX - 8 * 1024;

const log = getLogger(["agent", "link"]);

/** Shows new rows until it is disposed of. @throws {LogvendError} bad_sql or unavailable */
export type LiveOpener = (request: LiveRequest, reader: LiveReader) => Promise<AsyncDisposable>;

export interface TailsOptions extends Admission {
  open: LiveOpener;
  /** Says whether a request was here before. */
  isKnown(id: string): boolean;
  /** Notes a request id durably. */
  remember(id: string, expiresAtMs: number): void;
  /** False: there is no broker to take it, and it is lost. */
  send(orchestrator: string, message: TailMessage): boolean;
  now(): number;
  /** @default TAIL_LEASE_MS */
  leaseMs?: number;
}

export class Tails {
  private readonly running = new Map<string, RunningTail>();

  constructor(private readonly options: TailsOptions) {}

  /** Starts one, or says why not. A command that comes again changes nothing. */
  async start(command: TailCommand): Promise<void> {
    const { request, orchestrator, condition: sql, token } = command;
    const { isKnown, remember, open, send, now, leaseMs = TAIL_LEASE_MS } = this.options;
    if (this.running.has(request)) return;
    const tail = new RunningTail(request, leaseMs, (message) => send(orchestrator, message));
    this.running.set(request, tail);
    try {
      const signed = { schema: TailClaims, request, token, sql, nowMs: now() };
      const { claims } = await admitted(this.options, signed);
      if (isKnown(request)) throw new LogvendError("not_permitted", "seen before");
      const { stream, rate_max } = claims;
      const rate = Math.min(rate_max, command.rate);
      await using _live = await open({ stream, condition: sql, rate }, tail);
      remember(request, claims.expires_at_ms);
      log.info("Tails {stream} for {request}", { stream, request });
      tail.begin();
      await tail.ended;
      log.info("Tails {stream} for {request} no more", { stream, request });
    } catch (error) {
      log.info("Refused tail {request}: {reason}", { request, reason: String(error) });
      tail.end(error);
    } finally {
      this.running.delete(request);
    }
  }

  /** Its asker is there. */
  keep(request: string): void {
    this.running.get(request)?.keep();
  }

  /** Ends one, if it is here. */
  cancel(request: string): void {
    this.running.get(request)?.end(new LogvendError("cancelled", "Cancelled"));
  }

  /** Ends all. */
  stop(error: LogvendError): void {
    for (const tail of this.running.values()) tail.end(error);
  }
}

/** What has been said of a tail, and how long it may go on. */
class RunningTail implements LiveReader {
  readonly ended: Promise<void>;
  private readonly finish: () => void;
  private isOver = false;
  private seq = 0;
  private leftOut = 0;
  private unchecked = 0;
  private lease: ReturnType<typeof setTimeout> | undefined;
  private last: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly request: string,
    private readonly leaseMs: number,
    private readonly send: (message: TailMessage) => boolean,
  ) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.finish = resolve;
  }

  begin(): void {
    if (this.isOver) return;
    this.say([]);
    this.keep();
    const tooLong = () => this.end(new LogvendError("timeout", "A tail ends after 12 hours"));
    this.last = setTimeout(tooLong, TAIL_LASTS_MAX_MS);
  }

  keep(): void {
    if (this.isOver) return;
    clearTimeout(this.lease);
    const silent = () => this.end(new LogvendError("cancelled", "The asker is silent"));
    this.lease = setTimeout(silent, this.leaseMs);
  }

  tell({ lines, leftOut, unchecked }: LiveLines): void {
    if (this.isOver) return;
    this.leftOut += leftOut;
    this.unchecked += unchecked;
    for (const fitting of messagesOf(lines)) {
      if (!this.say(fitting)) this.leftOut += fitting.length;
    }
  }

  fail(error: LogvendError): void {
    this.end(error);
  }

  /** Says why; the first reason counts. */
  end(error: unknown): void {
    if (this.isOver) return;
    this.isOver = true;
    clearTimeout(this.lease);
    clearTimeout(this.last);
    this.say([], { end: toWireError(error) });
    this.finish();
  }

  private say(lines: TailMessage["lines"], more: Pick<TailMessage, "end"> = {}): boolean {
    const { request, leftOut, unchecked } = this;
    return this.send({ request, seq: this.seq++, lines, left_out: leftOut, unchecked, ...more });
  }
}

/** Lines by the message; without any, one for the counts. */
function messagesOf(lines: TailMessage["lines"]): TailMessage["lines"][] {
  const messages: TailMessage["lines"][] = [];
  let last: TailMessage["lines"] = [];
  let bytes = 0;
  for (const line of lines) {
    const size = new TextEncoder().encode(JSON.stringify(line)).length;
    if (bytes + size > LINES_BYTES_MAX) {
      messages.push(last);
      last = [];
      bytes = 0;
    }
    last.push(line);
    bytes += size + 1;
  }
  return [...messages, last];
}
