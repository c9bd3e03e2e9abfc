/** `logvend init`: the files that a first orchestrator and its agents need. */
import { join } from "node:path";
import { LogvendError } from "../../protocol/errors.ts";
import { reasonOf } from "../../protocol/file_error.ts";
import { createKeyFile, writeNew } from "../access/key_file.ts";

export interface InitFiles {
  orchestrator: string;
  key: string;
  agent: string;
}

/** Writes them into a folder. @throws {LogvendError} usage, when one of them is there already */
export async function initFolder(folder: string): Promise<InitFiles> {
  const files = {
    orchestrator: join(folder, "orchestrator.yaml"),
    key: join(folder, "operator.key"),
    agent: join(folder, "agent.yaml"),
  };
  for (const path of Object.values(files)) {
    if (await exists(path)) {
      throw new LogvendError("usage", `${path} exists already: nothing was written`);
    }
  }
  const publicKey = await createKeyFile(files.key);
  await writeNew(files.orchestrator, orchestratorYaml(publicKey));
  await writeNew(files.agent, agentYaml(publicKey));
  return files;
}

/** What was written, and what to run next. */
export function initText({ orchestrator, key, agent }: InitFiles): string {
  const width = orchestrator.length; // the longest name
  return `${orchestrator}  for the orchestrator
${agent.padEnd(width)}  for an agent: copy it to every host and name its log files
${key.padEnd(width)}  signs your queries, yours alone: export LOGVEND_KEY=${key}

Next:
  logvend serve -c ${orchestrator}
  logvend-agent run -c ${agent}`;
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new LogvendError("usage", `Cannot write ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

function orchestratorYaml(publicKey: string): string {
  return `# For logvend serve -c orchestrator.yaml. Every key: docs/configuration.md
http: 127.0.0.1:8080
# The embedded broker is for agents on this machine. For others run a broker such as Mosquitto
# with TLS and accounts, and name it here: mqtts://user:password@broker.example:8883
broker: embedded
broker_listen: 127.0.0.1:1883
data_dir: ./orchestrator-data
# Who may ask: public keys, as logvend key new prints them.
trust: [ "${publicKey}" ]
`;
}

function agentYaml(publicKey: string): string {
  return `# Copy to every host, for logvend-agent run -c agent.yaml. Every key: docs/configuration.md
# host: web-1 # default: the hostname
region: eu-west-1
labels: { service: web-server }
data_dir: ./agent-data
broker: mqtt://127.0.0.1:1883
# Whose queries this host answers.
trust: [ "${publicKey}" ]
streams:
  - { name: logs, format: auto, files: [ /var/log/nginx/access.log* ] }
`;
}
