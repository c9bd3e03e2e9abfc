/** Runs a plan over archived chunks: those that turn out to be damaged are left out, and named. */
import { LogvendError } from "../../protocol/errors.ts";
import { identifier } from "../../protocol/schema/table_sql.ts";
import type { Plan } from "../../queries/plan/plan.ts";
import type { ArchivedFile, ArchivedFiles, Snapshot } from "../store/snapshot.ts";
import { requestOf, runOver } from "./prepare.ts";
import type { Finished, Planned, QueryParts } from "./prepare.ts";
import { pathsOf, withoutFiles } from "./unread.ts";
import { lentSelect } from "./views.ts";
import type { Fate } from "./worker_process.ts";

/** What is said of a chunk whose footer was right, and whose pages are not. */
const DAMAGED = "its pages cannot be read; see logvend archive verify --content, " +
  "and remove or replace it";

/** Errors that damaged pages make; they may be the SQL's own. */
const SUSPECT_CODES: readonly string[] = ["bad_sql", "internal"];

/** @throws {LogvendError} like runQuestion */
export async function runArchived(
  parts: QueryParts,
  question: Planned,
  signal: AbortSignal,
): Promise<Finished> {
  const { plan, rules, mayLack } = question;
  await using snapshot = await parts.store.snapshot(requestOf(plan, rules));
  if (!mayLack) checkWhole(snapshot);
  let harm: Fate | null = null; // a damaged file's, perhaps
  const lenient = { ...question, ...rules && { rules: { ...rules, harmed: note } } };
  function note(fate: Fate) {
    harm = fate;
  }
  try {
    return await runOver(parts, { ...lenient, snapshot }, signal);
  } catch (error) {
    const isSuspect = error instanceof LogvendError && SUSPECT_CODES.includes(error.code);
    const damaged = isSuspect && !signal.aborted
      ? await damagedFiles({ parts, plan, snapshot }, signal)
      : [];
    if (damaged.length > 0) {
      for (const file of damaged) file.discard();
      const rest = withoutFiles(snapshot, damaged, DAMAGED);
      if (!mayLack) checkWhole(rest);
      return await runOver(parts, { ...question, snapshot: rest }, signal);
    }
    if (harm !== null) rules?.harmed(harm);
    throw error;
  }
}

function checkWhole({ unread = [] }: Snapshot) {
  const [first] = unread;
  if (first === undefined) return;
  const what = "key" in first ? `${first.key}: ` : "";
  throw new LogvendError("unavailable", `${what}${first.reason}`);
}

interface Search {
  parts: QueryParts;
  plan: Plan;
  snapshot: Snapshot;
}

/** Those whose fetched columns cannot be read to the end, whatever is asked of them. */
async function damagedFiles(search: Search, signal: AbortSignal): Promise<ArchivedFile[]> {
  const found: ArchivedFile[] = [];
  for (const [table, { archived = [], shape }] of search.snapshot.tables) {
    for (const group of archived) {
      const isReadable = (files: ArchivedFile[]) =>
        isRead({ ...search, table, group: { ...group, files }, shape }, signal);
      found.push(...await unreadable(group.files, isReadable));
    }
  }
  return found;
}

/** Halves are looked at only where the whole cannot be read. */
async function unreadable(
  files: ArchivedFile[],
  isReadable: (files: ArchivedFile[]) => Promise<boolean>,
): Promise<ArchivedFile[]> {
  if (files.length === 0 || await isReadable(files)) return [];
  if (files.length === 1) return files;
  const half = Math.ceil(files.length / 2);
  return [
    ...await unreadable(files.slice(0, half), isReadable),
    ...await unreadable(files.slice(half), isReadable),
  ];
}

interface Look extends Search {
  table: string;
  group: ArchivedFiles;
  shape: NonNullable<ReturnType<Snapshot["tables"]["get"]>>["shape"];
}

async function isRead(look: Look, signal: AbortSignal): Promise<boolean> {
  const { parts: { workers, region }, plan, table, group, shape } = look;
  const files = pathsOf(group).map((path) => workers.pathFor(path));
  const lent = { plan, table, files: [], archived: [{ ...group, files }], region, mask: {}, shape };
  const resultFolder = workers.makeFolder("result-");
  try {
    await workers.useNow(signal, (worker) =>
      worker.run({
        views: [{ table, sql: lentSelect(lent) }],
        files,
        output: {
          kind: "partials",
          partials: [{ table: "read", sql: wholeOf(table) }],
          caps: { rows_max: 1, bytes_max: 1e6 },
        },
        result_folder: workers.pathFor(resultFolder),
      }, signal));
    return true;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof LogvendError && SUSPECT_CODES.includes(error.code)) return false;
    throw error;
  } finally {
    await Deno.remove(resultFolder, { recursive: true });
  }
}

/** Decodes every value. */
function wholeOf(table: string): string {
  const name = identifier(table);
  return `SELECT count(*) AS n, max(hash(${name})) AS hash FROM ${name}`;
}
