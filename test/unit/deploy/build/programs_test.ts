import assert from "node:assert/strict";
import { PROGRAMS, v8Flag } from "../../../../deploy/build/programs.ts";

Deno.test("executables and tasks run the programs with the same settings of V8", async () => {
  const { tasks } = JSON.parse(
    await Deno.readTextFile(new URL("../../../../deno.json", import.meta.url)),
  );
  for (const program of PROGRAMS) {
    const task: string = tasks[program.name === "logvend" ? "logvend" : "agent"];
    assert.deepEqual(
      task.split(" ").filter((word) => word.startsWith("--v8-flags")),
      v8Flag(program),
    );
  }
});
