/** The hosts over HTTP: how each is shown, and `POST /v1/hosts/retire`. */
import { RetireClaims } from "../../protocol/claims.ts";
import type { Authority } from "../access/authority.ts";
import type { Fleet, Host } from "../fleet/fleet.ts";
import type { HostRecord, Retired } from "./events.ts";
import { signedText } from "./signed_text.ts";

/**
 * Counts the hosts out that the body names, `a,b`; again and again is the same.
 * @throws {LogvendError} not_permitted; usage for a host that is unknown or online
 */
export async function retireHosts(
  { fleet, authority }: { fleet: Fleet; authority: Authority },
  request: Request,
): Promise<Response> {
  const signed = await signedText(request);
  await authority.check(RetireClaims, signed);
  const retired = signed.sql.split(",");
  fleet.retire(retired);
  const body: Retired = { retired };
  return Response.json(body);
}

/** A host as the API shows it. */
export function hostRecord({ presence, state, seenMs, retiredMs }: Host): HostRecord {
  const { host, region, labels, version, streams, stats } = presence;
  return {
    host,
    region,
    labels,
    state: retiredMs === null ? state : "retired",
    seen_at: seenMs === null ? null : new Date(seenMs).toISOString(),
    version,
    streams,
    lines_per_s: stats?.lines_per_s ?? null,
    behind_bytes: stats?.behind_bytes ?? null,
    behind_ms: stats?.behind_ms ?? null,
    rejects: stats?.rejects ?? null,
    stored_bytes: stats?.stored_bytes ?? null,
  };
}
