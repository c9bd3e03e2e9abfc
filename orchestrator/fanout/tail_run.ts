/** One tail under way: which hosts are at it, what they send, and who has left. */
import { LogvendError } from "../../protocol/errors.ts";
import type { TailMessage, WireError } from "../../protocol/messages.ts";
import type { MissingKind } from "./coverage.ts";
import type { Missing } from "./coverage.ts";
import type { LineMerger } from "./line_merger.ts";
import type { HostError } from "./unanswered.ts";

interface HostState {
  state: "asked" | "tailing" | "over";
  /** Of the last message: MQTT may deliver one again. */
  seq: number;
  leftOut: number;
  unchecked: number;
}

export class TailRun {
  /** What hosts refuse it with. */
  readonly errors: HostError[] = [];
  /** Aborts when there is nothing to be heard any more; the reason says why. */
  readonly over = new AbortController();
  private readonly hosts: ReadonlyMap<string, HostState>;
  private readonly begun = Promise.withResolvers<void>();
  private missing: Missing[] = [];

  constructor(hosts: readonly string[], private readonly merger: LineMerger) {
    this.hosts = new Map(hosts.map((host) => {
      return [host, { state: "asked", seq: -1, leftOut: 0, unchecked: 0 }];
    }));
    this.look();
  }

  /** Resolves when every host is at it, or will not be. */
  get started(): Promise<void> {
    return this.begun.promise;
  }

  /** Hosts that are to be told when it ends. */
  active(): string[] {
    return [...this.hosts].flatMap(([host, { state }]) => state === "over" ? [] : [host]);
  }

  tailing(): number {
    return this.count("tailing");
  }

  /** Lines so far that were too many: for their host, for the reader, to be looked at. */
  get totals(): { leftOut: number; unchecked: number } {
    const hosts = [...this.hosts.values()];
    return {
      leftOut: hosts.reduce((sum, { leftOut }) => sum + leftOut, this.merger.leftOut),
      unchecked: hosts.reduce((sum, { unchecked }) => sum + unchecked, 0),
    };
  }

  /** Hosts that are missing since this was called last. */
  takeMissing(): Missing[] {
    const { missing } = this;
    this.missing = [];
    return missing;
  }

  receive(host: string, { seq, lines, left_out, unchecked, end }: TailMessage): void {
    const known = this.hosts.get(host);
    if (known === undefined || known.state === "over" || seq <= known.seq) return;
    Object.assign(known, { seq, leftOut: left_out, unchecked });
    this.merger.add(host, lines);
    if (end !== undefined) this.ended(host, known, end);
    else known.state = "tailing";
    this.look();
  }

  /** It went offline, or restarted. */
  hostGone(host: string): void {
    this.leave(host, "lost", "went away");
  }

  /** Those that have not begun are not waited for any longer. Returns them. */
  giveUpOnSilent(): string[] {
    const silent = [...this.hosts].flatMap(([host, { state }]) => state === "asked" ? [host] : []);
    for (const host of silent) this.leave(host, "no_ack", "did not begin in time");
    return silent;
  }

  private ended(host: string, known: HostState, end: WireError) {
    const isRefusal = known.state === "asked";
    if (isRefusal) this.errors.push({ host, error: end });
    this.leave(host, isRefusal ? "refused" : "lost", end.message);
  }

  private leave(host: string, kind: MissingKind, reason: string) {
    const known = this.hosts.get(host);
    if (known === undefined || known.state === "over") return;
    known.state = "over";
    this.missing.push({ host, kind, reason });
    this.look();
  }

  private look() {
    if (this.count("asked") > 0) return;
    this.begun.resolve();
    if (this.count("tailing") > 0) return;
    this.over.abort(new LogvendError("unavailable", "No host is left to tail"));
  }

  private count(wanted: HostState["state"]): number {
    return [...this.hosts.values()].filter(({ state }) => state === wanted).length;
  }
}
