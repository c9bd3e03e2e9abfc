/** The views that a query's SQL reads: files of a table as users see it, cut to a range, masked. */
import { testedLine } from "../../protocol/schema/line_texts.ts";
import { ACCESS_SHAPE } from "../../protocol/schema/stream_shape.ts";
import type { StreamShape } from "../../protocol/schema/stream_shape.ts";
import { schemaOf } from "../../protocol/schema/streams.ts";
import { countedSelect, tableSelect } from "../../protocol/schema/table_sql.ts";
import type { Plan } from "../../queries/plan/plan.ts";
import type { ArchivedFiles, SnapshotTable } from "../store/snapshot.ts";
import { maskedSelect } from "../policy/masks.ts";
import type { Policy } from "../policy/policy_config.ts";

/** Some files of a table of a plan. */
export interface ViewRequest {
  plan: Plan;
  table: string;
  /** As the worker names them. */
  files: readonly string[];
  shape: StreamShape | undefined;
  region: string;
  mask: Policy["mask"];
  /** What the table is cut to. @default the plan's range */
  range?: Plan["range"];
  /** The physical columns that may be read. @default all */
  only?: readonly string[];
}

/** What was lent of a table, with paths as the worker names them. */
export type LentRequest =
  & Omit<ViewRequest, "range" | "shape" | "only">
  & Pick<SnapshotTable, "counted" | "shape">
  & { archived?: (Omit<ArchivedFiles, "files"> & { files: string[] })[] | undefined };

/** The SELECT of a view over all of it. */
export function lentSelect(request: LentRequest): string {
  const { plan, table, files, archived = [], counted, mask, shape } = request;
  const isEmpty = files.length + archived.length === 0 && counted === undefined;
  const view = { ...request, shape };
  const whole = { since: null, until: null };
  const columns = plan.columnsRead[table] ?? [];
  return [
    ...(files.length > 0 || isEmpty ? [viewSelect(view)] : []),
    ...archived.map(({ files, columns: only, isWhole }) =>
      viewSelect({ ...view, files, only, range: isWhole ? whole : plan.range })
    ),
    ...(counted === undefined
      ? []
      : [maskedSelect(countedSelect(counted, columns), columns, mask)]),
  ].join(" UNION ALL ");
}

/** The SELECT of a view. */
export function viewSelect(request: ViewRequest): string {
  const { plan, table, files, shape = ACCESS_SHAPE, region, mask } = request;
  const { since, until } = request.range ?? plan.range;
  const columns = plan.columnsRead[table] ?? [];
  const tests = plan.reach.lines[table];
  const lineSql = tests === undefined ? null : testedLine(shape, tests);
  const { only } = request;
  const source = { files, region, since, until, columns, lineSql, ...(only && { only }) };
  return maskedSelect(tableSelect(schemaOf(table, shape), source), columns, mask);
}
