/** logvend-agent: the command line of the edge agent. */
import { sealWorker } from "./store/seal_process.ts";

if (import.meta.main) {
  const [command] = Deno.args;
  if (command === "worker-seal") Deno.exit(await sealWorker());
}
