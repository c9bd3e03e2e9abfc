/** `/v1/queries`: what was asked before and runs now, as it was signed to who did; cancels what runs. */
import { LogvendError } from "../../protocol/errors.ts";
import type { Queries } from "../fanout/queries.ts";

const LIMIT = 20;
const LIMIT_MAX = 1_000;

/** `GET /v1/queries?limit=20`. @throws {LogvendError} usage */
export function listQueries(queries: Queries, request: Request): Response {
  const text = new URL(request.url).searchParams.get("limit") ?? String(LIMIT);
  const limit = Number(text);
  if (!/^\d+$/.test(text) || limit < 1 || limit > LIMIT_MAX) {
    throw new LogvendError("usage", `limit ${text}: wanted a number from 1 to ${LIMIT_MAX}`);
  }
  return Response.json({ queries: queries.list(limit) });
}

/** `POST /v1/queries/{id}/signed`, signed. @throws {LogvendError} not_permitted, usage */
export async function signedBefore(
  queries: Queries,
  id: string,
  request: Request,
): Promise<Response> {
  const token = request.headers.get("logvend-signature") ?? "";
  const { query_id, sql, token: signed } = await queries.signedBefore({ id, token });
  if (signed !== undefined) return Response.json({ sql, token: signed });
  throw new LogvendError("usage", `${query_id} cannot be asked again as it was: ask it anew`);
}

/** `POST /v1/queries/{id}/cancel`, signed. @throws {LogvendError} not_permitted, usage */
export async function cancelQuery(
  queries: Queries,
  id: string,
  request: Request,
): Promise<Response> {
  const token = request.headers.get("logvend-signature") ?? "";
  await queries.cancel({ id, token });
  return Response.json({ cancelled: id });
}
