/** cli/interim_view.ts: what is drawn takes the place of what was drawn before. */
import assert from "node:assert/strict";
import { InterimView } from "../../../../orchestrator/cli/interim_view.ts";
import type { Terminal } from "../../../../orchestrator/cli/terminal.ts";

Deno.test("an answer so far is drawn over the one before, and taken away", async () => {
  let printed = "";
  const terminal: Terminal = {
    stdoutIsTerminal: true,
    progressOutput: { isTerminal: () => false, writeSync: () => 0 },
    tableLook: {},
    signal: new AbortController().signal,
    now: () => 0,
    write: (data) => Promise.resolve(void (printed += data)),
    error: () => {},
    readLine: () => Promise.resolve(null),
    sleep: () => Promise.resolve(),
  };
  const view = new InterimView(terminal);
  await view.clear();
  assert.equal(printed, "");
  const columns = [{ name: "n", type: "BIGINT" }];
  await view.show({ type: "interim", columns, rows: [{ n: 1 }], answered: 1, asked: 3 });
  assert.match(printed, /\bn\b[^]*\b1\b[^]*so far: 1 of 3 hosts\n$/);
  const lines = printed.split("\n").length - 1;
  printed = "";
  await view.show({ type: "interim", columns, rows: [{ n: 5 }], answered: 2, asked: 3 });
  assert.ok(printed.startsWith(`\x1b[${lines}A\x1b[J`));
  printed = "";
  await view.clear();
  assert.equal(printed, `\x1b[${lines}A\x1b[J`);
});
