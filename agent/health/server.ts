/** /metrics, /healthz and /readyz: the agent as its host's own tools see it, on loopback. */
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import type { ListenAddress } from "../../protocol/config/listen_address.ts";
import { hindrances, illnesses } from "./health.ts";
import type { Signs } from "./health.ts";

export interface HealthParts {
  address: ListenAddress;
  signs(): Signs;
  /** The page of metrics. */
  metrics(): Promise<{ text: string; contentType: string }>;
}

/** Serves until disposed. @throws {LogvendError} unavailable, when the address cannot be had */
export function serveHealth(parts: HealthParts): AsyncDisposable & { port: number } {
  const { hostname, port } = parts.address;
  try {
    const server = Deno.serve(
      { hostname, port, onListen: () => {} },
      (request) => respond(parts, request),
    );
    return { port: server.addr.port, [Symbol.asyncDispose]: () => server.shutdown() };
  } catch (cause) {
    const reason = cause instanceof Deno.errors.AddrInUse
      ? "the port is in use; stop what uses it or set another http"
      : messageOf(cause);
    throw new LogvendError("unavailable", `Cannot listen on ${hostname}:${port}: ${reason}`, {
      cause,
    });
  }
}

async function respond(parts: HealthParts, request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (request.method !== "GET" && request.method !== "HEAD") {
    return new Response("Only GET\n", { status: 405, headers: { allow: "GET, HEAD" } });
  }
  switch (pathname) {
    case "/metrics": {
      const { text, contentType } = await parts.metrics();
      return new Response(text, { headers: { "content-type": contentType } });
    }
    case "/healthz":
      return verdict("healthy", illnesses(parts.signs()));
    case "/readyz":
      return verdict("ready", hindrances(parts.signs()));
    default:
      return new Response("Here are /metrics, /healthz and /readyz\n", { status: 404 });
  }
}

/** `{"healthy": false, "reasons": ["…"]}` */
function verdict(name: "healthy" | "ready", reasons: readonly string[]): Response {
  const good = reasons.length === 0;
  return Response.json({ [name]: good, reasons }, { status: good ? 200 : 503 });
}
