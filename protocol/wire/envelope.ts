/** What every MQTT message is wrapped in: version, id, times, type, body; bounded in size. */
import { z } from "zod";
import { LogvendError } from "../errors.ts";

/** Raised when a receiver of today could not read the envelope any more. */
export const ENVELOPE_VERSION = 1;

/** Brokers disconnect clients that send more than they allow; AWS IoT Core allows this much. */
export const MESSAGE_BYTES_MAX = 128 * 1024;

/** The JSON object that a message is. */
const Envelope = z.object({
  v: z.literal(ENVELOPE_VERSION),
  id: z.string().min(1).max(64),
  type: z.string().max(32),
  issued_at_ms: z.number().int().nonnegative(),
  expires_at_ms: z.number().int().nonnegative().optional(),
  reply: z.string().max(400).optional(),
  body: z.unknown(),
});
/** A message as it was received. */
export type Envelope = z.infer<typeof Envelope>;

/** A message before it is sealed. */
export interface Outgoing {
  type: string;
  body: unknown;
  id?: string;
  /** Topic that the answer is wanted on. */
  reply?: string;
  issuedAtMs: number;
  expiresAtMs?: number;
}

/** Wraps a body. @throws {LogvendError} internal, when the message is over MESSAGE_BYTES_MAX */
export function seal(message: Outgoing): Uint8Array {
  const bytes = new TextEncoder().encode(JSON.stringify({
    v: ENVELOPE_VERSION,
    id: message.id ?? crypto.randomUUID(),
    type: message.type,
    issued_at_ms: message.issuedAtMs,
    expires_at_ms: message.expiresAtMs,
    reply: message.reply,
    body: message.body,
  }));
  if (bytes.length > MESSAGE_BYTES_MAX) {
    throw new LogvendError(
      "internal",
      `Cannot send a ${message.type} message of ${bytes.length} bytes: ${MESSAGE_BYTES_MAX} at most`,
    );
  }
  return bytes;
}

/** Unwraps a payload. @throws {LogvendError} usage, for anything that is no envelope of ours */
export function open(payload: Uint8Array): Envelope {
  if (payload.length > MESSAGE_BYTES_MAX) {
    throw new LogvendError("usage", `A message of ${payload.length} bytes is over the limit`);
  }
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch (cause) {
    throw new LogvendError("usage", "A message is no JSON", { cause });
  }
  return parseBody(Envelope, json, "envelope");
}

/** Parses what came over the wire. @throws {LogvendError} usage, naming the first wrong field */
export function parseBody<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new LogvendError(
    "usage",
    `A ${what} is malformed at "${issue?.path.join(".")}": ${issue?.message}`,
  );
}
