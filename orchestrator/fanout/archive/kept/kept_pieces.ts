/**
 * What agents have read in the archive, on the orchestrator's disk until its question is answered: when
 * the orchestrator ends in the middle, whoever asks the same again waits for the rest only.
 */
import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import type { QueryClaims } from "../../../../protocol/signing/claims.ts";
import { messageOf } from "../../../../protocol/errors.ts";
import { sha256Hex } from "../../../../protocol/sha256.ts";
import { KeptQuestion } from "./kept_question.ts";
import { removeFolder } from "./remove_folder.ts";

const log = getLogger(["orchestrator", "fanout"]);

/** Nobody asks the same again after that. */
const KEPT_MAX_MS = 24 * 3_600_000;
const LOOK_EVERY_MS = 3_600_000;

/** What nobody has come back for may take this part of the room, so that there is some for others. */
const LEFT_SHARE_MAX = 0.5;

export interface KeptPiecesOptions {
  /** Of this orchestrator alone. */
  folder: string;
  /** Of all questions together; what is over it is not kept. */
  bytesMax: number;
}

/** A question as it was asked. */
export interface KeptFor {
  sql: string;
  /** Public key. */
  operator: string;
  claims: QueryClaims;
}

/** Those of all questions. */
export class KeptPieces implements Disposable {
  /** By name; null: it is being opened. */
  private readonly running = new Map<string, KeptQuestion | null>();
  /** How often all had to be forgotten. */
  private forgotten = 0;
  private bytes = 0;
  private isEnding = false;
  private readonly timer: ReturnType<typeof setInterval>;

  private constructor(private readonly options: KeptPiecesOptions) {
    const look = () => void this.sweep().catch((error) => sayNot(error));
    this.timer = setInterval(look, LOOK_EVERY_MS);
  }

  /** Finds what the last orchestrator left. */
  static async open(options: KeptPiecesOptions): Promise<KeptPieces> {
    await Deno.mkdir(options.folder, { recursive: true, mode: 0o700 });
    const pieces = new KeptPieces(options);
    try {
      await pieces.sweep();
      return pieces;
    } catch (error) {
      pieces[Symbol.dispose]();
      throw error;
    }
  }

  /** Those of one question; null: the same is being asked already, or nothing can be kept. */
  async begin(asked: KeptFor): Promise<KeptQuestion | null> {
    const name = nameOf(asked);
    if (this.running.has(name)) return null;
    this.running.set(name, null);
    const before = this.forgotten;
    try {
      await this.sweep();
      const question = await this.open(name);
      this.running.set(name, question);
      if (this.forgotten !== before) await question.forget();
      return question;
    } catch (error) {
      this.running.delete(name);
      sayNot(error);
      return null;
    }
  }

  private async open(name: string): Promise<KeptQuestion> {
    const folder = join(this.options.folder, name);
    return await KeptQuestion.open({
      folder,
      take: (bytes) => this.take(bytes),
      onEnd: async (isLeft) => {
        this.running.delete(name);
        if (!isLeft && !this.isEnding) await removeFolder(folder);
      },
    });
  }

  /**
   * Removes everything: rows that are in it are to be erased. Of questions that run nothing is kept
   * from now on either, for what agents are still reading has such rows too.
   */
  async forget(): Promise<void> {
    const { folder } = this.options;
    this.forgotten++;
    await Promise.all([...this.running.values()].map((question) => question?.forget()));
    for await (const { name } of Deno.readDir(folder)) {
      if (!this.running.has(name)) await removeFolder(join(folder, name));
    }
    await this.sweep();
  }

  /** The orchestrator ends: from now on everything stays for the next one. */
  leaveAll(): void {
    this.isEnding = true;
  }

  [Symbol.dispose](): void {
    clearInterval(this.timer);
  }

  private take(bytes: number): boolean {
    if (this.bytes + bytes > this.options.bytesMax) return false;
    this.bytes += bytes;
    return true;
  }

  /** Removes what nobody has come back for, and counts the rest. */
  private async sweep() {
    const { folder, bytesMax } = this.options;
    const left: { path: string; bytes: number; changedMs: number }[] = [];
    let bytes = 0;
    for await (const { name } of Deno.readDir(folder)) {
      const one = await lookAt(join(folder, name));
      bytes += one.bytes;
      if (!this.running.has(name)) left.push(one);
    }
    let leftBytes = left.reduce((sum, one) => sum + one.bytes, 0);
    for (const one of left.toSorted((a, b) => a.changedMs - b.changedMs)) {
      const isOld = Date.now() - one.changedMs > KEPT_MAX_MS;
      if (!isOld && leftBytes <= LEFT_SHARE_MAX * bytesMax) break;
      await removeFolder(one.path);
      leftBytes -= one.bytes;
      bytes -= one.bytes;
    }
    this.bytes = bytes;
  }
}

function sayNot(error: unknown) {
  log.warning("Cannot keep what is read in the archive: {reason}.", { reason: messageOf(error) });
}

/** The same question of the same operator has the same name. */
function nameOf({ sql, operator, claims }: KeptFor): string {
  const { selector, range, source, now, limits, broadcast_sha256 } = claims;
  const { since, until, implied } = range;
  const asked = [sql, selector, since, until, implied, source, now, limits.rows_max];
  return sha256Hex(JSON.stringify([operator, broadcast_sha256, ...asked]));
}

async function lookAt(path: string) {
  let [bytes, changedMs] = [0, 0];
  try {
    changedMs = (await Deno.stat(path)).mtime?.getTime() ?? 0;
    for await (const { name } of Deno.readDir(path)) {
      bytes += (await Deno.stat(join(path, name))).size;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error; // removed meanwhile
  }
  return { path, bytes, changedMs };
}
