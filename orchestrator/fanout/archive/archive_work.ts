/** The part of a question that the archive answers: agents list its chunks, then read them. */
import {
  CHUNK_LIST,
  chunksOfTexts,
  HOUR_LIST,
  runsOfTexts,
} from "../../../protocol/archive/archive_piece.ts";
import type { ArchivePiece } from "../../../protocol/archive/archive_piece.ts";
import { chunksIn } from "../../../protocol/archive/archived_hours.ts";
import type { ChunkRoom, ChunkShare } from "../../../protocol/archive/chunk_room.ts";
import type { HourRun } from "../../../protocol/archive/archived_hours.ts";
import { BUSY_RULE } from "../../../protocol/wire/messages.ts";
import type { HostCoverage, WireError } from "../../../protocol/wire/messages.ts";
import { fromWireError } from "../../../protocol/wire/wire_error.ts";
import { matchesKnown, parseSelector } from "../../../protocol/selector/selector.ts";
import type { Plan } from "../../../queries/plan/plan.ts";
import { ARCHIVE_COMMAND } from "../../fleet/archived_hosts.ts";
import type { ChunkCatalog } from "../../fleet/chunk_catalog.ts";
import type { Fleet } from "../../fleet/fleet.ts";
import type { HostAnswer, Outcome } from "../collector.ts";
import { unreadText } from "../coverage.ts";
import { cutPieces, placed } from "./pieces.ts";
import type { Piece, PlacedChunk } from "./pieces.ts";
import { BUSY_REST_MS, FINAL_CODES, PieceRunner } from "./piece_runner.ts";
import { cameBack } from "./settling.ts";
import type { KeptQuestion, Planned, UsableAnswer } from "./kept/kept_question.ts";
import { underSamePolicy } from "./kept/same_policy.ts";

export interface ArchiveWorkOptions {
  fleet: Fleet;
  /** What hosts have on their disks. */
  catalog: ChunkCatalog;
  /** Selector text. */
  selector: string;
  /** Which hosts' chunks are read. */
  isWanted: (host: string) => boolean;
  /** Regions that have such hosts; null: all. */
  regions: ReadonlySet<string> | null;
  /** Asks one agent; an abort cancels. */
  ask: (agent: string, piece: PieceCommand, signal: AbortSignal) => Promise<Outcome>;
  referenceBytesMax: number;
  /** What was read before and is read now, for when this orchestrator ends; null: nothing is kept. */
  kept: KeptWork | null;
  /** For long answers, made when it is needed. */
  folder: () => string;
  /** When the orchestrator started, by Date.now(). */
  startedMs: number;
  /** Whether agents that are on their way back are waited for: no host can answer in their place. */
  isWaiting: boolean;
  onProgress: (done: ArchiveProgress) => void;
  /** Of all questions. */
  chunkRoom: ChunkRoom;
}

export interface KeptWork {
  question: KeptQuestion;
  planned: Planned;
}

/** What is asked of an agent, without the id that was signed. */
export type PieceCommand =
  | { kind: "list" }
  | { kind: "read"; chunks: Extract<ArchivePiece, { kind: "read" }>["chunks"] };

export interface ArchiveProgress {
  chunks: number;
  chunksTotal: number;
  bytes: number;
  bytesTotal: number;
}

/** What the archive has for a question, and where nobody could say. */
export interface ArchiveList {
  chunks: PlacedChunk[];
  /** Of which hours of the range there are how many chunks, ruled out or not. */
  hours: HourRun[];
  /** How many chunks there are in the range: the others are ruled out. */
  looked: number;
  /** Regions that nobody could list, and why. */
  unread: { region: string; reason: string }[];
}

/** What has come of it. */
export interface ArchiveResult {
  /** Of all agents that read for it. */
  coverage: HostCoverage[];
  /** Hosts of which something could not be read, and why. */
  failed: Map<string, string>;
}

/** More agents of a region are not asked for its list. */
const LIST_TRIES_MAX = 3;

export class ArchiveWork implements Disposable {
  readonly result: ArchiveResult = { coverage: [], failed: new Map() };
  /** Answers that there will be, with those that were kept. */
  pieceCount = 0;
  /** What each answer is of. */
  private readonly chunksOf = new WeakMap<HostAnswer, readonly PlacedChunk[]>();
  private readonly share: ChunkShare;

  constructor(private readonly options: ArchiveWorkOptions) {
    this.share = options.chunkRoom.open();
  }

  /** What it holds of chunks counts no more. */
  [Symbol.dispose]() {
    this.share[Symbol.dispose]();
  }

  /** Agents that are there and read the archive of a region: those labelled for it, if there are. */
  agents(region: string): string[] {
    const able = this.options.fleet.list().filter(({ presence, state }) =>
      state === "online" && presence.region === region &&
      presence.commands.includes(ARCHIVE_COMMAND)
    ).map(({ presence }) => presence);
    const labelled = able.filter(({ labels }) => labels.compute === "true");
    return (labelled.length > 0 ? labelled : able).map(({ host }) => host);
  }

  /** Whether its host is there, and has it on its disk still. */
  private isHeld({ place: { host, stream, hour } }: PlacedChunk): boolean {
    return this.isThere(host) && this.options.catalog.hasHour(host, stream, hour);
  }

  /** Whether a host is there, and reads the archive. */
  private isThere(host: string): boolean {
    const known = this.options.fleet.get(host);
    return known?.state === "online" && known.presence.commands.includes(ARCHIVE_COMMAND);
  }

  /**
   * Asks one agent of each region; another one if it cannot say.
   * @throws {LogvendError} what every agent would say, and of the room for chunks
   */
  async list(signal: AbortSignal): Promise<ArchiveList> {
    const selector = parseSelector(this.options.selector);
    const known = new Set(this.options.fleet.list().map(({ presence }) => presence.region));
    const regions = [...known].filter((region) =>
      this.options.regions?.has(region) !== false && matchesKnown(selector, { region }) !== false
    );
    const lists = await Promise.all(regions.map((region) => this.listRegion(region, signal)));
    const chunks = lists.flatMap(({ chunks }) => chunks)
      .filter(({ place }) => this.options.isWanted(place.host));
    const unread = lists.flatMap(({ region, reason }) =>
      reason === null ? [] : [{ region, reason }]
    );
    const hours = lists.flatMap(({ hours }) => hours)
      .filter(({ host }) => this.options.isWanted(host));
    const looked = Math.max(chunks.length, chunksIn(hours)); // older agents tell no hours
    return { chunks, hours, looked, unread };
  }

  /** Every chunk once; nothing, when it is known how many there are. What could not be read is in the result then. */
  async *read(
    { chunks }: ArchiveList,
    plan: Plan,
    signal: AbortSignal,
  ): AsyncGenerator<HostAnswer[]> {
    const { ask, referenceBytesMax, onProgress, folder, kept } = this.options;
    const byHost = plan.mode === "host_complete";
    const done = progressOf(chunks);
    const isRead = new Set<PlacedChunk>();
    for (const before of await this.readBefore(chunks, byHost, signal)) {
      const answer = await before.read(folder);
      if (answer === null) continue;
      for (const chunk of before.chunks) isRead.add(chunk);
      addDone(done, before.chunks);
      onProgress({ ...done });
      this.pieceCount++;
      yield [this.counted(before.chunks, answer)];
    }
    const pieces = cutPieces(chunks.filter((chunk) => !isRead.has(chunk)), {
      byHost,
      agentCount: (region) => this.agents(region).length,
      isHeld: (chunk) => this.isHeld(chunk),
      referenceBytesMax,
    });
    this.pieceCount += pieces.length;
    // A single piece is the answer: there is no middle to end in.
    if (pieces.length > 1) await kept?.question.plan(kept.planned);
    onProgress({ ...done });
    yield []; // for who watches: with a slow store the first piece takes long
    const runner = new PieceRunner({
      pieces,
      agents: (region) => this.agents(region),
      // Whoever has the chunks on its disk needs no label.
      isHolder: ({ chunks }) => chunks.some((chunk) => this.isHeld(chunk)),
      ask: (agent, piece, stop) => ask(agent, readCommand(piece), stop),
    });
    for await (const outcomes of runner.run(signal)) {
      const answers: HostAnswer[] = [];
      for (const outcome of outcomes) {
        const { piece } = outcome;
        addDone(done, piece.chunks);
        if (outcome.kind === "answered") {
          const isWhole = outcome.answer.coverage.unread === undefined; // else it is asked again
          if (isWhole) await kept?.question.keep(piece, outcome.answer);
          answers.push(this.counted(piece.chunks, outcome.answer));
        } else this.fail(piece, outcome.outcome);
      }
      onProgress({ ...done });
      yield answers;
    }
  }

  /** What was read of these chunks before, and would be read in the same way now. */
  private async readBefore(
    chunks: readonly PlacedChunk[],
    byHost: boolean,
    signal: AbortSignal,
  ): Promise<UsableAnswer[]> {
    const usable = await this.options.kept?.question.usable(chunks, byHost) ?? [];
    const asking = {
      isThere: (agent: string) => this.isThere(agent),
      agents: (region: string) => this.agents(region),
      ask: this.options.ask,
    };
    return await underSamePolicy(usable, asking, signal);
  }

  private counted(chunks: readonly PlacedChunk[], answer: HostAnswer): HostAnswer {
    this.chunksOf.set(answer, chunks);
    this.result.coverage.push(answer.coverage);
    for (const unread of answer.coverage.unread ?? []) {
      this.result.failed.set(unread.host, unreadText(unread));
    }
    return answer;
  }

  /** An answer of `read` is of no use: its chunks are missing. */
  reject(answer: HostAnswer, reason: string) {
    const { result } = this;
    result.coverage = result.coverage.filter((one) => one !== answer.coverage);
    this.failed(this.chunksOf.get(answer) ?? [], reason);
  }

  private failed(chunks: readonly PlacedChunk[], reason: string) {
    for (const { place } of chunks) this.result.failed.set(place.host, reason);
  }

  /** @throws {LogvendError} what every agent would say */
  private fail({ chunks }: Piece, { host, reason, error }: Extract<Outcome, { kind: "missing" }>) {
    throwFinal(error);
    this.failed(chunks, `its archived chunks could not be read: ${host}: ${reason}`);
  }

  private async listRegion(region: string, signal: AbortSignal): Promise<RegionList> {
    const { fleet, startedMs, isWaiting } = this.options;
    const agents = () => this.agents(region);
    if (isWaiting) await cameBack({ fleet, region, startedMs, agents }, signal);
    for (;;) {
      const list = await this.listOnce(region, signal);
      if (!list.isBusy) return list;
      await new Promise<void>((resolve) => setTimeout(resolve, BUSY_REST_MS));
      signal.throwIfAborted();
    }
  }

  /** Asks some agents, one after the other. `isBusy`: that nobody could say, and one of them may later. */
  private async listOnce(
    region: string,
    signal: AbortSignal,
  ): Promise<RegionList & { isBusy: boolean }> {
    let reason = `no agent of ${region} that reads its archive is online`;
    let isBusy = false;
    for (const agent of this.agents(region).slice(0, LIST_TRIES_MAX)) {
      const outcome = await this.options.ask(agent, { kind: "list" }, signal);
      if (outcome.kind === "answered") {
        const list = listed(outcome.answer, region);
        if (list !== null) {
          this.share.take(list.chunks.length);
          return { region, ...list, reason: null, isBusy: false };
        }
        reason = `${agent}: its list of chunks is none`;
      } else {
        throwFinal(outcome.error);
        reason = `${agent}: ${outcome.reason}`;
        isBusy ||= outcome.error?.rule === BUSY_RULE;
      }
    }
    return { region, chunks: [], hours: [], reason, isBusy };
  }
}

/** @throws {LogvendError} what every agent would say */
function throwFinal(error: WireError | undefined) {
  if (error !== undefined && FINAL_CODES.has(error.code)) throw fromWireError(error);
}

interface RegionList {
  region: string;
  chunks: PlacedChunk[];
  hours: HourRun[];
  /** Null: it was listed. */
  reason: string | null;
}

/** Null: it is malformed. What is of other regions is nothing that its agent can say. */
function listed(
  { parts }: HostAnswer,
  region: string,
): Pick<RegionList, "chunks" | "hours"> | null {
  const texts = (name: string) =>
    parts.flatMap(({ table, part }) =>
      table === name && part.encoding === "text" ? [part.values] : []
    );
  try {
    const chunks = placed(texts(CHUNK_LIST).flatMap(chunksOfTexts));
    return {
      chunks: chunks.filter(({ place }) => place.region === region),
      hours: texts(HOUR_LIST).flatMap(runsOfTexts),
    };
  } catch {
    return null; // other texts: nothing else is thrown
  }
}

function readCommand({ chunks }: Piece): PieceCommand {
  return { kind: "read", chunks: chunks.map(({ key, bytes, etag }) => [key, bytes, etag]) };
}

function progressOf(chunks: readonly PlacedChunk[]): ArchiveProgress {
  const bytesTotal = chunks.reduce((sum, { readBytes }) => sum + readBytes, 0);
  return { chunks: 0, chunksTotal: chunks.length, bytes: 0, bytesTotal };
}

function addDone(done: ArchiveProgress, chunks: readonly PlacedChunk[]) {
  done.chunks += chunks.length;
  done.bytes += chunks.reduce((sum, { readBytes }) => sum + readBytes, 0);
}
