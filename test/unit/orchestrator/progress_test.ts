/** progress.ts: seen on a terminal, and nowhere else. */
import assert from "node:assert/strict";
import { ProgressLine } from "../../../orchestrator/progress.ts";

function written(isTerminal: boolean, wanted: boolean): string {
  let text = "";
  const output = {
    isTerminal: () => isTerminal,
    writeSync: (bytes: Uint8Array) => {
      text += new TextDecoder().decode(bytes);
      return bytes.length;
    },
  };
  const progress = new ProgressLine(output, wanted);
  progress.show("28/30 hosts");
  progress.clear();
  progress.clear();
  return text;
}

Deno.test("progress appears on a terminal and is taken away once", () => {
  assert.equal(written(true, true), "\r\x1b[K28/30 hosts\r\x1b[K");
});

Deno.test("progress is silent in pipes and under --quiet", () => {
  assert.equal(written(false, true), "");
  assert.equal(written(true, false), "");
});
