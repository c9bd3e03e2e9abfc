/** The HTTP API: its routes, and errors as JSON. */
import { Hono } from "hono";
import { RetireClaims } from "../../protocol/signing/claims.ts";
import { LogvendError } from "../../protocol/errors.ts";
import type { Authority } from "../access/authority.ts";
import type { Queries } from "../fanout/queries.ts";
import type { Tails } from "../fanout/tails.ts";
import type { Erasures } from "../fleet/erasures.ts";
import type { Fleet, Host } from "../fleet/fleet.ts";
import { addErasures } from "./erasures.ts";
import { errorResponse } from "./errors.ts";
import type { HostRecord } from "./events.ts";
import { cancelQuery, listQueries, signedBefore } from "./queries.ts";
import { answerQuery } from "./query.ts";
import { signedText } from "./signed_text.ts";
import { answerTail } from "./tail.ts";

export interface AppParts {
  authority: Authority;
  fleet: Fleet;
  queries: Queries;
  tails: Tails;
  erasures: Erasures;
  /** Says whether queries can be sent to hosts at all. */
  brokerReady: () => boolean;
  /** A client that takes nothing of its answer for so long has gone. @default 5 minutes */
  stallMs?: number;
}

/** Long answers take one of few places while they are read: with `less`, people may stop for a while. */
const STALL_MS = 5 * 60_000;

export function createApp(parts: AppParts): Hono {
  const { authority, fleet, queries, tails, erasures, brokerReady, stallMs = STALL_MS } = parts;
  const app = new Hono();
  addErasures(app, erasures);
  app.post("/v1/query", (context) => answerQuery(queries, context.req.raw, stallMs));
  app.get("/v1/queries", (context) => listQueries(queries, context.req.raw));
  app.get("/v1/queries/:id", (context) => Response.json(queries.find(context.req.param("id"))));
  app.post(
    "/v1/queries/:id/signed",
    (context) => signedBefore(queries, context.req.param("id"), context.req.raw),
  );
  app.post(
    "/v1/queries/:id/cancel",
    (context) => cancelQuery(queries, context.req.param("id"), context.req.raw),
  );
  app.post("/v1/tail", (context) => answerTail(tails, context.req.raw, stallMs));
  app.get("/v1/hosts", () => Response.json({ hosts: fleet.list().map(record) }));
  app.post("/v1/hosts/retire", async (context) => {
    const { sql: names, token } = await signedText(context.req.raw);
    await authority.check(RetireClaims, { sql: names, token });
    const retired = names.split("\n").filter((name) => name !== "");
    fleet.retire(retired);
    return Response.json({ retired });
  });
  app.get("/healthz", () => {
    const ready = brokerReady();
    const broker = ready ? "connected" : "not reachable";
    return Response.json({ broker }, { status: ready ? 200 : 503 });
  });
  app.notFound((context) => {
    const { method, path } = context.req;
    const error = new LogvendError("usage", `There is no ${method} ${path}`);
    return new Response(errorResponse(error).body, {
      status: 404,
      headers: { "content-type": "application/json" },
    });
  });
  app.onError((error) => errorResponse(error));
  return app;
}

function record({ presence, state, seenMs, retiredMs }: Host): HostRecord {
  const { host, region, labels, version, streams, stats } = presence;
  return {
    host,
    region,
    labels,
    state,
    seen_at: seenMs === null ? null : new Date(seenMs).toISOString(),
    retired_at: retiredMs === null ? null : new Date(retiredMs).toISOString(),
    version,
    streams,
    lines_per_s: stats?.lines_per_s ?? null,
    behind_bytes: stats?.behind_bytes ?? null,
    behind_ms: stats?.behind_ms ?? null,
    rejects: stats?.rejects ?? null,
    stored_bytes: stats?.stored_bytes ?? null,
    archive: stats?.archive ?? null,
  };
}
