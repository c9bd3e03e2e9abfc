/**
 * Sends new lines to those who asked for them, for as long as they say that they are there: a tail
 * whose asker is silent for TAIL_LEASE_MS ends by itself.
 */
import { getLogger } from "@logtape/logtape";
import { TAIL_LASTS_MAX_MS, TailClaims } from "../../protocol/signing/claims.ts";
import { MESSAGE_BYTES_MAX } from "../../protocol/wire/envelope.ts";
import { LogvendError } from "../../protocol/errors.ts";
import { TAIL_LEASE_MS } from "../../protocol/wire/messages.ts";
import type { TailCommand, TailMessage } from "../../protocol/wire/messages.ts";
import { toWireError } from "../../protocol/wire/wire_error.ts";
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

  /**
   * Starts one, or says why not. A command that comes again changes nothing: its asker, who may have
   * lost sight of this host, is told that it is at it.
   */
  async start(command: TailCommand): Promise<void> {
    const { request, orchestrator, condition: sql, token } = command;
    const { isKnown, remember, open, send, now, leaseMs = TAIL_LEASE_MS } = this.options;
    const known = this.running.get(request);
    if (known !== undefined) return known.sayAgain();
    const tail = new RunningTail(request, leaseMs, (message) => send(orchestrator, message));
    this.running.set(request, tail);
    try {
      const signed = { schema: TailClaims, request, token, sql, nowMs: now() };
      const { claims } = await admitted(this.options, { ...signed, holdsUntilMs: endOf });
      if (isKnown(request)) throw new LogvendError("not_permitted", "seen before");
      const { stream, rate_max } = claims;
      const rate = Math.min(rate_max, command.rate);
      await using _live = await open({ stream, condition: sql, rate }, tail);
      log.info("Tails {stream} for {request}", { stream, request });
      tail.begin(endOf(claims) - now());
      await tail.ended;
      if (tail.isCancelled) remember(request, endOf(claims)); // else it may come back
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
    this.running.get(request)?.cancel();
  }

  /** Ends all. */
  stop(error: LogvendError): void {
    for (const tail of this.running.values()) tail.end(error);
  }
}

/** Until when a tail may begin here, and goes on at most. */
function endOf(
  { issued_at_ms, expires_at_ms, joins_until_ms = expires_at_ms }: TailClaims,
): number {
  return Math.min(joins_until_ms, issued_at_ms + TAIL_LASTS_MAX_MS);
}

/** What has been said of a tail, and how long it may go on. */
class RunningTail implements LiveReader {
  readonly ended: Promise<void>;
  private readonly finish: () => void;
  /** Whether its asker wants no more of it. */
  isCancelled = false;
  private isOver = false;
  private hasBegun = false;
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

  begin(lastsMs: number): void {
    if (this.isOver) return;
    this.hasBegun = true;
    this.say([]);
    this.keep();
    const tooLong = () => this.end(new LogvendError("timeout", "A tail ends after 12 hours"));
    this.last = setTimeout(tooLong, lastsMs);
  }

  sayAgain(): void {
    if (this.hasBegun && !this.isOver) this.say([]);
  }

  cancel(): void {
    this.isCancelled = true;
    this.end(new LogvendError("cancelled", "Cancelled"));
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
