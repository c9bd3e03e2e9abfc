/** A real Prometheus over a real agent: every panel has something to show, every alert can be told. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { agentsDashboard } from "../../deploy/dashboards/grafana.ts";
import { findProgram } from "../../deploy/build/debian_package.ts";
import { eventually } from "../harness/eventually.ts";
import { freePort } from "../harness/ports.ts";
import { ourProgram, runProgram, startProgram } from "../harness/program.ts";
import { PROMETHEUS_IS_MISSING, startPrometheus } from "../harness/prometheus.ts";
import { TempFolder } from "../harness/temp_folder.ts";

const pathOf = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));

interface Expression {
  title: string;
  expr: string;
}

/** What Grafana asks for with all instances chosen, and its variable. */
function expressions(): Expression[] {
  const { panels = [], templating } = agentsDashboard();
  const fill = (expr: string) =>
    expr.replaceAll("$instance", ".*").replaceAll("$__rate_interval", "10s");
  const variables = templating?.list?.filter(({ type }) => type === "query") ?? [];
  return [
    ...panels.flatMap((panel) => {
      const { title = "", targets = [] } = "targets" in panel ? panel : {};
      return targets.map(({ expr }) => ({ title, expr: fill(String(expr)) }));
    }),
    ...variables.map(({ name, query }) => {
      const [, metric = "", label] = /^label_values\((\w+), (\w+)\)$/.exec(String(query)) ?? [];
      return { title: name, expr: `count by (${label}) (${metric})` };
    }),
  ];
}

function line(number: number): string {
  const time_local = new Date().toISOString().slice(0, 19);
  const status = number % 10 === 0 ? 503 : 200;
  const request = { http_method: "GET", request: `/item/${number}`, http_version: "HTTP/1.1" };
  const answer = { status, body_bytes_sent: 100, request_time: 0.01 * (number % 20) };
  return `${JSON.stringify({ remote_addr: "10.0.0.1", time_local, ...request, ...answer })}\n`;
}

Deno.test({
  name: "every panel over agents' metrics has something to show, and a sink that is down is told",
  ignore: PROMETHEUS_IS_MISSING,
  fn: async () => {
    await using folder = await TempFolder.make();
    const port = freePort();
    const config = await folder.write(
      "agent.yaml",
      `host: web-1
data_dir: ./data
http: 127.0.0.1:${port}
streams: [ { name: logs, files: [ ./access.log ] } ]
windows: { every: 1s, grace: 200ms }
sinks:
  - { name: out, type: file, path: ./out.jsonl }
  - { name: gone, type: webhook, url: "http://127.0.0.1:${freePort()}/" }
`,
    );
    const log = await folder.write("access.log", line(0));
    await using agent = startProgram({ args: ourProgram("agent/main.ts", "run", "-c", config) });
    await agent.waitForLine(/Agent .* reads /);
    await using prometheus = await startPrometheus(`127.0.0.1:${port}`);
    let lines = 1;
    const all = expressions();
    const isEmpty = new Set(all.map(({ expr }) => expr));
    for (const { expr } of all.filter(({ title }) => title.startsWith("Queries of the fleet"))) {
      await prometheus.query(expr); // it is understood; there is no fleet here to ask something
      isEmpty.delete(expr);
    }
    assert.ok(isEmpty.size >= 14);
    await eventually(async () => {
      await Deno.writeTextFile(log, line(lines++).repeat(20), { append: true });
      for (const expr of isEmpty) {
        const shown = (await prometheus.query(expr)).filter(({ value: [, text] }) =>
          text !== "NaN"
        );
        if (shown.length > 0) isEmpty.delete(expr);
      }
      const titles = all.filter(({ expr }) => isEmpty.has(expr)).map(({ title }) => title);
      assert.deepEqual(titles, [], "nothing to show");
      return true;
    });
    const rules = await eventually(async () => {
      const told = await prometheus.rules();
      assert.equal(told.find(({ name }) => name === "LogvendSinkDown")?.state, "pending");
      return told;
    });
    assert.equal(rules.length, 9);
    assert.deepEqual(rules.filter(({ health }) => health !== "ok"), []);
  },
});

Deno.test({
  name: "every alert fires when it should, and not a moment before",
  ignore: PROMETHEUS_IS_MISSING,
  fn: async () => {
    const command = findProgram("promtool") ?? "promtool";
    const check = async (...args: string[]) => {
      const { code, stdout, stderr } = await runProgram({ command, args });
      assert.equal(code, 0, stdout + stderr);
    };
    await check("check", "rules", pathOf("deploy/prometheus/alerts.yml"));
    await check("test", "rules", pathOf("test/fixtures/prometheus/alerts_test.yml"));
  },
});
