/** Errors on their way over the wire, and back into what they were. */
import { isErrorCode, LogvendError, messageOf } from "../errors.ts";
import type { WireError } from "./messages.ts";

/** Longer messages are cut: a message of ours must hold one beside everything else. */
const MESSAGE_LENGTH_MAX = 8_000;

/** Anything thrown, as it travels; what is no LogvendError is `internal`. */
export function toWireError(thrown: unknown): WireError {
  const message = messageOf(thrown).slice(0, MESSAGE_LENGTH_MAX);
  if (!(thrown instanceof LogvendError)) return { code: "internal", message };
  return { code: thrown.code, message, ...thrown.details };
}

/** An error that came over the wire, to be thrown; an unknown code is `internal`. */
export function fromWireError(wire: WireError): LogvendError {
  const { code, message, position, rows, bytes, rule } = wire;
  return new LogvendError(isErrorCode(code) ? code : "internal", message, {
    details: {
      ...(position === undefined ? {} : { position }),
      ...(rows === undefined ? {} : { rows }),
      ...(bytes === undefined ? {} : { bytes }),
      ...(rule === undefined ? {} : { rule }),
    },
  });
}
