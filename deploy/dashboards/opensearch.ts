/**
 * The dashboard for OpenSearch Dashboards over events in the reference's schema: its eleven panels,
 * and throttled addresses. Saved objects, to be imported as they are.
 */

/** One saved object: a line of the file. */
export interface SavedObject {
  id: string;
  type: "index-pattern" | "visualization" | "dashboard";
  attributes: Record<string, unknown>;
  references: { id: string; name: string; type: string }[];
}

const STATS = "logvend-aggregated-stats";
const PLACES = "logvend-aggregated-geoip";

const INDEX_REFERENCE = "kibanaSavedObjectMeta.searchSourceJSON.index";

/** A panel: what it shows of which events, and where it stands on a grid 48 wide. */
interface Panel {
  id: string;
  title: string;
  /** Of OpenSearch Dashboards' own visualizations. */
  kind: "heatmap" | "tagcloud" | "tile_map" | "line" | "pie" | "table";
  index: typeof STATS | typeof PLACES;
  /** In its query language. */
  query: string;
  buckets: Bucket[];
  at: { x: number; y: number; w: number; h: number };
}

interface Bucket {
  schema: string;
  type: "terms" | "date_histogram" | "geohash_grid";
  field: string;
  /** Of terms. @default 10 */
  size?: number;
}

const topOf = (attribute: string) => `attribute_type: "${attribute}"`;
const VALUE = "attribute_value.keyword";

const table = (id: string, title: string, query: string, at: Panel["at"]): Panel => ({
  id,
  title,
  kind: "table",
  index: STATS,
  query,
  buckets: [{ schema: "bucket", type: "terms", field: VALUE }],
  at,
});

/** Lines by time, one a value. */
const series = (id: string, title: string, query: string, at: Panel["at"]): Panel => ({
  id,
  title,
  kind: "line",
  index: STATS,
  query,
  buckets: [
    { schema: "segment", type: "date_histogram", field: "@timestamp" },
    { schema: "group", type: "terms", field: VALUE, size: 12 },
  ],
  at,
});

const PANELS: readonly Panel[] = [
  {
    id: "country-hours",
    title: "Requests by country and hour of day",
    kind: "heatmap",
    index: PLACES,
    query: "",
    buckets: [
      { schema: "segment", type: "terms", field: "hour_of_day", size: 24 },
      { schema: "group", type: "terms", field: "geo.country_iso_code.keyword", size: 20 },
    ],
    at: { x: 0, y: 0, w: 24, h: 14 },
  },
  {
    id: "cities",
    title: "Cities",
    kind: "tagcloud",
    index: PLACES,
    query: "",
    buckets: [{ schema: "segment", type: "terms", field: "geo.city_name.keyword", size: 40 }],
    at: { x: 24, y: 0, w: 24, h: 14 },
  },
  {
    id: "world",
    title: "Where requests come from",
    kind: "tile_map",
    index: PLACES,
    query: "",
    buckets: [{ schema: "segment", type: "geohash_grid", field: "geo.location" }],
    at: { x: 0, y: 14, w: 24, h: 16 },
  },
  series("not-2xx", "Answers other than 2xx", `${topOf("status")} and not attribute_value: 2*`, {
    x: 24,
    y: 14,
    w: 24,
    h: 8,
  }),
  series("throughput", "Requests and bytes", topOf("total"), { x: 24, y: 22, w: 24, h: 8 }),
  {
    id: "user-agents",
    title: "User agents",
    kind: "pie",
    index: STATS,
    query: topOf("user_agent"),
    buckets: [{ schema: "segment", type: "terms", field: VALUE }],
    at: { x: 0, y: 30, w: 16, h: 14 },
  },
  table("unauthorized", "Unauthorized callers (401, 403)", topOf("bad_caller_403"), {
    x: 16,
    y: 30,
    w: 16,
    h: 14,
  }),
  table("throttled", "Throttled callers (429)", topOf("bad_caller_429"), {
    x: 32,
    y: 30,
    w: 16,
    h: 14,
  }),
  table("callers-404", "Callers of pages that are gone", topOf("bad_caller_404"), {
    x: 0,
    y: 44,
    w: 24,
    h: 14,
  }),
  table("pages-404", "Pages that are gone (404)", topOf("bad_page_404"), {
    x: 24,
    y: 44,
    w: 24,
    h: 14,
  }),
  table("top-callers", "Top callers", topOf("ip"), { x: 0, y: 58, w: 24, h: 14 }),
  table("top-pages", "Top pages", topOf("request"), { x: 24, y: 58, w: 24, h: 14 }),
];

/** All lines, those that others refer to first. */
export function openSearchObjects(): SavedObject[] {
  return [
    indexPattern(STATS, "aggregated-stats-*"),
    indexPattern(PLACES, "aggregated-geoip-*"),
    ...PANELS.map(visualization),
    dashboard(),
  ];
}

function indexPattern(id: string, title: string): SavedObject {
  const attributes = { title, timeFieldName: "@timestamp" };
  return { id, type: "index-pattern", attributes, references: [] };
}

function visualization({ id, title, kind, index, query, buckets }: Panel): SavedObject {
  const sum = { id: "1", enabled: true, type: "sum", schema: "metric", params: { field: "count" } };
  const aggs = [sum, ...buckets.map((bucket, i) => aggregation(bucket, String(i + 2)))];
  const search = { query: { query, language: "kuery" }, filter: [], indexRefName: INDEX_REFERENCE };
  return {
    id: `logvend-${id}`,
    type: "visualization",
    attributes: {
      title,
      visState: JSON.stringify({ title, type: kind, params: paramsOf(kind), aggs }),
      uiStateJSON: "{}",
      description: "",
      version: 1,
      kibanaSavedObjectMeta: { searchSourceJSON: JSON.stringify(search) },
    },
    references: [{ id: index, name: INDEX_REFERENCE, type: "index-pattern" }],
  };
}

function aggregation({ schema, type, field, size = 10 }: Bucket, id: string) {
  const params = {
    terms: { field, size, orderBy: "1", order: "desc" },
    date_histogram: { field, interval: "auto", min_doc_count: 1 },
    geohash_grid: { field, autoPrecision: true, useGeocentroid: true },
  }[type];
  return { id, enabled: true, type, schema, params };
}

function paramsOf(kind: Panel["kind"]): Record<string, unknown> {
  switch (kind) {
    case "table":
      return { perPage: 10, showPartialRows: false, showTotal: false };
    case "pie":
      return { type: "pie", isDonut: true, addTooltip: true, addLegend: true };
    case "tagcloud":
      return { scale: "linear", orientation: "single", minFontSize: 14, maxFontSize: 48 };
    case "heatmap":
      return { type: "heatmap", colorsNumber: 8, colorSchema: "Blues", addTooltip: true };
    case "tile_map":
      return { mapType: "Scaled Circle Markers", isDesaturated: true, mapZoom: 2 };
    case "line":
      return { type: "line", addTooltip: true, addLegend: true, legendPosition: "right" };
    default:
      return kind satisfies never;
  }
}

function dashboard(): SavedObject {
  const panels = PANELS.map(({ at }, i) => ({
    panelIndex: String(i + 1),
    gridData: { ...at, i: String(i + 1) },
    version: "2.0.0",
    embeddableConfig: {},
    panelRefName: `panel_${i}`,
  }));
  const search = { query: { query: "", language: "kuery" }, filter: [] };
  return {
    id: "logvend-requests",
    type: "dashboard",
    attributes: {
      title: "logvend: requests of the fleet",
      panelsJSON: JSON.stringify(panels),
      optionsJSON: JSON.stringify({ useMargins: true, hidePanelTitles: false }),
      timeRestore: true,
      timeFrom: "now-1h",
      timeTo: "now",
      refreshInterval: { pause: false, value: 10_000 },
      version: 1,
      kibanaSavedObjectMeta: { searchSourceJSON: JSON.stringify(search) },
    },
    references: PANELS.map(({ id }, i) => ({
      id: `logvend-${id}`,
      name: `panel_${i}`,
      type: "visualization",
    })),
  };
}
