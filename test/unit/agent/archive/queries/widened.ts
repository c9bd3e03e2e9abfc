/** Logs whose columns differ from hour to hour and from host to host, and conditions over them. */
import type { Store } from "../../../../../agent/store/store.ts";
import type { TempFolder } from "../../../../harness/temp_folder.ts";
import { configured, openStream, readInto } from "../../ingest/events/scene.ts";
import type { Dice } from "../../../queries/random_query.ts";

/** How lines of one hour write the values of one column, as JSON; null: they lack it. */
type Writer = (dice: Dice) => string | null;

const WHOLE = ["0", "5", "10", "-7", "100", "007", "123456"];
const BROKEN = ["5.1", "5.10", "0.50", "-0.0", "1e3", "10.0", "5.0", "99.99", "1.5E-3"];
const TEXTS = [
  ...["", "5.1", "5.10", "010", "10", "10.0", "5", "5.0", "1e3", "NaN", "Infinity", "-0", "null"],
  ...["a", "A", "ab", "zz", "true", "false", "ä", "Ä", "\u{1f600}", "2026-11-23", "x".repeat(150)],
];

const isJson = (text: string) => /^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/.test(text);

const WRITERS: readonly Writer[] = [
  (dice) => dice.pick(WHOLE.filter(isJson)),
  (dice) => dice.pick(BROKEN.filter(isJson)),
  (dice) => JSON.stringify(dice.pick(TEXTS)),
  (dice) => dice.pick(["true", "false"]),
  (dice) => dice.chance(0.5) ? dice.pick(WHOLE.filter(isJson)) : dice.pick(BROKEN.filter(isJson)),
  (dice) => dice.chance(0.5) ? dice.pick(BROKEN.filter(isJson)) : JSON.stringify(dice.pick(TEXTS)),
  (dice) => dice.chance(0.5) ? "null" : dice.pick(BROKEN.filter(isJson)),
  (dice) => String(dice.integer(1_000) / 100),
  (dice) => (dice.integer(10_000) / 100).toFixed(2),
  () => null,
];

export const COLUMNS = ["a", "b", "c", "d"];
export const HOURS = [3, 4, 5, 6];
export const HOSTS = ["web-1", "web-2"];

/** The lines of one hour of one host. */
export type Lines = (host: string, hour: number) => string[];

/** Other columns in every hour; one host may write their names in capitals. */
export function randomLines(dice: Dice): Lines {
  const inCapitals = dice.chance(0.3) ? HOSTS[1] : null;
  return (host, hour) => {
    const rows = dice.chance(0.2) ? 3_000 : 40;
    return linesOf(dice, hour, { rows, capital: host === inCapitals });
  };
}

/** Reads an hour after the other: each is a chunk of its own. */
export async function readHours(folder: TempFolder, host: string, linesOf: Lines): Promise<Store> {
  const stream = configured({ format: "json" });
  const store = await openStream(folder.join(host), stream, host);
  for (const hour of HOURS) {
    const lines = linesOf(host, hour);
    await readInto(
      store,
      stream,
      await folder.write(`${host}-${hour}.log`, `${lines.join("\n")}\n`),
    );
    await store.flush();
    await store.sealAll();
  }
  return store;
}

/** The lines of an hour. @param capital the host writes its columns in capitals */
export function linesOf(dice: Dice, hour: number, { rows, capital }: HourOfLines): string[] {
  // In the first half others may write than in the second: columns widen within a chunk.
  const halves = [0, 1].map(() => COLUMNS.map(() => dice.pick(WRITERS)));
  return Array.from({ length: rows }, (_, i) => {
    const writers = halves[i < rows / 2 ? 0 : 1] ?? [];
    const members = writers.flatMap((write, at) => {
      const value = write(dice);
      const name = COLUMNS[at] ?? "";
      return value === null ? [] : [`"${capital ? name.toUpperCase() : name}":${value}`];
    });
    const second = String(i % 3_600 % 60).padStart(2, "0");
    const minute = String(Math.floor(i / 60) % 60).padStart(2, "0");
    const time = `2026-11-23T0${hour}:${minute}:${second}Z`;
    return `{${[`"i":${hour * 1e5 + i}`, `"time":"${time}"`, ...members].join(",")}}`;
  });
}

interface HourOfLines {
  rows: number;
  capital: boolean;
}

const COMPARED = ["=", "=", "=", "<>", "<", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"];
const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;

/** A constant that a column of such a type is compared with. */
function constant(dice: Dice, type: string): string {
  if (type === "VARCHAR") return quoted(dice.pick([...TEXTS, ...BROKEN, ...WHOLE]));
  if (type === "BOOLEAN") return dice.pick(["true", "false"]);
  return dice.pick([...WHOLE, ...BROKEN]).replace(/^007$/, "7");
}

const TIMES = [
  "ts >= '2026-11-23 04:30:00'",
  "ts = '2026-11-23 05:00:01'",
  "ts < TIMESTAMPTZ '2026-11-23 06:00:30+02'",
  "ts::TIMESTAMPTZ >= '2026-11-23 06:00:30+01:30'",
  "ts::DATE = '2026-11-23 23:00:00'",
  "date_trunc('hour', ts) = '2026-11-23 04:00:00'",
  "date_trunc('day', ts) > DATE '2026-11-22'",
  "ts BETWEEN '2026-11-23 04:00:10' AND '2026-11-23 05:00:10'",
  "ts IN ('2026-11-23 03:00:05', '2026-11-23 06:00:05')",
  "'2026-11-23 05:00:00' <= ts",
  "epoch_ms(ts) >= 1795408200000",
];

/** One condition without AND and OR. */
function simple(dice: Dice, types: ReadonlyMap<string, string>): string {
  const column = dice.pick(COLUMNS);
  const type = types.get(column) ?? "VARCHAR";
  const value = () => constant(dice, type);
  const text = () => quoted(dice.pick([...TEXTS, ...BROKEN, ...WHOLE]));
  const makers: readonly (() => string)[] = [
    () => `${column} ${dice.pick(COMPARED)} ${value()}`,
    () => `${value()} = ${column}`,
    () => `${column} IN (${[value(), value(), value()]})`,
    () => `${column} NOT IN (${[value(), value()]})`,
    () => `${column} IN (${value()}, NULL)`,
    () => `${column} BETWEEN ${value()} AND ${value()}`,
    () => `${column} IS ${dice.pick(["", "NOT "])}NULL`,
    () => `coalesce(${column}, ${value()}) = ${value()}`,
    () => `${column}::VARCHAR = ${text()}`,
    () => `${column}::VARCHAR COLLATE NOCASE = ${text()}`,
    () => `lower(${column}::VARCHAR) IN (${[text(), text()]})`,
    () => `${column}::VARCHAR ${dice.pick(["LIKE", "ILIKE"])} ${dice.pick(["'5.%'", "'a%'"])}`,
    () => `TRY_CAST(${column} AS DOUBLE) = ${constant(dice, "DOUBLE")}`,
    () => `TRY_CAST(${column} AS DECIMAL(9, 2)) = 5.10`,
    () => `concat(${column}, '') = ${text()}`,
    () => `host ${dice.pick(["=", "<>"])} 'web-${1 + dice.integer(2)}'`,
    () => `region IN ('eu', ${text()})`,
    () => `line LIKE ${dice.pick(["'%5.1%'", "'%true%'", "'{%'"])}`,
    () => dice.pick(TIMES),
  ];
  return dice.chance(0.45) ? makers[dice.integer(2)]?.() ?? "" : dice.pick(makers)();
}

/** @param types of the columns, as the fleet has them */
export function conditionOver(dice: Dice, types: ReadonlyMap<string, string>): string {
  const parts = Array.from({ length: 1 + dice.integer(2) }, () => simple(dice, types));
  const joined = dice.chance(0.2)
    ? `(${parts.join(") OR (")})`
    : parts.map((part) => dice.chance(0.1) ? `NOT (${part})` : `(${part})`).join(" AND ");
  return joined;
}
