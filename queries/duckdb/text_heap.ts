/** The bytes that texts are stretches of: a block as it was read, and behind it what was added. */

const ADDED_BYTES = 4_096;

/**
 * Room kept for what comes next: that of 2,048 lines of 1 KiB. More is given back, as heaps live long
 * and one block of long lines must not be paid for ever.
 */
const KEPT_BYTES_MAX = 2 ** 21;

/** A UTF-16 unit is at most three bytes of UTF-8. */
const UNIT_BYTES_MAX = 3;

/** Longer texts are encoded faster by the encoder. */
const ASCII_LENGTH_MAX = 200;

const encoder = new TextEncoder();

export class TextHeap {
  /** Lies behind the block; what was added are its first `addedLength` bytes. */
  added = new Uint8Array();
  addedLength = 0;
  private readonly constants = new Map<string, number>();
  /** Where the text added last begins. */
  lastStart = 0;

  /** It must stay as it is for as long as stretches of it are used. */
  block: Uint8Array = new Uint8Array();

  /** Adds a text and returns its length in bytes; it begins at `lastStart`. */
  add(text: string): number {
    this.reserve(text.length * UNIT_BYTES_MAX);
    this.lastStart = this.block.length + this.addedLength;
    const written = this.writeAscii(text) ? text.length : this.write(text);
    this.addedLength += written;
    return written;
  }

  /** Adds bytes and returns where they begin. */
  addBytes(bytes: Uint8Array): number {
    this.reserve(bytes.length);
    this.added.set(bytes, this.addedLength);
    this.addedLength += bytes.length;
    return this.block.length + this.addedLength - bytes.length;
  }

  /** Where a text begins that many rows share. */
  constant(text: string): number {
    const known = this.constants.get(text);
    if (known !== undefined) return known;
    this.add(text);
    this.constants.set(text, this.lastStart);
    return this.lastStart;
  }

  /** The bytes themselves. */
  stretch(start: number, length: number): Uint8Array {
    const { block, added } = this;
    if (start < block.length) return block.subarray(start, start + length);
    return added.subarray(start - block.length, start - block.length + length);
  }

  /** Forgets what was added. */
  clear(): void {
    if (this.added.length > KEPT_BYTES_MAX) this.added = new Uint8Array();
    this.addedLength = 0;
    this.constants.clear();
  }

  /** Faster than an encoder for most texts; false: it is for the encoder. */
  private writeAscii(text: string): boolean {
    const { added, addedLength } = this;
    if (text.length > ASCII_LENGTH_MAX) return false;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code >= 0x80) return false;
      added[addedLength + i] = code;
    }
    return true;
  }

  private write(text: string): number {
    return encoder.encodeInto(text, this.added.subarray(this.addedLength)).written;
  }

  private reserve(bytes: number) {
    const wanted = this.addedLength + bytes;
    if (wanted <= this.added.length) return;
    const grown = new Uint8Array(Math.max(ADDED_BYTES, wanted, 2 * this.added.length));
    grown.set(this.added.subarray(0, this.addedLength));
    this.added = grown;
  }
}
