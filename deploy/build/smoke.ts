/** Asks both executables a query, as a user would who has nothing but the two files. */
import { join } from "node:path";
import { eventually } from "../../test/harness/eventually.ts";
import { freePorts } from "../../test/harness/ports.ts";
import { runProgram, startProgram } from "../../test/harness/program.ts";
import { TempFolder } from "../../test/harness/temp_folder.ts";

const LINE_COUNT = 3;
const SQL = "SELECT count(*) AS lines FROM logs";

/** Its text has to be part of the executables. */
const FROM_LIBRARY = "@totals";

/**
 * Asks `logvend-agent` about a file, then `logvend` about a fleet of one host.
 * @throws when an answer is wrong or does not come
 */
export async function smoke(executables: string): Promise<void> {
  await using folder = await TempFolder.make();
  const log = await folder.write("access.log", logLine().repeat(LINE_COUNT));
  const env = { LOGVEND_CACHE: folder.join("cache"), NO_COLOR: "1" };
  const agent = join(executables, "logvend-agent");
  const logvend = join(executables, "logvend");
  const ask = async (command: string, ...args: string[]) => {
    const { code, stdout, stderr } = await runProgram({ command, args, env });
    if (code !== 0) throw new Error(`${command} ${args.join(" ")}: exit ${code}\n${stderr}`);
    return stdout;
  };
  check(agent, await ask(agent, "query", SQL, "--file", log, "-o", "csv"));
  const totals = await ask(agent, "query", FROM_LIBRARY, "--file", log, "-o", "csv");
  if (totals !== `requests,bytes\n${LINE_COUNT},${LINE_COUNT}\n`) {
    throw new Error(`${agent} answered ${totals}`);
  }

  await ask(logvend, "init", folder.join("fleet"));
  const [http = 0, broker = 0] = freePorts(2);
  const inFleet = (name: string) => folder.join("fleet", name);
  const edit = async (name: string, replacements: Record<string, string>) => {
    let text = await Deno.readTextFile(inFleet(name));
    for (const [from, to] of Object.entries(replacements)) text = text.replaceAll(from, to);
    await Deno.writeTextFile(inFleet(name), text);
  };
  await edit("orchestrator.yaml", { ":8080": `:${http}`, ":1883": `:${broker}` });
  await edit("agent.yaml", { ":1883": `:${broker}`, "/var/log/nginx/access.log*": log });
  const start = (command: string, ...args: string[]) => startProgram({ command, args, env });
  await using _server = start(logvend, "serve", "-c", inFleet("orchestrator.yaml"));
  await using _host = start(agent, "run", "-c", inFleet("agent.yaml"));
  await eventually(async () => {
    const target = ["--url", `http://127.0.0.1:${http}`, "--key", inFleet("operator.key")];
    check(logvend, await ask(logvend, "query", SQL, ...target, "-o", "csv"));
    return true;
  }, 30_000);
}

function logLine(): string {
  const time = new Date().toISOString().replace(/\.\d+Z$/, "+00:00");
  return `{"remote_addr":"192.0.2.1","remote_user":"-","time_local":"${time}",` +
    `"http_method":"GET","request":"/","http_version":"HTTP/1.1","status":200,` +
    `"body_bytes_sent":1,"http_referer":"-","http_user_agent":"smoke"}\n`;
}

function check(command: string, csv: string) {
  const count = csv.trim().split("\n").at(-1);
  if (count !== String(LINE_COUNT)) {
    throw new Error(`${command} counted ${count} of ${LINE_COUNT} lines`);
  }
}
