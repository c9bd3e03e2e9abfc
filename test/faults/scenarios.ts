/** Every fault scenario, in the order of the table of faults. */
import type { Scenario } from "./scenario.ts";
import { scenario as kill } from "./01_kill.ts";

export const SCENARIOS: readonly Scenario[] = [kill];
