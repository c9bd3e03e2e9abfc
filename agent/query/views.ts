/** The views that a query's SQL reads: files of a table as users see it, cut to a range, masked. */
import { testedLine } from "../../protocol/line_texts.ts";
import { ACCESS_SHAPE } from "../../protocol/stream_shape.ts";
import type { StreamShape } from "../../protocol/stream_shape.ts";
import { schemaOf } from "../../protocol/streams.ts";
import { tableSelect } from "../../protocol/table_sql.ts";
import type { Plan } from "../../queries/plan/plan.ts";
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
}

/** The SELECT of a view. */
export function viewSelect(request: ViewRequest): string {
  const { plan, table, files, shape = ACCESS_SHAPE, region, mask } = request;
  const { since, until } = request.range ?? plan.range;
  const columns = plan.columnsRead[table] ?? [];
  const tests = plan.reach.lines[table];
  const lineSql = tests === undefined ? null : testedLine(shape, tests);
  const source = { files, region, since, until, columns, lineSql };
  return maskedSelect(tableSelect(schemaOf(table, shape), source), columns, mask);
}
