/** The demo: a fleet on this machine, one question, one killed host, and the proof afterwards. */
import { EXIT_CODES, LogvendError } from "../../protocol/errors.ts";
import { formatBytes } from "../../protocol/units.ts";
import { BACKLOG_LINES, Fleet, HOSTS } from "./fleet.ts";
import { measureLog, measureStore } from "./proof.ts";
import { countLines, hostStates, showQuery } from "./questions.ts";

/** How long any single step may take before the demo gives up. */
const STEP_TIMEOUT_MS = 60_000;

const QUESTION = "SELECT status, count(*) AS requests FROM logs GROUP BY 1 ORDER BY 2 DESC";

export interface DemoOptions {
  /** Ends after the proof instead of staying up. */
  once: boolean;
  print: (line: string) => void;
  signal: AbortSignal;
}

/** Runs the demo. @throws {LogvendError} when any of its promises does not hold */
export async function demo({ once, print, signal }: DemoOptions): Promise<void> {
  const started = performance.now();
  const folder = await Deno.makeTempDir({ prefix: "logvend-demo-" });
  try {
    await using fleet = await Fleet.prepare(folder);
    const stage: Stage = { fleet, print, signal };
    await start(stage);
    const seconds = ((performance.now() - started) / 1_000).toFixed(1);
    print(
      `logvend demo · ${HOSTS.length} hosts, 2 regions · ${fleet.url} · ready in ${seconds} s\n`,
    );
    await ask(stage);
    await killOne(stage);
    await prove(stage);
    if (!once) await stay(stage);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

interface Stage {
  fleet: Fleet;
  print: (line: string) => void;
  signal: AbortSignal;
}

async function start({ fleet, signal }: Stage) {
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
  const { fleet, print, signal } = stage;
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
  let stored = 0;
  await until("the past hours are sealed", { fleet, signal }, async () => {
    const stores = await Promise.all(HOSTS.map((host) => measureStore(fleet.dataDir(host))));
    stored = stores.reduce((sum, store) => sum + store.bytes, 0);
    return stores.every((store) => store.parts === 0);
  });
  const ratio = (stored / bytes).toFixed(3);
  print(`   ${formatBytes(bytes)} of logs stored in ${formatBytes(stored)} (${ratio}).\n`);
}

async function stay({ fleet, print, signal }: Stage) {
  for (const host of HOSTS) fleet.startTraffic(host, { backlog: false });
  print("Yours now, in a second terminal here (Ctrl-C stops and cleans up):");
  print(`  export LOGVEND_URL=${fleet.url} LOGVEND_KEY=${fleet.keyFile}`);
  print("  npx -y deno@2.9.5 task logvend hosts");
  print(
    `  npx -y deno@2.9.5 task logvend query "SELECT host, count(*) FROM logs GROUP BY 1" --since 5m`,
  );
  await Promise.race([
    new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true })),
    fleet.failure(),
  ]);
}

/** Polls until `done`; ends early when a program of the fleet dies or the user stops the demo. */
async function until(
  what: string,
  { fleet, signal }: { fleet: Fleet; signal: AbortSignal },
  done: () => Promise<boolean>,
) {
  const deadlineMs = performance.now() + STEP_TIMEOUT_MS;
  const failure = fleet.failure();
  while (!await Promise.race([done(), failure])) {
    if (signal.aborted) throw new LogvendError("cancelled", "Stopped");
    if (performance.now() > deadlineMs) {
      throw new LogvendError("timeout", `Waited ${STEP_TIMEOUT_MS / 1_000} s until ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
