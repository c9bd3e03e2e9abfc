/** The lists that every window has. The .sql files are imported, so that executables hold them. */
import address from "./address.sql" with { type: "text" };
import latency from "./latency.sql" with { type: "text" };
import missing_path from "./missing_path.sql" with { type: "text" };
import missing_path_address from "./missing_path_address.sql" with { type: "text" };
import path from "./path.sql" with { type: "text" };
import place from "./place.sql" with { type: "text" };
import status from "./status.sql" with { type: "text" };
import throttled_address from "./throttled_address.sql" with { type: "text" };
import total from "./total.sql" with { type: "text" };
import unauthorized_address from "./unauthorized_address.sql" with { type: "text" };
import user_agent from "./user_agent.sql" with { type: "text" };
import { parseWindowList } from "./header.ts";
import type { WindowList } from "./header.ts";

const TEXTS = {
  total,
  status,
  address,
  place,
  user_agent,
  path,
  missing_path,
  missing_path_address,
  unauthorized_address,
  throttled_address,
  latency,
};

/** Their names, in the order of their events. */
export const LIST_NAMES = Object.keys(TEXTS) as (keyof typeof TEXTS)[];

/** The lists by these names; of all without. */
export function windowLists(names: readonly (keyof typeof TEXTS)[] = LIST_NAMES): WindowList[] {
  return names.map((name) => parseWindowList(`${name}.sql`, TEXTS[name]));
}
