/** What a stream's lines look like, and what may be kept of them. */
import { createRedactor } from "../rules/redact.ts";
import type { Redactor } from "../rules/redact.ts";
import type { StreamConfig } from "../stream_config.ts";
import type { Format } from "./formats/format.ts";
import { recordRule } from "./records.ts";
import type { RecordRule } from "./records.ts";

/** How the bytes of a stream's files become rows. */
export interface LineForm {
  format: Format;
  /** Null: lines are kept as they are. */
  redactor: Redactor | null;
  /** Null: every line is a record. */
  records: RecordRule | null;
}

/** Lines as they come, without rules. */
export function plainLines(format: Format): LineForm {
  return { format, redactor: null, records: null };
}

/** The form that a stream is configured with. @throws {LogvendError} bad_config: no key for a hash */
export function lineForm(
  { format, redact, multiline }: Pick<StreamConfig, "format" | "redact" | "multiline">,
): LineForm {
  return {
    format,
    redactor: createRedactor(redact),
    records: multiline === undefined ? null : recordRule(multiline),
  };
}
