/** Dashboards and alerts: as their sources have them, and about things that there are. */
import assert from "node:assert/strict";
import { parse } from "yaml";
import { Metrics } from "../../../../agent/metrics/metrics.ts";
import { documentsOf, SCHEMAS } from "../../../../agent/window/documents.ts";
import type { WindowEvent } from "../../../../agent/window/event.ts";
import type { Outgoing } from "../../../../agent/window/sinks/sink.ts";
import { dashboardFiles } from "../../../../deploy/dashboards/generate.ts";
import { agentsDashboard, windowsDashboard } from "../../../../deploy/dashboards/grafana.ts";
import { openSearchObjects } from "../../../../deploy/dashboards/opensearch.ts";
import { LIST_NAMES } from "../../../../queries/windows/lists.ts";
import { IndexMapping, isOfPattern } from "../../../harness/sinks/mapping.ts";
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

const TEMPLATE = JSON.parse(await Deno.readTextFile(new URL("opensearch/template.json", DEPLOY)));

/** Types of the fields in the index of these documents; those of odd values come first. */
function mapped(documents: readonly Outgoing[], kind?: Outgoing["kind"]): Map<string, string> {
  const mapping = new IndexMapping(TEMPLATE.template.mappings);
  for (const one of documents) {
    if (kind === undefined || one.kind === kind) mapping.add(JSON.parse(one.body));
  }
  return mapping.types;
}

/** What each aggregation takes. */
const TAKES: Readonly<Record<string, RegExp>> = {
  terms: /^(keyword|long|integer|double|boolean)$/,
  date_histogram: /^date$/,
  geohash_grid: /^geo_point$/,
  sum: /^(long|integer|double|float)$/,
  max: /^(long|integer|double|float)$/,
};

Deno.test("the files are what their sources make", async () => {
  for (const [path, text] of Object.entries(dashboardFiles())) {
    assert.equal(
      await Deno.readTextFile(new URL(path, DEPLOY)),
      text,
      `deno run -A deploy/dashboards/generate.ts`,
    );
  }
});

Deno.test("no first document of a day makes a field too narrow for those behind it", () => {
  const [event] = EVENTS;
  assert.ok(event !== undefined);
  const odd: WindowEvent[] = [
    { ...event, value: "2026" }, // no date
    { ...event, p95_s: 0, within: { ms_5: 3 } }, // no whole number
    { ...event, value: "x", p95_s: 0.25, own: 1 },
    { ...event, own: 1.5 },
  ];
  for (const schema of SCHEMAS) {
    const documents = [...odd, ...EVENTS].flatMap((one) => documentsOf(one, schema));
    assert.ok(mapped(documents).size > 10);
  }
  const untold = new IndexMapping({});
  const add = (event: WindowEvent) =>
    documentsOf(event, "logvend").forEach(({ body }) => untold.add(JSON.parse(body)));
  assert.throws(() => odd.forEach(add), /value is date|p95_s is long/);
});

Deno.test("indices have the names that the template and the dashboard's patterns are for", () => {
  const day = "2026.11.22";
  const patterns = openSearchObjects().filter(({ type }) => type === "index-pattern");
  const titles = patterns.map(({ attributes }) => String(attributes["title"]));
  const has = (patterns: readonly string[], index: string) =>
    patterns.some((pattern) => isOfPattern(index, pattern));
  for (const index of ["aggregated-stats", "aggregated-geoip"]) {
    assert.ok(has(titles, `${index}-${day}`));
    assert.ok(has(TEMPLATE.index_patterns, `${index}-${day}`));
  }
  for (const index of ["logvend-windows", "logvend-rows"]) {
    assert.ok(has(TEMPLATE.index_patterns, `${index}-${day}`));
  }
});

interface Aggregation {
  id: string;
  type: string;
  params: { field: string; orderBy?: string };
}

Deno.test("the OpenSearch dashboard is whole: twelve panels over fields that documents have", () => {
  const objects = openSearchObjects();
  const ids = new Set(objects.map(({ type, id }) => `${type} ${id}`));
  assert.equal(ids.size, objects.length);
  for (const { attributes, references } of objects) {
    for (const { type, id } of references) assert.ok(ids.has(`${type} ${id}`), id);
    // What stands in the text by a reference's name is among the references, and the other way round.
    const names = [
      ...JSON.stringify(attributes).matchAll(/(?:RefName|indexRefName)\\*":\\*"(.+?)\\*"/g),
    ]
      .map(([, name]) => name);
    assert.deepEqual(references.map(({ name }) => name).sort(), names.sort());
  }
  const panels = objects.filter(({ type }) => type === "visualization");
  assert.equal(panels.length, 12);
  assert.equal(objects.at(-1)?.references.length, 12);
  const documents = EVENTS.flatMap((event) => documentsOf(event, "reference"));
  const kinds = new Set(documents.map(({ body }) => JSON.parse(body)["attribute_type"]));
  for (const { attributes, references } of panels) {
    const title = String(attributes["title"]);
    const types = mapped(documents, references[0]?.id.endsWith("geoip") ? "place" : "event");
    const { aggs } = JSON.parse(String(attributes["visState"])) as { aggs: Aggregation[] };
    const known = new Set(aggs.map(({ id }) => id));
    assert.equal(known.size, aggs.length, title);
    for (const { type, params: { field, orderBy } } of aggs) {
      assert.match(
        types.get(field) ?? "none",
        TAKES[type] ?? /^$/,
        `${title}: ${type} of ${field}`,
      );
      assert.ok(orderBy === undefined || known.has(orderBy), title);
    }
    const { kibanaSavedObjectMeta } = attributes as {
      kibanaSavedObjectMeta: { searchSourceJSON: string };
    };
    const { query: { query } } = JSON.parse(kibanaSavedObjectMeta.searchSourceJSON);
    for (const [, field = "", value = ""] of String(query).matchAll(/(\w+): "?([\w*]+)"?/g)) {
      assert.ok(types.has(field), `${title}: ${field}`);
      if (field === "attribute_type") assert.ok(kinds.has(value), `${title}: ${value}`);
    }
  }
});

Deno.test("Grafana's windows ask for lists and fields that events have", () => {
  const types = mapped(EVENTS.flatMap((event) => documentsOf(event, "logvend")));
  const { panels = [] } = windowsDashboard();
  assert.ok(panels.length >= 12);
  for (const panel of panels) {
    assert.ok("targets" in panel);
    for (const { query, metrics, bucketAggs, timeField } of panel.targets ?? []) {
      const [, group] = /^group:(\w+)$/.exec(String(query)) ?? [];
      assert.ok(LIST_NAMES.some((name) => name === group), String(query));
      assert.equal(types.get(String(timeField)), "date");
      for (const { type, field } of [metrics, bucketAggs].flat() as Record<string, string>[]) {
        assert.match(types.get(field ?? "") ?? "none", TAKES[type ?? ""] ?? /^$/, `${panel.title}`);
      }
    }
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
    isHeldBack: false,
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
