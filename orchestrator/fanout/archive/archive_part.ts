/** Which part of a question the archive answers, and what its answer covers. */
import { hoursOf } from "../../../protocol/archive/archived_hours.ts";
import type { QueryClaims } from "../../../protocol/signing/claims.ts";
import { HOUR_SPANS_MAX } from "../../../protocol/wire/messages.ts";
import type { Presence } from "../../../protocol/wire/messages.ts";
import { LogvendError } from "../../../protocol/errors.ts";
import {
  CHUNK_LABELS,
  labelsBeside,
  matches,
  matchesKnown,
  namedHosts,
  parseSelector,
} from "../../../protocol/selector/selector.ts";
import type { Plan } from "../../../queries/plan/plan.ts";
import { ARCHIVE_COMMAND } from "../../fleet/archived_hosts.ts";
import type { ChunkCatalog, Read } from "../../fleet/chunk_catalog.ts";
import type { Fleet } from "../../fleet/fleet.ts";
import type { Audience } from "../audience.ts";
import type { HostAnswer } from "../collector.ts";
import { silence } from "../coverage.ts";
import type { Absent, Archived, Missing } from "../coverage.ts";
import { ArchiveWork } from "./archive_work.ts";
import type { ArchiveList, ArchiveProgress, ArchiveWorkOptions } from "./archive_work.ts";
import { absentHours } from "./hours.ts";
import { reaches, reachOf, withArchive } from "./reach.ts";
import type { Strangers } from "./strangers.ts";

/** An agent's share of what the archive answers: no host is through by it. */
export interface ArchivedOutcome {
  kind: "archived";
  answer: HostAnswer;
}

type WorkOptions = "ask" | "referenceBytesMax" | "kept" | "folder" | "startedMs" | "chunkRoom";

export interface ArchivePartOptions extends Pick<ArchiveWorkOptions, WorkOptions> {
  fleet: Fleet;
  catalog: ChunkCatalog;
  claims: QueryClaims;
  audience: Audience;
  read: Read;
  /** Null: none are meant, or all hosts of the archive. */
  strangers: Strangers | null;
  nowMs: number;
}

/** Of a question's time, in which it may become known who has archived chunks. */
const STRANGERS_SHARE = 2 / 5;

/**
 * Null: hosts answer for all there is.
 * @throws {LogvendError} of a question to the archive alone: usage, where it selects by other labels;
 * unavailable, where nobody is there to say that it has nothing
 */
export function archivePart(options: ArchivePartOptions): ArchivePart | null {
  const { claims: { source = "live", selector }, read, audience } = options;
  if (source === "live" || read.tables.length === 0) return null;
  const others = labelsBeside(parseSelector(selector), CHUNK_LABELS);
  if (source === "archive") {
    if (others.length === 0) {
      checkRegions(options.fleet, selector);
      return new ArchivePart(options, {
        regions: null,
        isWanted: () => true,
      });
    }
    throw new LogvendError(
      "usage",
      `The archive knows host and region of its chunks, not ${
        others.join(", ")
      }: select by these, ` +
        "or ask with --source auto",
    );
  }
  const hosts = [
    ...audience.missing.filter(isAway).map(({ host }) => host),
    ...audience.pruned.filter((host) => options.catalog.mayHaveGone(host, read)),
  ];
  const { strangers } = options;
  if (hosts.length === 0 && strangers?.areThere !== true) return null;
  if (!hasArchive(options.fleet)) return null;
  const regions = hosts.flatMap((host) => options.fleet.get(host)?.presence.region ?? []);
  const wanted = new Set(hosts);
  const isWanted = (host: string) => wanted.has(host) || strangers?.isOne(host) === true;
  return new ArchivePart(options, { regions: new Set(regions), isWanted });
}

/** @throws {LogvendError} unavailable, where no region is meant that anybody could look at */
function checkRegions(fleet: Fleet, selectorText: string) {
  const selector = parseSelector(selectorText);
  const known = [...new Set(fleet.list().map(({ presence }) => presence.region))];
  if (known.some((region) => matchesKnown(selector, { region }) !== false)) return;
  throw new LogvendError(
    "unavailable",
    known.length === 0
      ? "No host was ever seen that could read an archive (logvend hosts)"
      : `No region of the fleet matches ${selectorText}: known are ${known.sort().join(", ")}`,
  );
}

/** Whether any agent of the fleet, or of a region, reads an archive. */
function hasArchive(fleet: Fleet, region?: string): boolean {
  return fleet.list().some(({ presence }) =>
    presence.commands.includes(ARCHIVE_COMMAND) &&
    (region === undefined || presence.region === region)
  );
}

/** Of what the archive is read: no host that is asked itself. */
interface Extent extends Pick<ArchiveWorkOptions, "isWanted"> {
  /** Of strangers as soon as they are known; null: all. */
  regions: Set<string> | null;
}

function isAway({ kind }: Missing): boolean {
  return kind === "offline" || kind === "retired";
}

export class ArchivePart implements Disposable {
  /** What has been read so far, of all that is to be. */
  progress: ArchiveProgress | null = null;
  private readonly work: ArchiveWork;
  private list: ArchiveList = { chunks: [], hours: [], looked: 0, unread: [] };

  constructor(
    private readonly options: ArchivePartOptions,
    private readonly extent: Extent,
  ) {
    this.work = new ArchiveWork({
      ...options,
      ...extent,
      selector: options.claims.selector,
      isWaiting: options.claims.source === "archive",
      onProgress: (progress) => this.progress = progress,
    });
  }

  [Symbol.dispose]() {
    this.work[Symbol.dispose]();
  }

  /** The chunks that are to be read. Hosts that are asked themselves have theirs. */
  async find(signal: AbortSignal): Promise<ArchiveList> {
    await this.meetStrangers(signal);
    if (this.isAsked) this.list = this.withoutHeld(await this.work.list(signal));
    return this.list;
  }

  /** Whether the archive is asked; false: nobody is away, and nobody is known to be in it alone. */
  get isAsked(): boolean {
    return this.extent.regions === null || this.extent.regions.size > 0;
  }

  /** What it would read, and where that is not known; null: nothing. */
  async explain(signal: AbortSignal): Promise<ArchiveList | null> {
    const list = await this.find(signal);
    const unread = [...list.unread, ...this.options.strangers?.untold ?? []];
    return this.isAsked || unread.length > 0 ? { ...list, unread } : null;
  }

  private async meetStrangers(signal: AbortSignal) {
    const { strangers, claims } = this.options;
    if (strangers === null) return;
    await strangers.settle(signal, claims.limits.timeout_ms * STRANGERS_SHARE);
    for (const regions of strangers.hosts.values()) {
      for (const region of regions) this.extent.regions?.add(region);
    }
  }

  /** A host that has another name now answers for the chunks that it has on its disk from before. */
  private withoutHeld(list: ArchiveList): ArchiveList {
    const { audience, catalog, strangers } = this.options;
    if (strangers === null) return list;
    const asked = audience.asked.map(({ presence }) => presence.host)
      .filter((host) => catalog.mayHoldOfOthers(host));
    const chunks = list.chunks.filter(({ place }) => {
      for (const host of asked) {
        const isHeld = catalog.holdsOfOther(host, place);
        if (isHeld === false) continue;
        if (isHeld === null) {
          const reason = `${host} may hold rows of it, and has not said which: ask again, ` +
            "or with --source archive";
          this.work.result.failed.set(place.host, reason);
        }
        return false;
      }
      return true;
    });
    return { ...list, chunks };
  }

  /** Finds them, and has them read. */
  async *outcomes(plan: Plan, signal: AbortSignal): AsyncGenerator<ArchivedOutcome[]> {
    await this.find(signal);
    if (!this.isAsked) return;
    for await (const answers of this.work.read(this.list, plan, signal)) {
      yield answers.map((answer) => ({ kind: "archived", answer }));
    }
  }

  /** What an agent read does not add up. */
  reject(answer: HostAnswer, reason: string) {
    this.options.kept?.question.spoil();
    this.work.reject(answer, `what ${answer.host} read in the archive: ${reason}`);
  }

  /** Hosts of which something is read. */
  get hostCount(): number {
    return new Set(this.list.chunks.map(({ place }) => place.host)).size;
  }

  /** Of what was read so far. */
  get rowsScanned(): number {
    return this.work.result.coverage.reduce((sum, { rows_scanned }) => sum + rows_scanned, 0);
  }

  /** How many answers there will be. */
  get pieceCount(): number {
    return this.work.pieceCount;
  }

  /** Who is missing once the archive has been read, and what came of it. */
  settle(heard: readonly Missing[]): { missing: Missing[]; archived: Archived | null } {
    const { list, work: { result: { coverage, failed } } } = this;
    const missing = this.withStrangers(heard);
    if (!this.isAsked) return { missing, archived: null };
    const hosts = new Set(list.hours.map(({ host }) => host));
    const before = new Set(missing.map(({ host }) => host));
    const left = missing.flatMap((one) => isAway(one) ? this.helped(one) ?? [] : one);
    const isLeft = new Set(left.map(({ host }) => host));
    const helped = [...before].filter((host) => !isLeft.has(host)); // the archive may have nothing
    const more = [...failed].filter(([host]) => !before.has(host))
      .map(([host, reason]): Missing => ({ host, kind: "failed", reason }));
    const all = [...left, ...more, ...this.unread(before), ...this.unheard()];
    const isMissing = new Set(all.map(({ host }) => host));
    // Hosts that are pruned are counted as such.
    const pruned = new Set(this.options.audience.pruned);
    const whole = [...new Set([...hosts, ...helped])].filter((host) =>
      !isMissing.has(host) && !pruned.has(host)
    );
    const absent = this.absent();
    const archivedTo = this.options.claims.source === "archive"
      ? reaches({ ...this.options, list, isMissing })
      : [];
    return { missing: all, archived: { coverage, hosts: hosts.size, whole, absent, archivedTo } };
  }

  /** Hours that nobody has, host by host. */
  private absent(): Absent[] {
    const { list, options: { read, catalog } } = this;
    return [...Map.groupBy(list.hours, ({ host }) => host)].flatMap(([host, own]) => {
      const hours = absentHours(hoursOf(own), catalog.hours(host, read), read).slice(
        0,
        HOUR_SPANS_MAX,
      );
      return hours.length === 0 ? [] : [{ host, hours }];
    });
  }

  /** A host that is away, with what the archive had of it; null: all that was asked. */
  private helped(missing: Missing): Missing | null {
    const { list: { hours, unread }, work: { result: { failed } }, options } = this;
    const { fleet, strangers, nowMs } = options;
    const known = fleet.get(missing.host);
    const regions = strangers?.hosts.get(missing.host) ?? new Set([known?.presence.region]);
    const reason = failed.get(missing.host) ??
      unread.find(({ region }) => regions.has(region))?.reason;
    if (reason !== undefined) return { ...missing, reason: `${missing.reason}  ${reason}` };
    const own = hours.filter(({ host }) => host === missing.host);
    const reach = reachOf(options, known, { host: missing.host, own });
    if (reach.isWhole) return null;
    if (own.length === 0) return missing;
    // A stranger may have had no more: nobody knows of a gap.
    const isStranger = strangers?.isOne(missing.host) === true;
    const seenMs = isStranger ? reach.untilMs : known?.seenMs ?? null;
    return withArchive(missing, reach, { seenMs, nowMs });
  }

  /** Beside who is missing already, strangers: those that are in no list have nothing of what is asked. */
  private withStrangers(missing: readonly Missing[]): Missing[] {
    const { list: { hours, unread }, options: { strangers, nowMs } } = this;
    if (strangers === null) return [...missing];
    const unlisted = [...strangers.hosts].filter(([, regions]) =>
      unread.some(({ region }) => regions.has(region))
    );
    const listed = hours.map(({ host }) => host).filter((host) => strangers.isOne(host));
    const hosts = new Set([...unlisted.map(([host]) => host), ...listed]);
    const reason = silence(null, nowMs);
    return [
      ...missing.filter(({ host, kind }) => kind !== "unknown" || !hosts.has(host)),
      ...[...hosts].map((host): Missing => ({ host, kind: "offline", reason })),
      ...strangers.missing(),
    ];
  }

  /** Hosts that are asked for by name, and that neither the fleet knows nor the archive. */
  private unheard(): Missing[] {
    const { list: { chunks, hours, unread }, options: { claims, fleet } } = this;
    if (claims.source !== "archive") return []; // else the audience names them
    const archived = new Set(
      [...hours, ...chunks.map(({ place }) => place)].map(({ host }) => host),
    );
    const [away] = unread;
    const why = away === undefined
      ? "nothing of it is archived in this range"
      : `${away.region} cannot be looked at: ${away.reason}`;
    return namedHosts(parseSelector(claims.selector))
      .filter((host) => fleet.get(host) === undefined && !archived.has(host))
      .map((host): Missing => ({ host, kind: "unknown", reason: `never seen, and ${why}` }));
  }

  /** Hosts of regions whose archive nobody could look at, of which it was to be read. */
  private unread(before: ReadonlySet<string>): Missing[] {
    const { claims, fleet, audience } = this.options;
    const selector = parseSelector(claims.selector);
    const pruned = new Set(audience.pruned);
    const isOnlyThere = ({ host, region }: Presence) =>
      this.extent.regions === null ||
      (pruned.has(host) && this.extent.isWanted(host) && hasArchive(fleet, region));
    return this.list.unread.flatMap(({ region, reason }) =>
      fleet.list().map(({ presence }) => presence)
        .filter((presence) => presence.region === region && !before.has(presence.host))
        .filter(isOnlyThere)
        .filter(({ host, labels }) => matches(selector, { ...labels, host, region }))
        .map(({ host }): Missing => ({ host, kind: "lost", reason }))
    );
  }
}
