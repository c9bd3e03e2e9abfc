/** What the command line does when an orchestrator goes away: against a server that does so. */
import assert from "node:assert/strict";
import { ask } from "../../../../orchestrator/cli/ask.ts";
import type { QueryOptions } from "../../../../orchestrator/cli/ask.ts";
import { ApiClient } from "../../../../orchestrator/cli/client.ts";
import { rowOutput } from "../../../../orchestrator/cli/row_output.ts";
import { coverageOf } from "../../../../orchestrator/fanout/coverage.ts";
import { QueryClaims } from "../../../../protocol/signing/claims.ts";
import { newOperatorKey } from "../../../../protocol/signing/signature.ts";
import { CapturedTerminal } from "../../../harness/captured_terminal.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";

const COLUMNS = [{ name: "n", type: "BIGINT" }];
const ACCEPTED = { type: "accepted", query_id: "q-000000", mode: "rows", asked: 0 };
const ROW = '{"n":"1"}\n';
const DATA = { type: "data", length: ROW.length, columns: COLUMNS };
const END = {
  ...{ type: "end", query_id: "q-000000", mode: "rows", columns: COLUMNS, elapsed_ms: 1 },
  range: { since: null, until: null },
  coverage: coverageOf([], []),
};

const line = (event: object) => `${JSON.stringify(event)}\n`;
const CUT = line(ACCEPTED);
const CUT_IN_ROWS = line(ACCEPTED) + line(DATA) + ROW;
const WHOLE = CUT_IN_ROWS + line(END);

/** Goes without waiting. */
class HurriedTerminal extends CapturedTerminal {
  override sleep(): Promise<void> {
    return Promise.resolve();
  }
}

/** What a server is asked that answers as told, and what is said of it. */
async function asked(answers: readonly string[], options: Partial<QueryOptions> = {}) {
  await using folder = await TempFolder.make();
  const { pem } = await newOperatorKey();
  const key = await folder.write("operator.key", pem);
  const claims: QueryClaims[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const payload = (request.headers.get("logvend-signature") ?? "").split(".")[1] ?? "";
    const bytes = Uint8Array.fromBase64(payload, { alphabet: "base64url" });
    claims.push(QueryClaims.parse(JSON.parse(new TextDecoder().decode(bytes))));
    return new Response(answers[Math.min(claims.length, answers.length) - 1]);
  });
  const terminal = new HurriedTerminal();
  const all = { timeout: "30s", output: "table", source: "archive", key, ...options } as const;
  const client = new ApiClient(`http://127.0.0.1:${server.addr.port}`);
  const command = { sql: "SELECT 1", options: all, client, terminal };
  const error = await ask(command, rowOutput(all.output, terminal)).then(() => null, String);
  await server.shutdown();
  return { claims, error, said: terminal.stderr, printed: terminal.stdout };
}

Deno.test("an orchestrator that goes away is asked the same again, and rows come once", async () => {
  const { claims, error, said, printed } = await asked([CUT, CUT_IN_ROWS, WHOLE]);
  assert.equal(error, null);
  assert.equal(printed.match(/ 1$/gm)?.length, 1, printed);
  assert.equal(said.match(/asking again for what is not read yet/g)?.length, 2);
  assert.equal(new Set(claims.map(({ id }) => id)).size, 3, "each signed anew");
  const same = claims.map(({ id: _, issued_at_ms: _1, expires_at_ms: _2, ...rest }) => rest);
  assert.deepEqual(same[1], same[0]);
  assert.deepEqual(same[2], same[0]);
});

Deno.test("it is given up when rows are out, when it is no batch, and after three times", async () => {
  const written = await asked([CUT_IN_ROWS], { output: "jsonl" });
  assert.match(String(written.error), /cut off/);
  assert.equal(written.claims.length, 1);
  const live = await asked([CUT], { source: "live" });
  assert.equal(live.claims.length, 1);
  const always = await asked([CUT]);
  assert.match(String(always.error), /cut off/);
  assert.equal(always.claims.length, 4);
});
