/** What the demo asks of its fleet: shown to the user by the real command line, or for itself. */
import { LogvendError } from "../../protocol/errors.ts";
import { readKeyFile } from "../access/key_file.ts";
import { signQuestion } from "../access/sign.ts";
import type { HostRecord } from "../api/events.ts";
import { ApiClient } from "../cli/client.ts";
import { logvendCommand } from "../self.ts";
import type { Fleet } from "./fleet.ts";

/** No question of the demo's own takes longer. */
const TIMEOUT_MS = 60_000;

/** The hosts as the orchestrator sees them. */
export async function hostStates(fleet: Fleet): Promise<HostRecord[]> {
  return await new ApiClient(fleet.url).hosts(AbortSignal.timeout(TIMEOUT_MS));
}

/** All rows and rejects of the fleet's online hosts. */
export async function countLines(fleet: Fleet): Promise<{ rows: number; rejects: number }> {
  return { rows: await count(fleet, "logs"), rejects: await count(fleet, "rejects") };
}

async function count(fleet: Fleet, table: string): Promise<number> {
  const { sql, token } = await signQuestion({
    sql: `SELECT count(*) AS n FROM ${table}`,
    selector: "",
    range: { since: null, until: null, implied: false },
    limits: { timeout_ms: TIMEOUT_MS, rows_max: 1_000, bytes_max: 1e6 },
    key: await readKeyFile(fleet.keyFile),
    nowMs: Date.now(),
  });
  const signal = AbortSignal.timeout(2 * TIMEOUT_MS);
  const events = new ApiClient(fleet.url).query({ sql, token, format: "jsonl", signal });
  let text = "";
  for await (const event of events) {
    if (event.type === "data") {
      text += new TextDecoder().decode(event.bytes);
    }
  }
  const { n } = JSON.parse(text);
  return Number(n);
}

export interface Shown {
  sql: string;
  print: (line: string) => void;
  /** How the command must end. */
  exitCode: number;
}

/** Runs `logvend query` before the user's eyes. @throws {LogvendError} when it ends otherwise */
export async function showQuery(fleet: Fleet, { sql, print, exitCode }: Shown): Promise<void> {
  print(`$ logvend query "${sql}"`);
  const { command, args } = logvendCommand(["query", sql]);
  const { code } = await new Deno.Command(command, {
    args,
    env: { LOGVEND_URL: fleet.url, LOGVEND_KEY: fleet.keyFile },
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn().status;
  if (code !== exitCode) {
    throw new LogvendError("internal", `The query ended with exit ${code}, wanted ${exitCode}`);
  }
  print("");
}
