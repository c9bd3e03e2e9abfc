/** The generations of a stream that are known, by what a file can be recognised by. */
import type { Generation } from "../store/batch.ts";
import { fileKey, HEAD_BYTES } from "./identity.ts";
import type { FileInfo } from "./identity.ts";

/** Each generation as it was when its file was last followed. */
export class History {
  private readonly byId = new Map<string, Generation>();
  /** Ids by device and inode, and by the hash of a whole first KiB; the newest last. */
  private readonly byFile = new Map<string, string[]>();
  private readonly byHead = new Map<string, string[]>();

  constructor(generations: Iterable<Generation>) {
    for (const generation of generations) this.put(generation);
  }

  get size(): number {
    return this.byId.size;
  }

  get(id: string): Generation | undefined {
    return this.byId.get(id);
  }

  put(generation: Generation): void {
    const { id, headBytes, headSha256 } = generation;
    const old = this.byId.get(id);
    const key = fileKey(generation);
    const oldKey = old === undefined ? null : fileKey(old);
    if (oldKey !== key) {
      if (oldKey !== null) remove(this.byFile, oldKey, id);
      add(this.byFile, key, id);
    }
    const isSame = old?.headSha256 === headSha256;
    if (typeof old?.headSha256 === "string" && !isSame) remove(this.byHead, old.headSha256, id);
    if (headBytes === HEAD_BYTES && headSha256 !== null && !isSame) {
      add(this.byHead, headSha256, id);
    }
    this.byId.set(id, generation);
  }

  /** What a file was read as, the newest first. */
  ofFile(file: Pick<FileInfo, "device" | "inode">): Generation[] {
    return this.all(this.byFile.get(fileKey(file))).toReversed();
  }

  /** What begins with this KiB, the newest first. */
  withHead(headSha256: string): Generation[] {
    return this.all(this.byHead.get(headSha256)).toReversed();
  }

  /** Of whose beginning less than a KiB is known. */
  short(): Generation[] {
    return [...this.byId.values()].filter(({ headBytes }) =>
      headBytes > 0 && headBytes < HEAD_BYTES
    );
  }

  /** What files hold, or held until `withinMs` ago. */
  *recent(nowMs: number, withinMs: number): Generator<Generation> {
    for (const ids of this.byFile.values()) {
      let endedMs = Infinity; // the newest is there still, and mostly the only one
      for (let i = ids.length - 1; i >= 0; i--) {
        const id = ids[i] ?? "";
        const generation = this.byId.get(id);
        if (generation === undefined || endedMs <= nowMs - withinMs) break;
        yield generation;
        endedMs = generation.firstSeenMs;
      }
    }
  }

  private all(ids: readonly string[] = []): Generation[] {
    return ids.flatMap((id) => this.byId.get(id) ?? []);
  }
}

function add(index: Map<string, string[]>, key: string, id: string) {
  const ids = index.get(key);
  if (ids === undefined) index.set(key, [id]);
  else ids.push(id);
}

function remove(index: Map<string, string[]>, key: string, id: string) {
  const ids = index.get(key)?.filter((other) => other !== id) ?? [];
  if (ids.length === 0) index.delete(key);
  else index.set(key, ids);
}
