import assert from "node:assert/strict";
import { fc } from "../../../harness/properties.ts";
import { readStruct, writeStruct } from "../../../../queries/parquet/thrift.ts";
import type { ThriftStruct, ThriftValue } from "../../../../queries/parquet/thrift.ts";

const number = fc.record({
  type: fc.constantFrom(4 as const, 5 as const, 6 as const),
  number: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
});
const flag = fc.record({ type: fc.constantFrom(1 as const, 2 as const) });
const byte = fc.record({
  type: fc.constant(3 as const),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 1 }),
});
const double = fc.record({
  type: fc.constant(7 as const),
  bytes: fc.uint8Array({ minLength: 8, maxLength: 8 }),
});
const binary = fc.record({ type: fc.constant(8 as const), bytes: fc.uint8Array() });

const { struct } = fc.letrec<{ value: ThriftValue; struct: ThriftStruct }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    number,
    flag,
    byte,
    double,
    binary,
    fc.constantFrom<fc.Arbitrary<ThriftValue>[]>(number, flag, binary).chain((of) =>
      fc.array(of, { maxLength: 20 })
    )
      .filter((values) => new Set(values.map(({ type }) => type)).size < 2)
      .map((values): ThriftValue => ({ type: 9, of: values[0]?.type ?? 6, values })),
    tie("struct").map((fields): ThriftValue => ({ type: 12, fields })),
  ),
  struct: fc.array(fc.tuple(fc.integer({ min: 1, max: 2_000 }), tie("value")), { maxLength: 8 })
    .map((fields) => new Map(fields.sort(([a], [b]) => a - b))),
}));

Deno.test("what is written is read as it was", () => {
  fc.assert(fc.property(struct, (written) => {
    assert.deepEqual(plain(readStruct(writeStruct(written))), plain(written));
  }));
});

Deno.test("whatever bytes come, they are a struct or refused", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    try {
      writeStruct(readStruct(bytes));
    } catch (error) {
      assert.ok(error instanceof RangeError, String(error));
    }
  }));
  assert.throws(() => readStruct(Uint8Array.of(0x19, 0xfc, 0xff, 0xff, 0xff, 0x0f)), RangeError);
  assert.throws(() => readStruct(new Uint8Array(100).fill(0x1c)), /Too deep/);
});

/** Arrays of bytes are compared as what they hold, whatever memory they are a view of. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  if (value instanceof Map) return [...value].map(plain);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value).map(([key, one]) => [key, plain(one)]);
}
