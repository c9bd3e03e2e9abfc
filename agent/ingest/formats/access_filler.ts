/** Fills rows with the fields of access logs. */
import type { StreamShape } from "../../../protocol/schema/stream_shape.ts";
import { redactedLayout } from "../../../protocol/schema/streams.ts";
import type { Redactor } from "../../rules/redact.ts";
import { newAccessRows } from "../../store/rows/rows.ts";
import type { AccessRows } from "../../store/rows/rows.ts";
import type { AccessFormatName } from "../../stream_format.ts";
import type { FilledLine, RowFiller } from "./filler.ts";
import { accessFormat } from "./format.ts";
import { CombinedScanner } from "./scan_combined.ts";
import { createLineReader } from "./redacted.ts";
import type { AccessRow, RejectReason } from "./row.ts";

export class AccessFiller implements RowFiller {
  readonly scanner;
  private readonly readLine;

  /** @param shape of the stream, which may have columns that no line fills */
  constructor(format: AccessFormatName, redactor: Redactor | null, readonly shape: StreamShape) {
    this.scanner = redactor === null ? new CombinedScanner(accessFormat(format)) : null;
    this.readLine = createLineReader(format, redactor);
  }

  newRows(capacity: number): AccessRows {
    return newAccessRows(capacity, this.shape.fields);
  }

  fits(): boolean {
    return true;
  }

  read(text: string, isExact: boolean): FilledLine | RejectReason {
    const read = this.readLine(text);
    if (typeof read === "string") return read;
    const { row, line, isRedacted } = read;
    if (!isExact && !isRedacted) row.layout = null;
    return {
      ts: row.ts,
      isTimed: true,
      isRedacted,
      layout: isRedacted ? redactedLayout(row.layout) : row.layout,
      line: row.layout === null ? line : null,
      set: (rows) => setFields(rows as AccessRows, row),
    };
  }
}

function setFields({ columns, count }: AccessRows, row: AccessRow) {
  columns.ts.set(count, row.ts);
  columns.remote_addr.set(count, row.remote_addr);
  columns.remote_user.set(count, row.remote_user);
  columns.http_method.set(count, row.http_method);
  columns.request.set(count, row.request);
  columns.http_version.set(count, row.http_version);
  columns.status.set(count, row.status);
  columns.body_bytes_sent.set(count, row.body_bytes_sent);
  columns.http_referer.set(count, row.http_referer);
  columns.http_user_agent.set(count, row.http_user_agent);
  columns.request_time_ms.set(count, row.request_time_ms);
  columns.time_zone_min.set(count, row.time_zone_min);
}
