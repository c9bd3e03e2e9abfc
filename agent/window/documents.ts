/** Events as the documents that sinks get: in our own schema, or in that of the reference. */
import type { WindowEvent } from "./event.ts";
import type { Outgoing } from "./sinks/sink.ts";

/** `logvend`: the event as it is; `reference`: fields as bacalhau's log-orchestration example has them. */
export const SCHEMAS = ["logvend", "reference"] as const;
export type Schema = typeof SCHEMAS[number];

/** What lists are called there; others keep their names. */
const ATTRIBUTE_TYPES: Readonly<Record<string, string>> = {
  address: "ip",
  path: "request",
  missing_path: "bad_page_404",
  missing_path_address: "bad_caller_404",
  unauthorized_address: "bad_caller_403",
  throttled_address: "bad_caller_429",
};

const TAGS = ["logvend"];

/** The documents of one event. */
export function documentsOf(event: WindowEvent, schema: Schema): Outgoing[] {
  if (event.row !== undefined) return [outgoing(event, "row", ownOf(event))];
  const isPlace = event.group === "place";
  if (schema === "logvend") return [outgoing(event, isPlace ? "place" : "event", event)];
  if (isPlace) return [outgoing(event, "place", placeOf(event))];
  if (event.group === "total") return totalsOf(event);
  return [outgoing(event, "event", statsOf(event, attributeOf(event), event.count ?? 0))];
}

/** A row and where it comes from. */
function ownOf({ count: _, value: _value, ...rest }: WindowEvent) {
  return rest;
}

/** There each sum is an attribute of its own. */
function totalsOf(event: WindowEvent): Outgoing[] {
  const counts = { requests: event.count ?? 0, bytes: Number(event["bytes"] ?? 0) };
  return Object.entries(counts).map(([value, count]) => {
    const attribute = { type: "total", value };
    const id = `${event.id}-${value}`;
    return { ...outgoing(event, "event", { ...statsOf(event, attribute, count), id }), id };
  });
}

function attributeOf({ group, value = "" }: WindowEvent) {
  return { type: ATTRIBUTE_TYPES[group] ?? group, value };
}

function statsOf(event: WindowEvent, attribute: { type: string; value: string }, count: number) {
  return {
    attribute_type: attribute.type,
    attribute_value: attribute.value,
    count,
    end_time: event.end,
    ...common(event),
  };
}

function placeOf(event: WindowEvent) {
  const { lat, lon, country, city } = event;
  return {
    geo: {
      ...(lat === undefined ? {} : { location: { lat, lon } }),
      ...(country === undefined ? {} : { country_iso_code: country }),
      ...(city === undefined ? {} : { city_name: city }),
    },
    count: event.count ?? 0,
    ...common(event),
  };
}

function common({ id, revision, host, region, stream, start }: WindowEvent) {
  const hour_of_day = new Date(start).getUTCHours();
  return { "@timestamp": start, hour_of_day, tags: TAGS, host, region, stream, id, revision };
}

function outgoing(event: WindowEvent, kind: Outgoing["kind"], document: object): Outgoing {
  const { id, revision, start } = event;
  return { id, revision, kind, at: start, body: JSON.stringify(document) };
}
