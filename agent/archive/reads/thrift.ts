/** Thrift's compact protocol, read and written back without loss: Parquet footers are cut with it. */
import { LogvendError } from "../../../protocol/errors.ts";

/** Numbers of the types as they are written. */
const TRUE = 1;
const FALSE = 2;
const BYTE = 3;
const I16 = 4;
const I64 = 6;
const DOUBLE = 7;
const BINARY = 8;
const LIST = 9;
const SET = 10;
const STRUCT = 12;

/** Deeper nesting is no Parquet: its deepest is seven. */
const DEPTH_MAX = 32;

/** Fields by their number. */
export interface ThriftStruct {
  type: typeof STRUCT;
  fields: Map<number, Thrift>;
}

interface ThriftList {
  type: typeof LIST | typeof SET;
  /** Type of the items. */
  of: number;
  items: Thrift[];
}

/** A value with its type, as it was written. */
export type Thrift =
  | { type: typeof TRUE | typeof FALSE }
  | { type: typeof BYTE; value: number }
  | { type: 4 | 5 | 6; value: bigint }
  | { type: typeof DOUBLE | typeof BINARY; bytes: Uint8Array }
  | ThriftList
  | ThriftStruct;

/** Reads one struct. @throws {LogvendError} usage, for bytes that are none */
export function readThrift(bytes: Uint8Array): ThriftStruct {
  return new Reader(bytes).struct(0);
}

/** The bytes of a struct. */
export function writeThrift(struct: ThriftStruct): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  writeStruct(bytes, struct);
  return Uint8Array.from(bytes);
}

/** A number that `number` of the struct has; 0 when it has none. */
export function numberIn({ fields }: ThriftStruct, field: number): bigint {
  const value = fields.get(field);
  return value !== undefined && "value" in value ? BigInt(value.value) : 0n;
}

/** The structs of a list. */
export function structsIn({ fields }: ThriftStruct, field: number): ThriftStruct[] {
  const list = fields.get(field);
  return list?.type === LIST ? list.items.filter((item) => item.type === STRUCT) : [];
}

class Reader {
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  struct(depth: number): ThriftStruct {
    if (depth > DEPTH_MAX) throw malformed();
    const fields = new Map<number, Thrift>();
    for (let field = 0;;) {
      const head = this.byte();
      if (head === 0) return { type: STRUCT, fields };
      const delta = head >> 4;
      field = delta === 0 ? Number(this.zigZag()) : field + delta;
      fields.set(field, this.value(head & 15, depth));
    }
  }

  private value(type: number, depth: number): Thrift {
    switch (type) {
      case TRUE:
      case FALSE:
        return { type };
      case BYTE:
        return { type, value: this.byte() };
      case I16:
      case 5:
      case I64:
        return { type, value: this.zigZag() };
      case DOUBLE:
        return { type, bytes: this.take(8) };
      case BINARY:
        return { type, bytes: this.take(Number(this.varint())) };
      case LIST:
      case SET:
        return this.list(type, depth + 1);
      case STRUCT:
        return this.struct(depth + 1);
      default:
        throw malformed();
    }
  }

  private list(type: ThriftList["type"], depth: number): ThriftList {
    const head = this.byte();
    const of = head & 15;
    const count = head >> 4 === 15 ? Number(this.varint()) : head >> 4;
    const items: Thrift[] = [];
    for (let i = 0; i < count; i++) {
      const isFlag = of === TRUE || of === FALSE;
      items.push(this.value(isFlag ? this.byte() : of, depth)); // flags in lists are bytes
    }
    return { type, of, items };
  }

  private byte(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw malformed();
    return byte;
  }

  private take(length: number): Uint8Array {
    const end = this.at + length;
    if (end > this.bytes.length) throw malformed();
    const taken = this.bytes.subarray(this.at, end);
    this.at = end;
    return taken;
  }

  private varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
    throw malformed();
  }

  private zigZag(): bigint {
    const value = this.varint();
    return (value >> 1n) ^ -(value & 1n);
  }
}

function writeStruct(out: number[], { fields }: ThriftStruct) {
  let last = 0;
  for (const [field, value] of [...fields].sort(([a], [b]) => a - b)) {
    const delta = field - last;
    out.push((delta <= 15 ? delta << 4 : 0) | value.type);
    if (delta > 15) writeZigZag(out, BigInt(field));
    last = field;
    writeValue(out, value);
  }
  out.push(0);
}

function writeValue(out: number[], value: Thrift) {
  switch (value.type) {
    case TRUE:
    case FALSE:
      return; // the type is the value
    case BYTE:
      out.push(value.value);
      return;
    case DOUBLE:
    case BINARY:
      if (value.type === BINARY) writeVarint(out, BigInt(value.bytes.length));
      for (const byte of value.bytes) out.push(byte);
      return;
    case LIST:
    case SET:
      out.push((Math.min(15, value.items.length) << 4) | value.of);
      if (value.items.length >= 15) writeVarint(out, BigInt(value.items.length));
      for (const item of value.items) {
        if (item.type === TRUE || item.type === FALSE) out.push(item.type);
        else writeValue(out, item);
      }
      return;
    case STRUCT:
      return writeStruct(out, value);
    default:
      writeZigZag(out, value.value);
  }
}

function writeZigZag(out: number[], value: bigint) {
  writeVarint(out, BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)));
}

function writeVarint(out: number[], value: bigint) {
  let rest = value;
  while (rest >= 128n) {
    out.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  out.push(Number(rest));
}

function malformed(): LogvendError {
  return new LogvendError("usage", "The footer of a Parquet file is malformed");
}
