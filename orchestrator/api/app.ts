/** The HTTP API: its routes, and errors as JSON. */
import { Hono } from "hono";
import { LogvendError } from "../../protocol/errors.ts";
import type { Authority } from "../access/authority.ts";
import type { Fanout } from "../fanout/fanout.ts";
import type { Tails } from "../fanout/tails.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { errorResponse } from "./errors.ts";
import { hostRecord, retireHosts } from "./hosts.ts";
import { answerQuery } from "./query.ts";
import { answerTail } from "./tail.ts";

export interface AppParts {
  fleet: Fleet;
  fanout: Fanout;
  tails: Tails;
  authority: Authority;
  /** Says whether queries can be sent to hosts at all. */
  brokerReady: () => boolean;
}

export function createApp({ fleet, fanout, tails, authority, brokerReady }: AppParts): Hono {
  const app = new Hono();
  app.post("/v1/query", (context) => answerQuery(fanout, context.req.raw));
  app.post("/v1/tail", (context) => answerTail(tails, context.req.raw));
  app.get("/v1/hosts", () => Response.json({ hosts: fleet.list().map(hostRecord) }));
  app.post("/v1/hosts/retire", (context) => retireHosts({ fleet, authority }, context.req.raw));
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
