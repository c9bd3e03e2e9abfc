/** What a window says: events with ids that hang on what they are about, and on nothing else. */
import { sha256Hex } from "../../protocol/sha256.ts";

/** Collisions among a day's events of a thousand hosts are as good as impossible. */
const ID_DIGITS = 20;

/** The feed of windows' lists; each sink that takes rows has a feed of its own name. */
export const WINDOWS_FEED = "windows";

/** One line of a window's lists, or one row that a sink wants as it is. */
export interface NewEvent {
  id: string;
  host: string;
  region: string;
  stream: string;
  /** Of the window; half-open, ISO 8601, UTC. */
  start: string;
  end: string;
  /** The list; of rows the sink's name. */
  group: string;
  /** What is counted; without one there is only one event in the list. */
  value?: string;
  /** 0: it was in the list before late rows came. */
  count?: number;
  /** Of a row: its columns. */
  row?: Readonly<Record<string, unknown>>;
  /** Of a list with more to say: bytes, p50_s, … */
  [more: string]: unknown;
}

/** An event as it is sent. */
export interface WindowEvent extends NewEvent {
  /** Goes up when late rows change the event: the highest is the truth. */
  revision: number;
}

/** What an event is about. */
export interface Subject {
  host: string;
  stream: string;
  startMs: number;
  everyMs: number;
  group: string;
  value: string | null;
  /** Among equal rows of one window. @default 0 */
  nth?: number;
}

/** The same for the same subject, in whatever process and however often. */
export function eventId(
  { host, stream, startMs, everyMs, group, value, nth = 0 }: Subject,
): string {
  const text = JSON.stringify([host, stream, startMs, everyMs, group, value, nth]);
  return sha256Hex(text).slice(0, ID_DIGITS);
}

/** A window as it was counted: all its events, those of this revision and those before it. */
export interface CountedWindow {
  /** "windows", or the name of a sink that takes rows. */
  feed: string;
  stream: string;
  startMs: number;
  revision: number;
  events: WindowEvent[];
}

/** A window as it has been counted just now. */
export interface JustCounted extends Omit<CountedWindow, "revision" | "events"> {
  events: readonly NewEvent[];
  /** Its revision is no lower, whatever is known of those before. */
  revisionMin: number;
}

/**
 * The next revision of a window; null when nothing is different. Events that are in their lists no
 * more go on with a count of 0; those of `groups` that could not be counted stay as they are.
 */
export function nextRevision(
  before: CountedWindow | null,
  { revisionMin, ...now }: JustCounted,
  uncounted: ReadonlySet<string> = new Set(),
): CountedWindow | null {
  const revision = Math.max((before?.revision ?? 0) + 1, revisionMin);
  const known = new Map(before?.events.map((event) => [event.id, event]));
  let changed = 0;
  const events = now.events.map((event): WindowEvent => {
    const old = known.get(event.id);
    known.delete(event.id);
    if (old !== undefined && isSame(old, event)) return old;
    changed++;
    return { ...event, revision };
  });
  for (const old of known.values()) {
    const isGone = old.row === undefined && old.count !== 0 && !uncounted.has(old.group);
    if (isGone) changed++;
    events.push(isGone ? { ...bare(old), count: 0, revision } : old);
  }
  return changed === 0 ? null : { ...now, revision, events };
}

/** The events that a revision has changed: those that sinks have still to get. */
export function changedEvents({ revision, events }: CountedWindow): WindowEvent[] {
  return events.filter((event) => event.revision === revision);
}

function isSame({ revision: _, ...old }: WindowEvent, event: NewEvent): boolean {
  return JSON.stringify(old) === JSON.stringify(event);
}

/** Without what was measured. */
function bare({ id, revision, host, region, stream, start, end, group, value }: WindowEvent) {
  const known = { id, revision, host, region, stream, start, end, group };
  return value === undefined ? known : { ...known, value };
}
