/** cli/watch.ts: rounds, what is drawn, and how it ends. */
import assert from "node:assert/strict";
import type { Terminal } from "../../../../orchestrator/cli/terminal.ts";
import { watch } from "../../../../orchestrator/cli/watch.ts";
import { LogvendError } from "../../../../protocol/errors.ts";

/** Runs rounds that end so, with Ctrl-C in the pause behind the last. Returns what was printed. */
async function watched(rounds: readonly (number | LogvendError)[], stdoutIsTerminal = false) {
  const printed: string[] = [];
  const stop = new AbortController();
  const pauses: number[] = [];
  let round = 0;
  const terminal: Terminal = {
    stdoutIsTerminal,
    progressOutput: { isTerminal: () => false, writeSync: () => 0 },
    tableLook: {},
    signal: stop.signal,
    now: () => 0,
    write: (data) => Promise.resolve(void printed.push(String(data))),
    error: (line) => printed.push(`stderr: ${line}`),
    readLine: () => Promise.resolve(null),
    sleep: (ms) => {
      pauses.push(ms);
      return round < rounds.length ? Promise.resolve() : Promise.reject(new Error("Ctrl-C"));
    },
  };
  const code = await watch({
    everyMs: 5_000,
    terminal,
    round: async ({ write, error }) => {
      const outcome = rounds[round++] ?? 0;
      if (typeof outcome !== "number") throw outcome;
      await write(`rows ${round}`);
      error(`summary ${round}`);
      return outcome;
    },
  });
  assert.ok(pauses.every((ms) => ms > 4_000 && ms <= 5_000), pauses.join());
  return { code, printed };
}

const AWAY = new LogvendError("unavailable", "Nobody is there");

Deno.test("rounds come one after the other, over failures too; the last one's code counts", async () => {
  const { code, printed } = await watched([0, AWAY, 75]);
  assert.equal(code, 75);
  assert.deepEqual(printed, [
    "rows 1",
    "stderr: summary 1",
    "stderr: Nobody is there; asking again",
    "rows 3",
    "stderr: summary 3",
  ]);
  assert.equal((await watched([0, AWAY])).code, 69);
  assert.equal((await watched([AWAY, 0])).code, 0);
});

Deno.test("at a terminal the screen is cleared when the next rows are there, and not before", async () => {
  const { printed } = await watched([0, AWAY, 0], true);
  const clear = "\x1b[H\x1b[2J";
  assert.deepEqual(printed, [
    clear,
    "rows 1",
    "stderr: summary 1",
    "stderr: Nobody is there; asking again",
    clear,
    "rows 3",
    "stderr: summary 3",
  ]);
});

Deno.test("what is wrong from the start ends it; later it is a failed round", async () => {
  const wrong = new LogvendError("bad_sql", "no column");
  await assert.rejects(watched([wrong, 0]), wrong);
  assert.equal((await watched([0, wrong, 0])).code, 0);
});
