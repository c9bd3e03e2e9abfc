/** The SQL of layouts writes lines as the ingest says that it does: its TypeScript twin is render.ts. */
import assert from "node:assert/strict";
import { fc } from "../../../harness/properties.ts";
import { EventBuilder } from "../../../../agent/ingest/formats/events/builder.ts";
import {
  bsdTime,
  epochText,
  isoTime,
  nginxTime,
} from "../../../../agent/ingest/formats/events/event_time.ts";
import { rendered } from "../../../../agent/ingest/formats/events/render.ts";
import { layoutPieces, layoutSql, layoutText } from "../../../../protocol/schema/layout.ts";
import { identifier, literal } from "../../../../protocol/schema/table_sql.ts";
import { Engine } from "../../../../queries/duckdb/engine.ts";
import * as lines from "../../agent/ingest/events/any_event.ts";
import { times } from "../../../harness/seed.ts";

const RUNS = times(3_000);
const NOW_MS = Date.parse("2026-11-23T10:00:00Z");

/** A long UNION takes DuckDB a long time. */
const ROWS_AT_ONCE = 250;

/** A line of one value. */
interface Case {
  text: string;
  builder: EventBuilder;
}

/** Those that some layout writes. */
function casesOf<T extends string>(
  texts: fc.Arbitrary<T>,
  add: (builder: EventBuilder, text: T) => boolean,
): Case[] {
  return fc.sample(texts, RUNS).flatMap((text) => {
    const builder = new EventBuilder();
    return add(builder, text) ? [{ text, builder }] : [];
  });
}

/** Asks SQL for the texts of all cases and compares; returns the kinds that there were. */
async function check(cases: readonly Case[]): Promise<Set<string>> {
  await using engine = await Engine.open();
  const kinds = new Set<string>();
  const byLayout = new Map<string, Case[]>();
  for (const one of cases) {
    const { pieces } = one.builder.build();
    if (pieces === null) continue;
    const key = layoutText(pieces);
    byLayout.set(key, [...byLayout.get(key) ?? [], one]);
    for (const piece of pieces) if (typeof piece !== "string") kinds.add(piece[1]);
  }
  for (const [layout, of] of byLayout) {
    const found: unknown[] = [];
    for (let start = 0; start < of.length; start += ROWS_AT_ONCE) {
      const rows = of.slice(start, start + ROWS_AT_ONCE).map(({ builder }) => rowSql(builder));
      const sql = `SELECT ${layoutSql(layout)} FROM (${rows.join(" UNION ALL ")})`;
      found.push(...(await engine.read(sql)).rows.map(([text]) => text));
    }
    assert.deepEqual(found, of.map(({ text }) => text), layout);
    const pieces = layoutPieces(layout) ?? [];
    assert.deepEqual(of.map(({ builder }) => rendered(pieces, builder.build())), found);
  }
  return kinds;
}

/** The columns of a line as a SELECT; a zero byte would end it. */
function rowSql(builder: EventBuilder): string {
  const { time, fields } = builder.build();
  const columns = fields.map(({ name, type, value }) => {
    const text = Object.is(value, -0) ? "-0.0" : String(value);
    return `${text.split("\0").map(literal).join(" || chr(0) || ")}::${type} AS ${
      identifier(name)
    }`;
  });
  const at = time === null ? [] : [
    `make_timestamp(${time.ts}::BIGINT) AS ts`,
    `${time.zoneMin}::SMALLINT AS time_zone_min`,
  ];
  return `SELECT ${[...columns, ...at, "1"].join(", ")}`;
}

for (
  const [name, texts, parse] of [
    ["iso", lines.isoTime, isoTime],
    ["nginx", lines.nginxTime, nginxTime],
    ["bsd", lines.bsdTime, (text: string) => bsdTime(text, NOW_MS)],
    ["epoch", lines.epoch, epochText],
  ] as const
) {
  Deno.test(`times that are read as ${name} come out of the SQL as they were`, async () => {
    const kinds = await check(casesOf(texts, (builder, text) => {
      const time = parse(text);
      if (time !== null) builder.time(time, text);
      return time !== null && time.kind !== null;
    }));
    assert.ok([...kinds].every((kind) => kind.startsWith(name)) && kinds.size > 0);
    if (name === "iso") assert.ok(kinds.size > 50, `${kinds.size} kinds`);
  });
}

Deno.test("values come out of the SQL as they were: numbers, words, texts with escapes", async () => {
  const words = fc.oneof(
    lines.number,
    fc.constantFrom("true", "false", "", "-", "text"),
    fc.tuple(fc.integer({ max: 1e6 }), fc.nat(9)).map(([n, digits]) => (n / 1e3).toFixed(digits)),
  );
  const kinds = await check(casesOf(words, (builder, word) => {
    builder.word("a", word);
    return true;
  }));
  const fixed = Array.from({ length: 9 }, (_, i) => `fixed${i + 1}`);
  assert.deepEqual(kinds, new Set(["text", "whole", "decimal", "flag", ...fixed]));
});

Deno.test("texts with escapes, and what stands between, come out of the SQL as they were", async () => {
  const texts = fc.oneof(
    lines.text,
    fc.string({ unit: "binary" }),
    fc.string({ unit: fc.constantFrom('"', "\\", "\n", "\u0301", "👩", "\u200d", "\ufe0f", "é") }),
  ).filter((value) => !/\p{Cc}/u.test(value.replaceAll(/[\b\f\n\r\t]/g, "")))
    .map((value) => JSON.stringify(value.toWellFormed()));
  const kinds = await check(casesOf(texts, (builder, text) => {
    builder.literal('"');
    builder.text("a", String(JSON.parse(text)), "json", text.slice(1, -1));
    builder.literal('"');
    return true;
  }));
  assert.deepEqual(kinds, new Set(["json"]));
  await check(
    casesOf(texts.map((text) => `\0${text}'\0`), (builder, text) => {
      builder.literal(text);
      return true;
    }).slice(0, 200),
  );
});

Deno.test("a request's milliseconds come out of the SQL as seconds", async () => {
  const texts = fc.nat(2_000_000).map((ms) => (ms / 1_000).toFixed(3));
  const kinds = await check(casesOf(texts, (builder, text) => {
    builder.requestTime(Math.round(Number(text) * 1_000), "seconds", text);
    return true;
  }));
  assert.deepEqual(kinds, new Set(["seconds"]));
});
