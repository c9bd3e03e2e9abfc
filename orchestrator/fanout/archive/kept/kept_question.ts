/** What agents have read in the archive for one question, until it is answered. */
import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import { z } from "zod";
import type { ChunkReference } from "../../../../protocol/archive/archive_piece.ts";
import { writeDurably } from "../../../../protocol/durable_file.ts";
import { messageOf } from "../../../../protocol/errors.ts";
import { Table } from "../../../../protocol/wire/messages.ts";
import { formatBytes } from "../../../../protocol/units.ts";
import { PLAN_VERSIONS } from "../../../../queries/plan/planner.ts";
import type { HostAnswer } from "../../collector.ts";
import type { Piece, PlacedChunk } from "../pieces.ts";
import { listAnswers, newAnswer, restoredAnswer, writeAnswer } from "./kept_answer.ts";
import type { FoundAnswer } from "./kept_answer.ts";
import { removeFolder } from "./remove_folder.ts";

const log = getLogger(["orchestrator", "fanout"]);

/** With these it is planned the same way again. */
const Planned = z.object({ tables: z.array(Table), version: z.number().int() });
export type Planned = z.infer<typeof Planned>;

const PLAN_FILE = "plan.json";

/** What it has in common with those of other questions. */
export interface KeptQuestionParts {
  folder: string;
  /** Takes room for so many bytes; false: there is none. */
  take: (bytes: number) => boolean;
  /** @param isLeft whether it stays for who asks the same again */
  onEnd: (isLeft: boolean) => Promise<void>;
}

/** An answer whose chunks are still there, and of which listed ones it is. */
export interface UsableAnswer extends Pick<FoundAnswer, "reader" | "policy"> {
  chunks: PlacedChunk[];
  /** Reads it; null: it went meanwhile. @param folder where its files go */
  read(folder: () => string): Promise<HostAnswer | null>;
}

export class KeptQuestion {
  private isFull = false;
  private isSpoilt = false;
  private isForgotten = false;
  private isEnded = false;
  /** What is being written. */
  private writing: Promise<void> = Promise.resolve();
  private hasFailed = false;

  private constructor(
    private readonly parts: KeptQuestionParts,
    /** How it was planned; null: nothing of it is kept yet. */
    public planned: Planned | null,
  ) {}

  /** Looks what there is. */
  static async open(parts: KeptQuestionParts): Promise<KeptQuestion> {
    const planned = await readPlan(join(parts.folder, PLAN_FILE));
    if (planned === null) await removeFolder(parts.folder); // its answers are of no use
    return new KeptQuestion(parts, planned);
  }

  /** Says how it is planned, before anything of it is kept. */
  async plan(planned: Planned): Promise<void> {
    if (this.planned !== null) return;
    await this.write(async () => {
      const path = join(this.parts.folder, PLAN_FILE);
      const text = JSON.stringify({ tables: planned.tables, version: planned.version });
      await writeDurably(path, (temporary) => Deno.writeTextFile(temporary, text));
      this.planned = planned;
    });
  }

  /** Keeps an answer durably, if there is room for it. */
  async keep({ chunks }: Piece, answer: HostAnswer): Promise<void> {
    if (this.planned === null) return;
    await this.write(async () => {
      const references = chunks.map(({ key, bytes, etag }) => [key, bytes, etag] as const);
      const written = await newAnswer(references.map((one) => [...one]), answer);
      if (this.parts.take(written.bytes)) await writeAnswer(this.parts.folder, written);
      else this.sayFull(written.bytes);
    });
  }

  /**
   * Answers of which every chunk is in the list, as it was.
   * @param byHost whether a host's chunks belong together
   */
  async usable(listed: readonly PlacedChunk[], byHost: boolean): Promise<UsableAnswer[]> {
    const found: UsableAnswer[] = [];
    if (this.planned === null) return found;
    const { folder: from } = this.parts;
    const left = new Map(listed.map((chunk) => [chunk.key, chunk]));
    const ofHosts = Map.groupBy(listed, hostOf);
    for await (const { name, chunks: references, reader, policy } of listAnswers(from)) {
      const chunks = asTheyWere(references, left);
      if (chunks === null || (byHost && !areWholeHosts(chunks, ofHosts))) continue;
      found.push({ chunks, reader, policy, read: (to) => restoredAnswer(name, { from, to }) });
      for (const { key } of chunks) left.delete(key);
    }
    return found;
  }

  /** Removes what is kept of it, and keeps nothing more: rows that are in it are to be erased. */
  async forget(): Promise<void> {
    this.isForgotten = true;
    await this.writing;
    await removeFolder(this.parts.folder);
  }

  /** It is through. @param isLeft whether it may be asked again, for want of a whole answer */
  async end(isLeft: boolean): Promise<void> {
    this.isEnded = true;
    await this.writing;
    await this.parts.onEnd(isLeft && !this.isSpoilt && !this.isForgotten);
  }

  /** An answer that may be kept turned out to be of no use: who asks again has all of it read anew. */
  spoil(): void {
    this.isSpoilt = true;
  }

  private sayFull(bytes: number) {
    if (this.isFull) return;
    this.isFull = true;
    const size = formatBytes(bytes);
    log.warning("No room to keep {size} of an answer: after a restart it is read again.", { size });
  }

  /** One after the other. What cannot be kept is read again, if it comes to that: no reason to fail. */
  private write(write: () => Promise<void>): Promise<void> {
    return this.writing = this.writing.then(() => this.attempt(write));
  }

  private async attempt(write: () => Promise<void>) {
    if (this.isForgotten || this.isEnded) return;
    try {
      await write();
    } catch (error) {
      if (this.hasFailed) return;
      this.hasFailed = true;
      const reason = messageOf(error);
      log.warning("Cannot keep what was read in the archive: {reason}.", { reason });
    }
  }
}

/** Null: there is none that can be read, or planned in the same way by this version. */
async function readPlan(path: string): Promise<Planned | null> {
  try {
    const planned = Planned.parse(JSON.parse(await Deno.readTextFile(path)));
    return PLAN_VERSIONS.includes(planned.version) ? planned : null;
  } catch {
    return null;
  }
}

/** The listed chunks of an answer; null: one of them is not there, or another object by now. */
function asTheyWere(
  references: readonly ChunkReference[],
  listed: ReadonlyMap<string, PlacedChunk>,
): PlacedChunk[] | null {
  const found: PlacedChunk[] = [];
  for (const [key, , etag] of references) {
    const chunk = listed.get(key);
    if (chunk?.etag !== etag) return null;
    found.push(chunk);
  }
  return found;
}

/** Whether no other chunk of their hosts is listed. */
function areWholeHosts(
  chunks: readonly PlacedChunk[],
  listed: ReadonlyMap<string, readonly PlacedChunk[]>,
): boolean {
  return [...Map.groupBy(chunks, hostOf)].every(([host, own]) =>
    own.length === listed.get(host)?.length
  );
}

function hostOf({ place: { region, host } }: PlacedChunk): string {
  return `${region}/${host}`;
}
