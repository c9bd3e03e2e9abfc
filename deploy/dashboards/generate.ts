/** Writes the dashboards: `deno run -A deploy/dashboards/generate.ts`. */
import { agentsDashboard, windowsDashboard } from "./grafana.ts";
import { openSearchObjects } from "./opensearch.ts";

/** What each file is to hold, by its path in deploy/. */
export function dashboardFiles(): Readonly<Record<string, string>> {
  const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  return {
    "opensearch/dashboard.ndjson": openSearchObjects().map((object) =>
      `${JSON.stringify(object)}\n`
    ).join(""),
    "grafana/agents.json": json(agentsDashboard()),
    "grafana/windows.json": json(windowsDashboard()),
  };
}

if (import.meta.main) {
  for (const [path, text] of Object.entries(dashboardFiles())) {
    await Deno.writeTextFile(new URL(`../${path}`, import.meta.url), text);
  }
}
