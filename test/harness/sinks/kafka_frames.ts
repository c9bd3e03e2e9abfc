/**
 * Kafka's protocol as far as one who stands between a client and a broker must read it: frames, request
 * headers, the answers that name brokers and APIs. https://kafka.apache.org/protocol.html
 */

export const METADATA = 3;
export const SASL_HANDSHAKE = 17;
export const API_VERSIONS = 18;
export const SASL_AUTHENTICATE = 36;

/** A cursor over a message. */
export class Reader {
  at = 0;
  private readonly view: DataView;

  constructor(readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  int16(): number {
    this.at += 2;
    return this.view.getInt16(this.at - 2);
  }

  int32(): number {
    this.at += 4;
    return this.view.getInt32(this.at - 4);
  }

  varint(): number {
    for (let value = 0, shift = 0;; shift += 7) {
      const byte = this.view.getUint8(this.at++);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }

  /** Null: it has none. */
  take(length: number): Uint8Array | null {
    if (length < 0) return null;
    if (this.at + length > this.bytes.length) throw new Error("a length beyond the message");
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  /** Of flexible versions lengths are variable, and one more. */
  text(isFlexible: boolean): string | null {
    const bytes = this.take(isFlexible ? this.varint() - 1 : this.int16());
    return bytes === null ? null : new TextDecoder().decode(bytes);
  }

  count(isFlexible: boolean): number {
    return isFlexible ? this.varint() - 1 : this.int32();
  }

  tags(isFlexible: boolean) {
    for (let left = isFlexible ? this.varint() : 0; left > 0; left--) {
      this.varint();
      this.take(this.varint());
    }
  }
}

/** A message that is being made. */
export class Writer {
  private readonly parts: Uint8Array[] = [];

  bytes(part: Uint8Array): this {
    this.parts.push(part);
    return this;
  }

  int16(value: number): this {
    return this.fixed(2, (view) => view.setInt16(0, value));
  }

  int32(value: number): this {
    return this.fixed(4, (view) => view.setInt32(0, value));
  }

  int64(value: number): this {
    return this.fixed(8, (view) => view.setBigInt64(0, BigInt(value)));
  }

  varint(value: number): this {
    const bytes: number[] = [];
    for (; value >= 0x80; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
    return this.bytes(Uint8Array.from([...bytes, value]));
  }

  text(text: string, isFlexible: boolean): this {
    const bytes = new TextEncoder().encode(text);
    return (isFlexible ? this.varint(bytes.length + 1) : this.int16(bytes.length)).bytes(bytes);
  }

  count(count: number, isFlexible: boolean): this {
    return isFlexible ? this.varint(count + 1) : this.int32(count);
  }

  tags(isFlexible: boolean): this {
    return isFlexible ? this.varint(0) : this;
  }

  /** With its length in front. */
  frame(): Uint8Array<ArrayBuffer> {
    const length = this.parts.reduce((sum, part) => sum + part.length, 0);
    const frame = new Uint8Array(4 + length);
    new DataView(frame.buffer).setInt32(0, length);
    let at = 4;
    for (const part of this.parts) {
      frame.set(part, at);
      at += part.length;
    }
    return frame;
  }

  private fixed(length: number, set: (view: DataView) => void): this {
    const part = new Uint8Array(length);
    set(new DataView(part.buffer));
    return this.bytes(part);
  }
}

/** What stands at the front of every request. */
export interface RequestHeader {
  api: number;
  version: number;
  correlation: number;
}

/** Leaves the cursor at the body. @param isFlexible of which requests */
export function headerOf(
  reader: Reader,
  isFlexible: (header: RequestHeader) => boolean,
): RequestHeader {
  const header = { api: reader.int16(), version: reader.int16(), correlation: reader.int32() };
  reader.text(false);
  reader.tags(isFlexible(header));
  return header;
}

/** Puts other ports into an answer to Metadata, in place. */
export function renamePorts(
  answer: Uint8Array,
  version: number,
  ports: ReadonlyMap<number, number>,
) {
  const isFlexible = version >= 9;
  const reader = new Reader(answer);
  const view = new DataView(answer.buffer, answer.byteOffset);
  reader.int32();
  reader.tags(isFlexible);
  if (version >= 3) reader.int32();
  for (let left = reader.count(isFlexible); left > 0; left--) {
    reader.int32();
    reader.text(isFlexible);
    const at = reader.at;
    const port = ports.get(reader.int32());
    if (port === undefined) throw new Error("a broker that nobody knows");
    view.setInt32(at, port);
    if (version >= 1) reader.text(isFlexible);
    reader.tags(isFlexible);
  }
}

/** The answer to ApiVersions with more APIs: key, lowest and highest version of each. */
export function withApis(
  answer: Uint8Array,
  version: number,
  more: readonly (readonly [number, number, number])[],
): Uint8Array<ArrayBuffer> {
  const isFlexible = version >= 3;
  const reader = new Reader(answer);
  const writer = new Writer().int32(reader.int32()).int16(reader.int16());
  const apis: (readonly [number, number, number])[] = [];
  for (let left = reader.count(isFlexible); left > 0; left--) {
    apis.push([reader.int16(), reader.int16(), reader.int16()]);
    reader.tags(isFlexible);
  }
  writer.count(apis.length + more.length, isFlexible);
  for (const [key, lowest, highest] of [...apis, ...more]) {
    writer.int16(key).int16(lowest).int16(highest).tags(isFlexible);
  }
  return writer.bytes(answer.subarray(reader.at)).frame();
}

/** Whole frames of a connection, without their lengths, until it ends. */
export async function* framesOf(connection: Deno.Conn): AsyncGenerator<Uint8Array> {
  let rest = new Uint8Array();
  const buffer = new Uint8Array(65_536);
  for (;;) {
    const count = await connection.read(buffer).catch(() => null);
    if (count === null) return;
    const joined = new Uint8Array(rest.length + count);
    joined.set(rest);
    joined.set(buffer.subarray(0, count), rest.length);
    rest = joined;
    while (rest.length >= 4) {
      const length = new DataView(rest.buffer, rest.byteOffset).getInt32(0);
      if (rest.length < 4 + length) break;
      yield rest.slice(4, 4 + length);
      rest = rest.subarray(4 + length);
    }
  }
}

/** Writes all of it. */
export async function writeAll(connection: Deno.Conn, bytes: Uint8Array) {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}
