import assert from "node:assert/strict";
import type { QueryOptions } from "../../../../orchestrator/cli/ask.ts";
import { ApiClient } from "../../../../orchestrator/cli/client.ts";
import { queryCommand } from "../../../../orchestrator/cli/query.ts";
import { CapturedTerminal } from "../../../harness/captured_terminal.ts";

Deno.test("flags that do not go together are refused before anything is asked", async () => {
  const check = async (flags: Partial<QueryOptions>, expected: RegExp) => {
    const command = {
      sql: "SELECT 1",
      options: { timeout: "30s", output: "table", ...flags } as const,
      client: new ApiClient("http://127.0.0.1:1"), // nobody is there
      terminal: new CapturedTerminal(),
    };
    await assert.rejects(queryCommand(command), expected);
  };
  await check({ replace: true }, /--replace: what\? It goes with --publish URL/);
  await check({ publish: "file:x", watch: "10s" }, /--watch and --publish: either of them/);
  await check({ resume: "q-7f3a2c", watch: "10s" }, /--watch and --resume: either of them/);
  await check({ publish: "file:x", output: "csv" }, /--publish writes Parquet; -o json prints the/);
  await check({ publish: "x" }, /--publish x: wanted s3:\/\/BUCKET\/PREFIX\/ or file:FOLDER/);
  await check({ resume: "q-7f3a2c" }, /--resume asks what was asked before: give no SQL/);
});
