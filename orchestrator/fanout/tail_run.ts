/** One tail under way: which hosts are at it, what they send, and who has left. */
import { LogvendError } from "../../protocol/errors.ts";
import type { TailMessage, WireError } from "../../protocol/wire/messages.ts";
import type { MissingKind } from "./coverage.ts";
import type { Missing } from "./coverage.ts";
import type { LineMerger } from "./line_merger.ts";
import type { HostError } from "./unanswered.ts";

interface HostState {
  /** `gone`: it may come back; `over`: it said that it will not. */
  state: "asked" | "tailing" | "gone" | "over";
  /** Of the last message: MQTT may deliver one again. */
  seq: number;
  leftOut: number;
  unchecked: number;
  /** It came when the tail was under way. */
  isLate: boolean;
}

const SILENT = "did not begin in time";

function newState(): HostState {
  return { state: "asked", seq: -1, leftOut: 0, unchecked: 0, isLate: false };
}

export class TailRun {
  /** What hosts refuse it with. */
  readonly errors: HostError[] = [];
  /** Aborts when there is nothing to be heard any more; the reason says why. */
  readonly over = new AbortController();
  private readonly hosts = new Map<string, HostState>();
  private readonly begun = Promise.withResolvers<void>();
  private missing: Missing[] = [];
  private joined: string[] = [];
  /** Of hosts whose counts began anew. */
  private readonly before = { leftOut: 0, unchecked: 0 };

  constructor(hosts: readonly string[], private readonly merger: LineMerger) {
    for (const host of hosts) this.hosts.set(host, newState());
    this.look();
  }

  /** Resolves when every host is at it, or will not be. */
  get started(): Promise<void> {
    return this.begun.promise;
  }

  /** Hosts that are to be told when it ends. */
  active(): string[] {
    return [...this.hosts].flatMap(([host, { state }]) =>
      state === "asked" || state === "tailing" ? [host] : []
    );
  }

  /** Expects a host that has come; false: it is expected already, or at it. */
  join(host: string): boolean {
    const known = this.hosts.get(host);
    if (known?.state === "asked" || known?.state === "tailing") return false;
    this.before.leftOut += known?.leftOut ?? 0;
    this.before.unchecked += known?.unchecked ?? 0;
    this.hosts.set(host, { ...newState(), isLate: true });
    return true;
  }

  /** A host that was to join does not answer; false: it does. */
  giveUpOn(host: string): boolean {
    if (this.hosts.get(host)?.state !== "asked") return false;
    this.leave(host, "no_ack", SILENT);
    return true;
  }

  /** Hosts that have joined since this was called last. */
  takeJoined(): string[] {
    const { joined } = this;
    this.joined = [];
    return joined;
  }

  tailing(): number {
    return this.count("tailing");
  }

  /** Lines so far that were too many: for their host, for the reader, to be looked at. */
  get totals(): { leftOut: number; unchecked: number } {
    const hosts = [...this.hosts.values()];
    return {
      leftOut: hosts.reduce(
        (sum, { leftOut }) => sum + leftOut,
        this.merger.leftOut + this.before.leftOut,
      ),
      unchecked: hosts.reduce((sum, { unchecked }) => sum + unchecked, this.before.unchecked),
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
    if (known?.state !== "asked" && known?.state !== "tailing") return;
    if (seq <= known.seq) return;
    Object.assign(known, { seq, leftOut: left_out, unchecked });
    this.merger.add(host, lines);
    if (end !== undefined) this.ended(host, known, end);
    else if (known.state === "asked") {
      known.state = "tailing";
      if (known.isLate) this.joined.push(host);
    }
    this.look();
  }

  /** It went offline, or restarted. */
  hostGone(host: string): void {
    this.leave(host, "lost", "went away");
  }

  /** Those that have not begun are not waited for any longer. Returns them. */
  giveUpOnSilent(): string[] {
    const silent = [...this.hosts].flatMap(([host, { state }]) => state === "asked" ? [host] : []);
    for (const host of silent) this.leave(host, "no_ack", SILENT);
    return silent;
  }

  private ended(host: string, known: HostState, end: WireError) {
    const isRefusal = known.state === "asked";
    if (isRefusal) this.errors.push({ host, error: end });
    // It ends by itself when it does not hear us: then it may come back.
    const state = end.code === "cancelled" ? "gone" : "over";
    this.leave(host, isRefusal ? "refused" : "lost", end.message, state);
  }

  private leave(
    host: string,
    kind: MissingKind,
    reason: string,
    state: "gone" | "over" = "gone",
  ) {
    const known = this.hosts.get(host);
    if (known?.state !== "asked" && known?.state !== "tailing") return;
    known.state = state;
    this.missing.push({ host, kind, reason });
    this.look();
  }

  private look() {
    if (this.count("asked") > 0) return;
    this.begun.resolve();
    if (this.count("tailing") + this.count("gone") > 0) return;
    this.over.abort(new LogvendError("unavailable", "No host is left to tail"));
  }

  private count(wanted: HostState["state"]): number {
    return [...this.hosts.values()].filter(({ state }) => state === wanted).length;
  }
}
