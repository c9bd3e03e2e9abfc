/** logvend-agent: the command line of the edge agent. */
import { sealWorker } from "./store/seal_process.ts";

if (import.meta.main) {
  const [command] = Deno.args;
  if (command === "worker-seal") Deno.exit(await sealWorker());
  if (command === "worker-query") {
    const { queryWorker } = await import("./query/worker.ts");
    Deno.exit(await queryWorker(Deno.args[1] ?? ""));
  }
}
