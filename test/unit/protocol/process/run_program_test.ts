/** run_program.ts: what went wrong first is said, and decides the exit code. */
import assert from "node:assert/strict";
import { Command } from "commander";
import { EXIT_CODES, LogvendError, messageOf } from "../../../../protocol/errors.ts";
import { runProgram } from "../../../../protocol/process/run_program.ts";

const FULL = new LogvendError("unavailable", "Cannot write: no space left");

/** Fails, and again as it closes what it has open. */
async function failTwice(closing: Error): Promise<never> {
  await using _open = { [Symbol.asyncDispose]: () => Promise.reject(closing) };
  await using _also = { [Symbol.asyncDispose]: () => Promise.reject(closing) };
  throw FULL;
}

Deno.test("what fails as something is closed hides neither the reason nor the exit code", async () => {
  const program = new Command().action(() => failTwice(new Error("Cannot close")));
  const original = console.error;
  const said: unknown[] = [];
  console.error = (text: unknown) => void said.push(text);
  try {
    assert.equal(await runProgram(program, []), EXIT_CODES.unavailable);
  } finally {
    console.error = original;
  }
  assert.deepEqual(said, ["Cannot write: no space left; then: Cannot close"]);
  const same = await failTwice(FULL).catch((error) => messageOf(error));
  assert.equal(same, "Cannot write: no space left");
});
