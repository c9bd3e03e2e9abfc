/** The quick ones of the fault scenarios, with small numbers; `deno task faults` runs them all. */
import { Random } from "./random.ts";
import { missingNeeds } from "./scenario.ts";
import { SCENARIOS } from "./scenarios.ts";

const SEED = 1;
const ROUNDS = 12;

for (const scenario of SCENARIOS.filter(({ isQuick }) => isQuick)) {
  Deno.test({
    name: `fault ${scenario.name}: every line is stored once`,
    ignore: missingNeeds(scenario).length > 0,
    async fn() {
      await scenario.run({ random: new Random(SEED), short: true, rounds: ROUNDS });
    },
  });
}
