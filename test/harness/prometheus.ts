/** A real Prometheus for one test: it scrapes one page, with our alerts. */
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { findProgram } from "../../deploy/build/debian_package.ts";
import { freePort } from "./ports.ts";
import { startProgram } from "./program.ts";
import { TempFolder } from "./temp_folder.ts";

/** For tests that need Prometheus and its promtool, of the Debian package `prometheus`. */
export const PROMETHEUS_IS_MISSING = findProgram("prometheus") === null ||
  findProgram("promtool") === null;

const ALERTS = fileURLToPath(new URL("../../deploy/prometheus/alerts.yml", import.meta.url));

const Answer = z.object({ status: z.literal("success"), data: z.unknown() });
const Vector = z.object({
  result: z.array(z.object({
    metric: z.record(z.string(), z.string()),
    value: z.tuple([z.number(), z.string()]),
  })),
});
const Rules = z.object({
  groups: z.array(z.object({
    rules: z.array(z.object({ name: z.string(), health: z.string(), state: z.string() })),
  })),
});

export interface Prometheus extends AsyncDisposable {
  /** What an expression gives now. @throws saying what is wrong with it */
  query(expression: string): Promise<z.infer<typeof Vector>["result"]>;
  /** Alerts as they stand. */
  rules(): Promise<z.infer<typeof Rules>["groups"][number]["rules"]>;
}

/** Scrapes `target`, `host:port`, every second; resolves when it is ready. */
export async function startPrometheus(target: string): Promise<Prometheus> {
  const path = findProgram("prometheus");
  if (path === null) throw new Error("Prometheus is not installed");
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await TempFolder.make());
  const config = {
    global: { scrape_interval: "1s", evaluation_interval: "1s" },
    rule_files: [ALERTS],
    scrape_configs: [{ job_name: "agents", static_configs: [{ targets: [target] }] }],
  };
  const file = await folder.write("prometheus.yml", JSON.stringify(config)); // JSON is YAML
  const address = `127.0.0.1:${freePort()}`;
  const program = stack.use(startProgram({
    command: path,
    args: [
      `--config.file=${file}`,
      `--storage.tsdb.path=${folder.join("tsdb")}`,
      `--web.listen-address=${address}`,
    ],
  }));
  await program.waitForLine(/Server is ready to receive web requests/);
  const ask = async (path: string) => {
    const response = await fetch(`http://${address}/api/v1/${path}`);
    const text = await response.text();
    if (!response.ok) throw new Error(text);
    return Answer.parse(JSON.parse(text)).data;
  };
  const owned = stack.move();
  return {
    query: async (expression) =>
      Vector.parse(await ask(`query?query=${encodeURIComponent(expression)}`)).result,
    rules: async () => Rules.parse(await ask("rules")).groups.flatMap(({ rules }) => rules),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
