/** fast-check, whose cases are those of our seed: no test imports it but from here. */
import fc from "fast-check";
import { SEED, times } from "./seed.ts";

/** Cases of a property that does not say how many. */
const RUNS = 100;

fc.configureGlobal({ seed: SEED, numRuns: times(RUNS) });

export { fc };
