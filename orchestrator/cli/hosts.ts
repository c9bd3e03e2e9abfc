/** `logvend hosts` and `logvend hosts retire`. */
import { signRetirement } from "../access/sign.ts";
import { hostsTable } from "../output.ts";
import type { ApiClient } from "./client.ts";
import { keyOf } from "./question.ts";
import type { Terminal } from "./terminal.ts";

const TIMEOUT_MS = 10_000;

export interface HostsOptions {
  output: "table" | "json";
  retired?: boolean;
}

/** Lists hosts; with `retired` those that are counted out too. @throws {LogvendError} unavailable */
export async function hostsCommand(
  { output, retired = false }: HostsOptions,
  client: ApiClient,
  terminal: Terminal,
): Promise<void> {
  const all = await client.hosts(AbortSignal.timeout(TIMEOUT_MS));
  const hosts = all.filter(({ state }) => retired || state !== "retired");
  await terminal.write(
    output === "json"
      ? `${JSON.stringify({ hosts }, null, 2)}\n`
      : hostsTable(all, terminal.now(), { retired }),
  );
}

/** Counts hosts out. @throws {LogvendError} usage for a host that is unknown or online, and the client's */
export async function retireCommand(
  hosts: readonly string[],
  options: { key?: string },
  client: ApiClient,
  terminal: Terminal,
): Promise<void> {
  const names = hosts.join(",");
  const token = await signRetirement({ names, key: await keyOf(options), nowMs: terminal.now() });
  const { retired } = await client.retire(names, token, AbortSignal.timeout(TIMEOUT_MS));
  await terminal.write(`retired: ${retired.join(" ")}; each until it is heard again\n`);
}
