/** What is wrong with a policy that no schema can tell: tables that there are not. */
import type { ConfigProblem } from "../../protocol/config/config_file.ts";
import { HOST_TABLES } from "../../protocol/schema/streams.ts";
import type { Policy } from "./policy_config.ts";

/** Names of tables that no query could ask: a typing error would open or close another one. */
export function policyProblems(
  { policy, streams }: { policy: Policy; streams: readonly { name: string }[] },
): ConfigProblem[] {
  const tables = [...streams.map(({ name }) => name), ...HOST_TABLES];
  const wanted = `a table of this host: ${tables.join(", ")}`;
  return [
    ...(policy.streams ?? []).map((found, i) => ({ path: ["policy", "streams", i], found })),
    ...Object.keys(policy.columns).map((found) => ({ path: ["policy", "columns", found], found })),
  ].filter(({ found }) => !tables.includes(found)).map((problem) => ({ ...problem, wanted }));
}
