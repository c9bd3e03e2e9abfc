/** Dashboards and alerts: as their sources have them, and about things that there are. */
import assert from "node:assert/strict";
import { parse } from "yaml";
import { Metrics } from "../../../../agent/metrics/metrics.ts";
import { documentsOf } from "../../../../agent/window/documents.ts";
import type { WindowEvent } from "../../../../agent/window/event.ts";
import { dashboardFiles } from "../../../../deploy/dashboards/generate.ts";
import { agentsDashboard, windowsDashboard } from "../../../../deploy/dashboards/grafana.ts";
import { openSearchObjects } from "../../../../deploy/dashboards/opensearch.ts";
import { LIST_NAMES } from "../../../../queries/windows/lists.ts";
import { batch, folder, GENERATION, open, START_MS } from "../../agent/store/scene.ts";

const DEPLOY = new URL("../../../../deploy/", import.meta.url);

/** An event of every list, as windows have them. */
const EVENTS: WindowEvent[] = LIST_NAMES.map((group) => ({
  id: group,
  revision: 1,
  host: "web-1",
  region: "eu",
  stream: "logs",
  start: "2026-11-22T18:00:00Z",
  end: "2026-11-22T18:00:10Z",
  group,
  value: "v",
  count: 3,
  bytes: 4,
  p95_s: 0.1,
  country: "DE",
  city: "Berlin",
  lat: 52.5,
  lon: 13.4,
}));

/** Every path of a document, `geo.location` too. */
function pathsOf(value: unknown, prefix = ""): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [prefix];
  const inner = Object.entries(value).flatMap(([key, part]) =>
    pathsOf(part, prefix === "" ? key : `${prefix}.${key}`)
  );
  return prefix === "" ? inner : [prefix, ...inner];
}

Deno.test("the files are what their sources make", async () => {
  for (const [path, text] of Object.entries(dashboardFiles())) {
    assert.equal(
      await Deno.readTextFile(new URL(path, DEPLOY)),
      text,
      `deno run -A deploy/dashboards/generate.ts`,
    );
  }
});

Deno.test("the OpenSearch dashboard is whole: twelve panels over fields that documents have", () => {
  const objects = openSearchObjects();
  const ids = new Set(objects.map(({ type, id }) => `${type} ${id}`));
  assert.equal(ids.size, objects.length);
  for (const { references } of objects) {
    for (const { type, id } of references) assert.ok(ids.has(`${type} ${id}`), id);
  }
  const panels = objects.filter(({ type }) => type === "visualization");
  assert.equal(panels.length, 12);
  assert.equal(objects.at(-1)?.references.length, 12);
  const documents = EVENTS.flatMap((event) => documentsOf(event, "reference")).map((
    { kind, body },
  ) => ({
    kind,
    document: JSON.parse(body) as Record<string, unknown>,
  }));
  const types = new Set(documents.map(({ document }) => document["attribute_type"]));
  for (const { attributes, references } of panels) {
    const kind = references[0]?.id.endsWith("geoip") ? "place" : "event";
    const paths = new Set(
      documents.filter((one) => one.kind === kind).flatMap(({ document }) => pathsOf(document)),
    );
    const text = JSON.stringify(attributes);
    for (const [, field = ""] of text.matchAll(/\\"field\\":\\"(.+?)\\"/g)) {
      assert.ok(paths.has(field.replace(".keyword", "")), `${field} of ${attributes["title"]}`);
    }
    for (const [, type] of text.matchAll(/attribute_type: (?:\\+")(.+?)\\+"/g)) {
      assert.ok(types.has(type), type);
    }
    const { kibanaSavedObjectMeta } = attributes;
    JSON.parse((kibanaSavedObjectMeta as { searchSourceJSON: string }).searchSourceJSON);
  }
});

Deno.test("Grafana's windows ask for lists and fields that events have", () => {
  const paths = new Set(EVENTS.flatMap((event) => pathsOf(event)));
  const text = JSON.stringify(windowsDashboard());
  const groups = [...text.matchAll(/"query":"group:(\w+)"/g)].map(([, group]) => group);
  assert.ok(groups.length >= 12);
  for (const group of groups) assert.ok(LIST_NAMES.some((name) => name === group), group);
  for (const [, field = ""] of text.matchAll(/"(?:field|timeField)":"(.+?)"/g)) {
    assert.ok(paths.has(field.replace(".keyword", "")), field);
  }
});

Deno.test("alerts and Grafana's agents are about metrics that agents have", async () => {
  await using home = await folder();
  await using store = await open(home.path);
  store.putGeneration(GENERATION);
  await store.append(batch(0, 1, () => START_MS));
  const metrics = new Metrics({ host: "web-1", region: "eu", version: "1" });
  const { text } = await metrics.page({
    totals: store.totals(),
    condition: store.condition(),
    inputs: new Map(),
    behind: { bytes: 0, ms: 0 },
    link: null,
    windows: null,
    archive: null,
  });
  const known = new Set([...text.matchAll(/^# HELP (\S+)/gm)].map(([, name]) => name));
  const alerts = await Deno.readTextFile(new URL("prometheus/alerts.yml", DEPLOY));
  const { groups } = parse(alerts) as { groups: { rules: { alert: string; expr: string }[] }[] };
  const expressions = [
    ...groups.flatMap(({ rules }) => rules.map(({ expr }) => expr)),
    ...[...JSON.stringify(agentsDashboard()).matchAll(/"expr":"(.+?[^\\])"/g)].map((
      [, expr = ""],
    ) => expr),
  ];
  assert.ok(expressions.length >= 20);
  for (const expression of expressions) {
    for (const [name] of expression.matchAll(/\b(logvend|process)_[a-z_]+/g)) {
      assert.ok(known.has(name.replace(/_bucket$/, "")), name);
    }
  }
});
