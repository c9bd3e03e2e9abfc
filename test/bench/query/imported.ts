/** Gives a host of a running fleet a log's rows in sealed chunks. */
import { eventually } from "../../harness/eventually.ts";
import type { TestFleet } from "../../harness/fleet.ts";
import { ourProgram, runProgram } from "../../harness/program.ts";
import { HttpAsker } from "./asker.ts";

const IMPORT_TIMEOUT_MS = 120_000;

/** The agent is down meanwhile: one process writes a data folder. */
export async function importInto(fleet: TestFleet, host: string, log: string): Promise<void> {
  await fleet.killAgent(host);
  const { code, stderr } = await runProgram(
    { args: ourProgram("agent/main.ts", "import", log, "-c", fleet.configFile(host)) },
    IMPORT_TIMEOUT_MS,
  );
  if (code !== 0) throw new Error(stderr);
  fleet.startAgent(host);
  const asker = await HttpAsker.of(fleet);
  await eventually(async () => {
    const { rows } = await asker.ask(`SELECT count(*) AS n FROM logs WHERE host = '${host}'`)
      .catch(() => ({ rows: [] }));
    return Number(rows[0]?.["n"] ?? 0) > 0;
  });
}
