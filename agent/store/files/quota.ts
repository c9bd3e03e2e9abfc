/** The data folder's share of the disk: at its quota reading pauses, or the oldest chunks go. */
import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import { LogvendError } from "../../../protocol/errors.ts";
import { formatBytes } from "../../../protocol/units.ts";

/** How much the data folder may hold, and what happens when it does. */
export interface QuotaPolicy {
  bytes: number;
  /**
   * `pause`: what waits in log files stays there. `drop_oldest`: chunks go before their time.
   * `fail`: for who reads once, and for whom nobody seals and retires meanwhile.
   */
  whenFull: "pause" | "drop_oldest" | "fail";
}

export interface QuotaOptions {
  policy: QuotaPolicy;
  /** Bytes that the data folder holds. */
  usedBytes: () => number;
  /** Removes that many bytes of the oldest chunks; false: there are none. */
  dropOldest: (bytes: number) => Promise<boolean>;
}

/** Reading goes on below this share: at the quota itself it would stop and go by the second. */
const RESUME_SHARE = 0.95;

/** Between two looks while reading pauses. */
const LOOK_EVERY_MS = 1_000;

/** Said once when it begins to pause, and once when it goes on. */
export class Quota {
  private readonly log = getLogger(["agent", "quota"]);
  private full = false;

  constructor(private readonly options: QuotaOptions) {}

  /** Why reading pauses; null while it goes on. */
  get reason(): string | null {
    const { bytes } = this.options.policy;
    return this.full ? `the data folder has reached its quota of ${formatBytes(bytes)}` : null;
  }

  /** Looks how much there is; makes room where the policy says so. */
  async check(): Promise<void> {
    const { policy: { bytes, whenFull }, usedBytes, dropOldest } = this.options;
    const resumeBytes = bytes * RESUME_SHARE;
    let used = usedBytes();
    if (used >= bytes && whenFull === "drop_oldest" && await dropOldest(used - resumeBytes)) {
      used = usedBytes();
    }
    const isFull = used >= (this.full ? resumeBytes : bytes);
    if (isFull === this.full) return;
    this.full = isFull;
    if (whenFull === "fail") return; // says so itself
    const facts = { used: formatBytes(used), quota: formatBytes(bytes) };
    if (isFull) {
      this.log.warn(
        "The data folder holds {used}, its quota is {quota}: reading pauses until there is room " +
          "(retention, a larger quota, on_quota: drop_oldest)",
        facts,
      );
    } else this.log.info("The data folder holds {used} of {quota}: reading goes on", facts);
  }

  /**
   * Resolves when reading may go on; at once when it may, and when `signal` says that all ends.
   * @throws {LogvendError} unavailable, where reading is to fail
   */
  async room(signal: AbortSignal): Promise<void> {
    if (this.full && this.options.policy.whenFull === "fail") {
      throw new LogvendError(
        "unavailable",
        `Stopped: ${this.reason}; make room (quota, retention), then go on with the same command`,
      );
    }
    while (this.full && !signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
      await this.check();
    }
  }
}

/** Folders whose files agent.db counts. */
const COUNTED = /^(parts$|stream=)/;

/** Bytes of what lies in a data folder beside parts and chunks: agent.db, quarantine, results. */
export function otherBytes(folder: string): number {
  let bytes = 0;
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory && COUNTED.test(name)) continue;
    const path = join(folder, name);
    try {
      bytes += isDirectory ? otherBytes(path) : Deno.lstatSync(path).size;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // results come and go
    }
  }
  return bytes;
}
