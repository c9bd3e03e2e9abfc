/** Dashboards for Grafana: agents, from their metrics in Prometheus; windows, from OpenSearch. */
import type {
  Dashboard as GrafanaDashboard,
  Panel as GrafanaPanel,
  VariableModel,
} from "@grafana/schema";

type GridPos = NonNullable<GrafanaPanel["gridPos"]>;

/** A slice for each row: by itself a chart has one for each column. */
const SLICES = {
  pieType: "donut",
  reduceOptions: { values: true, calcs: ["lastNotNull"], fields: "" },
  legend: { showLegend: true, displayMode: "table", placement: "right", values: ["value"] },
};

/** A panel as Grafana has it. */
interface Panel {
  title: string;
  type: "timeseries" | "table" | "stat" | "piechart";
  /** Grafana's name of a unit. */
  unit: string;
  targets: Record<string, unknown>[];
  width: 8 | 12 | 24;
  /** Of tables: each value is the newest sum of a time range. */
  isTable?: boolean;
}

const HEIGHT = 8;
const WIDTH = 24;

const metric = (expr: string, legendFormat: string) => ({ expr, legendFormat });

const AGENTS: readonly Panel[] = [
  graph("Requests by class of status", "reqps", [
    metric(
      'sum by (class) (rate(logvend_requests_total{instance=~"$instance"}[$__rate_interval]))',
      "{{class}}",
    ),
  ]),
  graph("Bytes sent", "Bps", [
    metric(
      'sum by (stream) (rate(logvend_response_bytes_total{instance=~"$instance"}[$__rate_interval]))',
      "{{stream}}",
    ),
  ]),
  graph("Request time, p95", "s", [
    metric(
      'histogram_quantile(0.95, sum by (le, stream) (rate(logvend_request_duration_seconds_bucket{instance=~"$instance"}[$__rate_interval])))',
      "{{stream}}",
    ),
  ]),
  graph("Lines read", "short", [
    metric(
      'sum by (instance) (rate(logvend_read_lines_total{instance=~"$instance"}[$__rate_interval]))',
      "{{instance}}",
    ),
  ]),
  graph("Reading is behind", "s", [
    metric('logvend_behind_seconds{instance=~"$instance"}', "{{instance}}"),
  ]),
  graph("Sinks are behind", "s", [
    metric('logvend_sink_lag_seconds{instance=~"$instance"}', "{{instance}} {{sink}}"),
  ]),
  graph("Events to sinks", "short", [
    metric(
      'sum by (sink) (rate(logvend_sink_events_total{instance=~"$instance"}[$__rate_interval]))',
      "{{sink}}",
    ),
    metric(
      'sum by (sink) (rate(logvend_sink_failures_total{instance=~"$instance"}[$__rate_interval]))',
      "{{sink}} failures",
    ),
    metric(
      'sum by (sink) (rate(logvend_sink_refused_events_total{instance=~"$instance"}[$__rate_interval]))',
      "{{sink}} refused",
    ),
  ]),
  graph("Counting a window, p99", "s", [
    metric(
      'histogram_quantile(0.99, sum by (le) (rate(logvend_window_count_seconds_bucket{instance=~"$instance"}[$__rate_interval])))',
      "p99",
    ),
  ]),
  graph("Queries of the fleet, p99", "s", [
    metric(
      'histogram_quantile(0.99, sum by (le, result) (rate(logvend_query_duration_seconds_bucket{instance=~"$instance"}[$__rate_interval])))',
      "{{result}}",
    ),
  ]),
  graph("Stored", "bytes", [
    metric('sum by (kind) (logvend_stored_bytes{instance=~"$instance"})', "{{kind}}"),
    metric('sum(logvend_window_queue_bytes{instance=~"$instance"})', "queue of sinks"),
  ]),
  graph("Memory", "bytes", [
    metric('process_resident_memory_bytes{instance=~"$instance"}', "{{instance}}"),
  ]),
];

const WINDOWS: readonly Panel[] = [
  graph("Requests by status", "short", [byTime("status", "value.keyword")]),
  graph("Requests by host", "short", [byTime("total", "host.keyword")]),
  graph("Latency, p95 of hosts", "s", [byTime("latency", "host.keyword", "max", "p95_s")]),
  graph("Bytes by region", "bytes", [byTime("total", "region.keyword", "sum", "bytes")]),
  top("Top pages and APIs", "path"),
  top("Top addresses", "address"),
  top("Pages that are gone", "missing_path"),
  top("Callers of pages that are gone", "missing_path_address"),
  top("Unauthorized addresses (401, 403)", "unauthorized_address"),
  top("Throttled addresses (429)", "throttled_address"),
  top("Places", "place"),
  { ...top("User agents", "user_agent"), type: "piechart" },
];

function graph(title: string, unit: string, targets: Panel["targets"]): Panel {
  return { title, type: "timeseries", unit, targets, width: 12 };
}

function top(title: string, group: string): Panel {
  const terms = {
    field: "value.keyword",
    type: "terms",
    id: "2",
    settings: { size: "10", order: "desc", orderBy: "1" },
  };
  const target = {
    query: `group:${group}`,
    metrics: [sumOf("sum", "count")],
    bucketAggs: [terms],
    timeField: "start",
  };
  return { title, type: "table", unit: "short", targets: [target], width: 8, isTable: true };
}

/** Events of one list by time, one line a value of a field. */
function byTime(group: string, field: string, type: "sum" | "max" = "sum", of = "count") {
  return {
    query: `group:${group}`,
    metrics: [sumOf(type, of)],
    bucketAggs: [
      { field, type: "terms", id: "2", settings: { size: "12", order: "desc", orderBy: "1" } },
      { field: "start", type: "date_histogram", id: "3", settings: { interval: "auto" } },
    ],
    timeField: "start",
  };
}

function sumOf(type: "sum" | "max", field: string) {
  return { type, field, id: "1" };
}

/** From the metrics of agents, in Prometheus. */
export function agentsDashboard(): GrafanaDashboard {
  const instance: VariableModel = {
    name: "instance",
    type: "query",
    datasource: { type: "prometheus", uid: "${source}" },
    query: "label_values(logvend_agent_info, instance)",
    multi: true,
    includeAll: true,
    current: { text: "All", value: "$__all" },
    refresh: 2,
  };
  return dashboard("logvend-agents", "logvend: agents", AGENTS, "prometheus", [instance]);
}

/** From events in the own schema, in OpenSearch (index `logvend-windows-*`, time field `start`). */
export function windowsDashboard(): GrafanaDashboard {
  return dashboard("logvend-windows", "logvend: windows", WINDOWS, "grafana-opensearch-datasource");
}

function dashboard(
  uid: string,
  title: string,
  panels: readonly Panel[],
  source: string,
  variables: readonly VariableModel[] = [],
): GrafanaDashboard {
  let x = 0;
  let y = 0;
  const placed = panels.map((panel, i) => {
    if (x + panel.width > WIDTH) [x, y] = [0, y + HEIGHT];
    const gridPos = { x, y, w: panel.width, h: HEIGHT };
    x += panel.width;
    return drawn(panel, { id: i + 1, gridPos, source });
  });
  const list: VariableModel[] = [
    { name: "source", type: "datasource", query: source, label: "Source" },
    ...variables,
  ];
  return {
    uid,
    title,
    tags: ["logvend"],
    schemaVersion: 39,
    refresh: "10s",
    time: { from: "now-1h", to: "now" },
    templating: { list },
    panels: placed,
  };
}

function drawn(
  { title, type, unit, targets, isTable = false }: Panel,
  { id, gridPos, source }: { id: number; gridPos: GridPos; source: string },
): GrafanaPanel {
  const datasource = { type: source, uid: "${source}" };
  return {
    id,
    title,
    type,
    gridPos,
    datasource,
    fieldConfig: { defaults: { unit }, overrides: [] },
    options: type === "piechart" ? SLICES : {},
    targets: targets.map((target, i) => ({
      refId: String.fromCharCode(65 + i),
      datasource,
      ...(isTable ? { format: "table" } : {}),
      ...target,
    })),
  };
}
