/** Errors as HTTP answers. */
import { getLogger } from "@logtape/logtape";
import { LogvendError } from "../../protocol/errors.ts";
import type { ErrorCode } from "../../protocol/errors.ts";
import { toWireError } from "../../protocol/wire/wire_error.ts";
import { UnansweredError } from "../fanout/unanswered.ts";
import type { ApiError } from "./events.ts";

const STATUS: Readonly<Record<ErrorCode, number>> = {
  usage: 400,
  bad_sql: 400,
  too_many_rows: 413,
  unavailable: 503,
  partial: 503,
  not_permitted: 403,
  bad_config: 500,
  timeout: 504,
  cancelled: 499, // nginx's, for a client that went away
  internal: 500,
};

const log = getLogger(["orchestrator", "api"]);

/** What the asker sees of anything thrown; a defect of ours is logged with its stack. */
export function toApiError(thrown: unknown): ApiError {
  if (!(thrown instanceof LogvendError)) {
    log.error("A request failed: {error}", { error: thrown });
  }
  const error = toWireError(thrown);
  return thrown instanceof UnansweredError ? { ...error, coverage: thrown.coverage } : error;
}

/** A JSON response of `{ error: { code, message, … } }`. */
export function errorResponse(thrown: unknown): Response {
  const code = thrown instanceof LogvendError ? thrown.code : "internal";
  return Response.json({ error: toApiError(thrown) }, { status: STATUS[code] });
}
