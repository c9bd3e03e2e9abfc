/** The account of a host, drawn for people and written for programs. */
import { counted, formatBytes } from "../../protocol/units.ts";
import { total } from "./report.ts";
import type { AccountEntry, AccountReport, Amount, StreamAccount } from "./report.ts";
import type { Gap } from "../store/batch.ts";
import { gapTotal } from "../store/database/gaps.ts";
import type { AccountRow } from "./account_file.ts";

/** `ERASED` is there where something was. */
const HEADER = ["STREAM", "FILE", "GENERATION", "HOUR", "LINES", "BYTES", "STORED", "REJECTED"];
const RIGHT_ALIGNED = new Set(["LINES", "BYTES", "STORED", "ERASED"]);

/** A table of entries, a line a stream, and last whether everything adds up. */
export function accountText(report: AccountReport): string {
  const { entries, streams, gaps } = report;
  return [
    ...drawn(table(entries)),
    ...streams.map(streamText),
    ...gaps.map(gapText),
    closingLine(report),
    "",
  ].join("\n");
}

function table(entries: readonly AccountEntry[]): string[][] {
  const isErased = entries.some(({ erased }) => Object.keys(erased).length > 0);
  const header = [...HEADER, "DROPPED", ...(isErased ? ["ERASED"] : [])];
  const cells = entries.map((entry) => [
    ...cellsOf(entry),
    ...(isErased ? [String(total(Object.values(entry.erased)).lines)] : []),
  ]);
  return [header, ...cells];
}

/** `adds up: 12 lines read = 10 stored + 2 rejected + 0 dropped`, or what does not. */
export function closingLine({ streams, differences, gaps }: AccountReport): string {
  const sum = (key: "read" | "stored" | "rejected" | "dropped" | "erased") =>
    total(streams.map((stream) => stream[key])).lines;
  const parts =
    `${sum("stored")} stored + ${sum("rejected")} rejected + ${sum("dropped")} dropped` +
    (sum("erased") === 0 ? "" : ` + ${sum("erased")} erased`);
  const { count, bytes } = gapTotal(gaps);
  const lost = count === 0 ? "" : `; ${counted(count, "gap")}, ${formatBytes(bytes)} never read`;
  if (differences.length === 0) {
    return `adds up: ${counted(sum("read"), "line")} read = ${parts}${lost}`;
  }
  return ["DOES NOT ADD UP:", ...differences.map((text) => `  ${text}`)].join("\n");
}

/** Counts and gaps as CSV, with the columns of the table `accounting`. */
export function accountCsv(rows: readonly AccountRow[]): string {
  const lines = rows.map(({ stream, file, generation, hour, outcome, reason, lines, bytes }) =>
    [stream, file, generation, `${hour}:00:00Z`, outcome, reason, lines, bytes]
      .map((value) => csvCell(value ?? "")).join(",")
  );
  return ["stream,file,generation,hour,outcome,reason,lines,bytes", ...lines, ""].join("\n");
}

function csvCell(value: string | number): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function cellsOf(entry: AccountEntry): string[] {
  const { stream, file, generation, hour, read, stored, rejected, dropped } = entry;
  return [
    stream,
    file ?? "-",
    generation ?? "-",
    `${hour.replace("T", " ")}:00Z`,
    String(read.lines),
    formatBytes(read.bytes),
    String(stored.lines),
    reasonsText(rejected),
    reasonsText(dropped),
  ].map(visible);
}

/** `2 no_format, 1 too_long` */
function reasonsText(reasons: Readonly<Record<string, Amount>>): string {
  const texts = Object.entries(reasons).map(([reason, { lines }]) => `${lines} ${reason}`);
  return texts.length === 0 ? "0" : texts.join(", ");
}

function streamText(account: StreamAccount): string {
  const { stream, read, stored, rejected, dropped, rows, parts, chunks } = account;
  const { uncounted, removed, erased } = account;
  const old = uncounted === 0 ? "" : `, ${uncounted} of them of unknown files`;
  return `${stream}: ${counted(read.lines, "line")} (${formatBytes(read.bytes)}) read, ` +
    `${stored.lines} stored, ${rejected.lines} rejected, ${dropped.lines} dropped` +
    `${erased.lines === 0 ? "" : `, ${erased.lines} erased`} · ` +
    `${counted(rows, "row")} in ${counted(parts, "part")} and ${counted(chunks, "chunk")}${old}` +
    (removed === 0 ? "" : `, ${removed} removed by retention or quota`);
}

function gapText({ path, generation, offset, bytes, reason, seenMs }: Gap): string {
  const when = new Date(seenMs).toISOString().slice(0, 19);
  return visible(
    `gap: ${path} (${generation}): ${formatBytes(bytes)} after byte ${offset} were never read, ` +
      `${reason}, seen ${when}Z`,
  );
}

function drawn(rows: readonly string[][]): string[] {
  const [header = []] = rows;
  const widths = header.map((_, i) => Math.max(...rows.map((row) => (row[i] ?? "").length)));
  return rows.map((row) =>
    row.map((cell, i) => {
      const width = widths[i] ?? 0;
      return RIGHT_ALIGNED.has(header[i] ?? "") ? cell.padStart(width) : cell.padEnd(width);
    }).join("  ").trimEnd()
  );
}

/** File names may hold what steers a terminal. */
function visible(text: string): string {
  return text.replace(/\p{Cc}/gu, "?");
}
