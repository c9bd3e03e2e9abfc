/**
 * Thrift's compact protocol, in which Parquet files describe themselves: values are read as they are
 * and written as they were, whatever they mean.
 * https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
 */

/** Types on the wire. Of a field, true and false are types. */
const TRUE = 1;
const FALSE = 2;
const BYTE = 3;
const I16 = 4;
const I32 = 5;
const I64 = 6;
const DOUBLE = 7;
const BINARY = 8;
const LIST = 9;
const SET = 10;
const STRUCT = 12;

/** Structs in structs beyond this are no Parquet. */
const DEPTH_MAX = 32;

export type ThriftValue =
  | { type: typeof TRUE | typeof FALSE }
  | { type: typeof BYTE | typeof DOUBLE | typeof BINARY; bytes: Uint8Array }
  | { type: typeof I16 | typeof I32 | typeof I64; number: bigint }
  | ThriftList
  | { type: typeof STRUCT; fields: ThriftStruct };

export interface ThriftList {
  type: typeof LIST | typeof SET;
  /** Of its values. */
  of: number;
  values: ThriftValue[];
}

/** By field id, in their order. */
export type ThriftStruct = Map<number, ThriftValue>;

/** Reads one struct. @throws {RangeError} when the bytes are none */
export function readStruct(bytes: Uint8Array): ThriftStruct {
  return new Reader(bytes).struct(0);
}

/** The bytes of a struct. */
export function writeStruct(struct: ThriftStruct): Uint8Array {
  const out: number[] = [];
  putStruct(out, struct);
  return Uint8Array.from(out);
}

/** A 64-bit number. */
export function i64(number: bigint): ThriftValue {
  return { type: I64, number };
}

/** A text. */
export function text(value: string): ThriftValue {
  return { type: BINARY, bytes: new TextEncoder().encode(value) };
}

/** A list of structs. */
export function structs(all: readonly ThriftStruct[]): ThriftList {
  return { type: LIST, of: STRUCT, values: all.map((fields) => ({ type: STRUCT, fields })) };
}

/** The number in a field; null: there is none. */
export function numberIn(struct: ThriftStruct, id: number): bigint | null {
  const value = struct.get(id);
  return value !== undefined && "number" in value ? value.number : null;
}

/** The structs of a list in a field. */
export function structsIn(struct: ThriftStruct, id: number): ThriftStruct[] {
  const value = struct.get(id);
  if (value === undefined || !("values" in value)) return [];
  return value.values.flatMap((one) => "fields" in one ? [one.fields] : []);
}

/** The struct in a field. */
export function structIn(struct: ThriftStruct, id: number): ThriftStruct {
  const value = struct.get(id);
  return value !== undefined && "fields" in value ? value.fields : new Map();
}

class Reader {
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  struct(depth: number): ThriftStruct {
    if (depth > DEPTH_MAX) throw new RangeError("Too deep");
    const fields: ThriftStruct = new Map();
    for (let id = 0;;) {
      const head = this.byte();
      if (head === 0) return fields;
      id = head >> 4 === 0 ? Number(this.zigzag()) : id + (head >> 4);
      fields.set(id, this.value(head & 15, depth));
    }
  }

  private value(type: number, depth: number): ThriftValue {
    switch (type) {
      case TRUE:
      case FALSE:
        return { type };
      case BYTE:
        return { type, bytes: this.take(1) };
      case I16:
      case I32:
      case I64:
        return { type, number: this.zigzag() };
      case DOUBLE:
        return { type, bytes: this.take(8) };
      case BINARY:
        return { type, bytes: this.take(Number(this.varint())) };
      case LIST:
      case SET:
        return this.list(type, depth);
      case STRUCT:
        return { type, fields: this.struct(depth + 1) };
      default:
        throw new RangeError(`Type ${type}, which Parquet does not use`);
    }
  }

  private list(type: ThriftList["type"], depth: number): ThriftList {
    const head = this.byte();
    const count = head >> 4 === 15 ? Number(this.varint()) : head >> 4;
    const of = head & 15;
    if (count > this.bytes.length) throw new RangeError("A list longer than its bytes");
    const values = Array.from({ length: count }, () => this.listed(of, depth));
    return { type, of, values };
  }

  /** In a list, true and false are bytes. */
  private listed(type: number, depth: number): ThriftValue {
    if (type !== TRUE && type !== FALSE) return this.value(type, depth);
    return { type: this.byte() === TRUE ? TRUE : FALSE };
  }

  private byte(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw new RangeError("It ends too soon");
    return byte;
  }

  private take(count: number): Uint8Array {
    const taken = this.bytes.subarray(this.at, this.at + count);
    if (taken.length !== count) throw new RangeError("It ends too soon");
    this.at += count;
    return taken;
  }

  private varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError("A number of more than 64 bits");
  }

  private zigzag(): bigint {
    const value = this.varint();
    return value & 1n ? -(value + 1n) / 2n : value / 2n;
  }
}

function putStruct(out: number[], struct: ThriftStruct) {
  let before = 0;
  for (const [id, value] of struct) {
    if (id > before && id - before < 16) out.push((id - before) << 4 | value.type);
    else {
      out.push(value.type);
      putZigzag(out, BigInt(id));
    }
    before = id;
    if (value.type !== TRUE && value.type !== FALSE) putValue(out, value);
  }
  out.push(0);
}

function putValue(out: number[], value: ThriftValue) {
  if (value.type === BINARY) putVarint(out, BigInt(value.bytes.length));
  if ("bytes" in value) { for (const byte of value.bytes) out.push(byte); }
  else if ("number" in value) putZigzag(out, value.number);
  else if ("fields" in value) putStruct(out, value.fields);
  else if ("values" in value) putList(out, value);
  else out.push(value.type);
}

function putList(out: number[], { of, values }: ThriftList) {
  if (values.length < 15) out.push(values.length << 4 | of);
  else {
    out.push(0xf0 | of);
    putVarint(out, BigInt(values.length));
  }
  for (const value of values) putValue(out, value);
}

function putVarint(out: number[], value: bigint) {
  let rest = value;
  for (; rest >= 0x80n; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
  out.push(Number(rest));
}

function putZigzag(out: number[], value: bigint) {
  putVarint(out, value < 0n ? -2n * value - 1n : 2n * value);
}
