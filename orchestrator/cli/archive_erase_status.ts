/** How erasures go: which hosts are done, which are waited for, and why not. */
import { counted } from "../../protocol/units.ts";
import { EXIT_CODES } from "../../protocol/errors.ts";
import type { ErasureStatus } from "../api/events.ts";
import type { ApiClient } from "./client.ts";
import type { Terminal } from "./terminal.ts";

/** Between two looks. */
const LOOK_EVERY_MS = 500;
/** Hosts that are named; the others are counted. */
const NAMED_MAX = 20;

/** Waits until every online host has done it or cannot, as long as `waitMs`. */
export async function waitForHosts({ client, terminal, id, waitMs }: {
  client: ApiClient;
  terminal: Terminal;
  id: string;
  waitMs: number;
}): Promise<ErasureStatus> {
  const untilMs = terminal.now() + waitMs;
  for (;;) {
    const status = await client.erasure(id, terminal.signal);
    const isWorking = status.hosts.some(({ online, state }) =>
      online && (state === "waiting" || state === "working")
    );
    if (!isWorking || terminal.now() >= untilMs) return status;
    await terminal.sleep(LOOK_EVERY_MS);
  }
}

/** Prints them. Returns the exit code: 75 when some host is not done. */
export async function listErasures(
  statuses: readonly ErasureStatus[],
  terminal: Terminal,
  output: "table" | "json" = "table",
): Promise<number> {
  if (output === "json") {
    await terminal.write(`${JSON.stringify(statuses.map(statusRecord), null, 2)}\n`);
  } else await writeErasures(statuses, terminal);
  const isDone = statuses.every(({ hosts }) => hosts.every(({ state }) => state === "done"));
  return isDone ? 0 : EXIT_CODES.partial;
}

/** As JSON: who signed what is in the record that the API gives. */
export function statusRecord({ id, record: _, ...status }: ErasureStatus) {
  return { erasure: id, ...status };
}

async function writeErasures(statuses: readonly ErasureStatus[], terminal: Terminal) {
  if (statuses.length === 0) await terminal.write("Nothing was erased yet\n");
  for (const status of statuses) {
    const { id, operator, issued_at, sql, selector } = status;
    await terminal.write(
      `${id}  ${issued_at}\n  ${sql}${selector === "" ? "" : `, on ${selector}`}\n` +
        `  by ${operator}\n${indented(statusText(status) + lateText(status))}\n`,
    );
  }
}

/** `hosts: 2 of 3 done, 18 rows erased from 4 chunks`, and who is not. */
export function statusText({ hosts }: Pick<ErasureStatus, "hosts">): string {
  const done = hosts.filter(({ state }) => state === "done");
  const sum = (key: "rows" | "chunks") => hosts.reduce((total, host) => total + host[key], 0);
  const others = hosts.filter(({ state }) => state !== "done");
  const named = others.slice(0, NAMED_MAX).map((host) => `  ${host.host}: ${whyNot(host)}`);
  const more = others.length > NAMED_MAX ? [`  and ${others.length - NAMED_MAX} more`] : [];
  return [
    `hosts: ${done.length} of ${hosts.length} done, ${counted(sum("rows"), "row")} erased from ` +
    counted(sum("chunks"), "chunk"),
    ...named,
    ...more,
  ].join("\n");
}

/** Of hosts that may have come after the archives were done: what they had archived has to go too. */
function lateText({ id, hosts }: ErasureStatus): string {
  const archived = hosts.reduce((total, host) => total + host.archived, 0);
  if (archived === 0) return "";
  return `\n  ${
    counted(archived, "chunk")
  } of these had been archived before: if their hosts came ` +
    `later than the archives were done, logvend archive erase --resume ${id}`;
}

function whyNot({ state, online, reason }: ErasureStatus["hosts"][number]): string {
  switch (state) {
    case "waiting":
      return online ? "has not answered yet" : "is offline: it erases when it is back";
    case "working":
      return online ? "is at work" : "was at work, and is offline: it goes on when it is back";
    case "failed":
      return `fails, and tries again: ${reason ?? "no reason given"}`;
    case "refused":
      return `refuses: ${reason ?? "no reason given"}`;
    case "too_old":
      return "its agent knows no erasures: upgrade it";
    case "done":
      return "is done";
    default:
      return state satisfies never;
  }
}

function indented(text: string): string {
  return text.split("\n").map((line) => `  ${line}`).join("\n");
}
