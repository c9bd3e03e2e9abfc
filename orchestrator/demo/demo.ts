/** The demo: a fleet on this machine, one question, one killed host, and the proof afterwards. */
import { EXIT_CODES, LogvendError } from "../../protocol/errors.ts";
import { formatBytes, formatDurationMs } from "../../protocol/units.ts";
import { aborted } from "../cli/terminal.ts";
import { BACKLOG_LINES, Fleet, HOSTS } from "./fleet.ts";
import { DemoFolder } from "./folder.ts";
import { measureLog, measureStore } from "./proof.ts";
import { countLines, hostStates, showQuery } from "./questions.ts";
import { abortsSoon, until } from "./waiting.ts";

const QUESTION = "SELECT status, count(*) AS requests FROM logs GROUP BY 1 ORDER BY 2 DESC";

const PLACES_QUESTION =
  "SELECT geo_country, geo_city, count(*) AS requests FROM logs GROUP BY ALL ORDER BY 3 DESC";

export interface DemoOptions {
  /** Ends after the proof instead of staying up. */
  once: boolean;
  print: (line: string) => void;
  signal: AbortSignal;
}

interface Stage {
  fleet: Fleet;
  print: (line: string) => void;
  signal: AbortSignal;
}

/**
 * Runs the demo; whatever happens, it leaves neither programs nor files.
 * @throws {LogvendError} when any of its promises does not hold; cancelled, before the proof
 */
export async function demo({ once, print, signal }: DemoOptions): Promise<void> {
  await using folder = await DemoFolder.make();
  await using fleet = await Fleet.prepare(folder.path);
  const stage: Stage = { fleet, print, signal };
  signal.addEventListener("abort", () => sayStopping(print));
  let proven = false;
  try {
    await start(stage);
    await ask(stage);
    await killOne(stage);
    await prove(stage);
    proven = true;
    if (!once) await stay(stage);
  } catch (error) {
    if (!await abortsSoon(signal)) throw error;
    if (!proven) throw new LogvendError("cancelled", "Stopped before the proof");
  }
}

function sayStopping(print: Stage["print"]) {
  try {
    print("\nStopping the fleet and cleaning up");
  } catch {
    // The terminal may be what has gone: that is no reason to leave anything behind.
  }
}

async function start({ fleet, print, signal }: Stage) {
  const startedMs = performance.now();
  fleet.startOrchestrator();
  await until("the orchestrator serves", { fleet, signal }, () => fleet.serves());
  for (const host of HOSTS) {
    fleet.startTraffic(host, { backlog: true });
    fleet.startAgent(host);
  }
  await until("every host has read its backlog", { fleet, signal }, async () => {
    const hosts = await hostStates(fleet);
    if (hosts.filter((host) => host.state === "online").length < HOSTS.length) return false;
    const { rows, rejects } = await countLines(fleet);
    return rows + rejects >= HOSTS.length * BACKLOG_LINES;
  });
  const ready = formatDurationMs(performance.now() - startedMs);
  print(`logvend demo · ${HOSTS.length} hosts, 2 regions · ${fleet.url} · ready in ${ready}\n`);
}

async function ask({ fleet, print }: Stage) {
  print("1  One question, the whole fleet");
  await showQuery(fleet, { sql: QUESTION, print, exitCode: 0 });
}

async function killOne({ fleet, print, signal }: Stage) {
  print("2  kill -9 web-2, ask again");
  await fleet.kill("web-2");
  await until("web-2 is known to be gone", { fleet, signal }, async () => {
    const hosts = await hostStates(fleet);
    return hosts.some(({ host, state }) => host === "web-2" && state === "offline");
  });
  await showQuery(fleet, { sql: QUESTION, print, exitCode: EXIT_CODES.partial });
}

async function prove(stage: Stage) {
  const { fleet, print } = stage;
  const killed = HOSTS.find((host) => host.name === "web-2");
  if (killed !== undefined) fleet.startAgent(killed);
  await fleet.stopTraffic();
  const logs = await Promise.all(HOSTS.map((host) => measureLog(fleet.logFile(host))));
  const lines = logs.reduce((sum, log) => sum + log.lines, 0);
  const bytes = logs.reduce((sum, log) => sum + log.bytes, 0);
  let counted = { rows: 0, rejects: 0 };
  await until(`${lines} lines are stored`, stage, async () => {
    counted = await countLines(fleet);
    return counted.rows + counted.rejects >= lines;
  });
  const rejects = counted.rejects > 0 ? ` + ${counted.rejects} rejects` : "";
  if (counted.rows + counted.rejects !== lines) {
    throw new LogvendError("internal", `wc -l says ${lines}, count(*) ${counted.rows}${rejects}`);
  }
  print(
    `3  web-2 restarted: wc -l ${lines} = count(*) ${counted.rows}${rejects}. ` +
      "Nothing lost, nothing doubled.",
  );
  const stored = await sealedBytes(stage);
  const ratio = (stored / bytes).toFixed(3);
  print(`   ${formatBytes(bytes)} of logs stored in ${formatBytes(stored)} (${ratio}).\n`);
}

/** The bytes that the fleet keeps once it has sealed what it can, and no file is on its way. */
async function sealedBytes(stage: Stage): Promise<number> {
  let stored = -1;
  await until("the past hours are sealed", stage, async () => {
    const stores = await Promise.all(HOSTS.map((host) => measureStore(stage.fleet.dataDir(host))));
    const before = stored;
    stored = stores.reduce((sum, { bytes }) => sum + bytes, 0);
    return stored === before && stores.every(({ unsealedHours }) => unsealedHours === 0);
  });
  return stored;
}

async function stay({ fleet, print, signal }: Stage) {
  for (const host of HOSTS) fleet.startTraffic(host, { backlog: false });
  print("Yours now, in a second terminal here (Ctrl-C stops and cleans up):");
  print(`  export LOGVEND_URL=${fleet.url} LOGVEND_KEY=${fleet.keyFile}`);
  print("  npx -y deno@2.9.5 task logvend hosts");
  print(
    `  npx -y deno@2.9.5 task logvend query "SELECT host, count(*) FROM logs GROUP BY 1" --since 5m`,
  );
  print(`  npx -y deno@2.9.5 task logvend query "${PLACES_QUESTION}"`);
  await Promise.race([aborted(signal), fleet.failure()]);
}
