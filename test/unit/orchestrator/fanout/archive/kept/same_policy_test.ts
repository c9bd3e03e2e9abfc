import assert from "node:assert/strict";
import type { UsableAnswer } from "../../../../../../orchestrator/fanout/archive/kept/kept_question.ts";
import { underSamePolicy } from "../../../../../../orchestrator/fanout/archive/kept/same_policy.ts";
import { placed } from "../../../../../../orchestrator/fanout/archive/pieces.ts";
import type { Outcome } from "../../../../../../orchestrator/fanout/collector.ts";

const COVERAGE = {
  ...{ chunks: 0, rows_scanned: 0, bytes_read: 0, rejects: 0, behind_bytes: 0 },
  gaps: { count: 0, bytes: 0 },
  lost: { files: 0, rows: 0 },
};

const KEY = `stream=logs/region=eu/date=2026-11-22/hour=19/web-1.${"0".repeat(16)}.parquet`;
const CHUNKS = placed([
  { key: KEY, bytes: 1, etag: "1", rows: null, readBytes: 1, requests: 1 },
]);

function answerOf(reader: string, policy: string | null): UsableAnswer {
  return { chunks: CHUNKS, reader, policy, read: () => Promise.resolve(null) };
}

/** What an agent says now: a digest, nothing of it (an older one), or why it does not answer. */
type Says = { policy?: string } | { why: "no_ack" | "refused" | "failed"; code?: string };

function outcomeOf(host: string, says: Says): Outcome {
  if ("why" in says) {
    const { why, code } = says;
    const error = code === undefined ? {} : { error: { code, message: "no" } };
    return { kind: "missing", host, why, reason: "no", ...error };
  }
  const coverage = { ...COVERAGE, ...says };
  return { kind: "answered", answer: { host, parts: [], rows: {}, coverage, byteCount: 1 } };
}

/** Readers whose answers count, where `there` are there. */
async function check(answers: UsableAnswer[], there: Record<string, Says>, expected: string[]) {
  const asked: string[] = [];
  const good = await underSamePolicy(answers, {
    isThere: (agent) => agent in there,
    agents: () => Object.keys(there),
    ask: (agent, piece) => {
      asked.push(agent);
      assert.deepEqual(piece, { kind: "read", chunks: [] }, "nothing is read for it");
      return Promise.resolve(outcomeOf(agent, there[agent] ?? assert.fail()));
    },
  }, new AbortController().signal);
  assert.deepEqual(good.map(({ reader }) => reader), expected);
  assert.equal(new Set(asked).size, asked.length, "each is asked once");
}

const BOTH = [answerOf("a", "loose"), answerOf("b", "loose"), answerOf("a", "loose")];

Deno.test("answers count whose agents have the policy still that they read them under", async () => {
  const loose = { policy: "loose" };
  await check(BOTH, { a: loose, b: loose }, ["a", "b", "a"]);
  await check(BOTH, { a: { policy: "tight" }, b: loose }, ["b"]);
  await check(BOTH, { a: loose, b: { policy: "tight" } }, ["a", "a"]);
  await check([answerOf("a", "tight")], { a: loose }, []);
});

Deno.test("agents that do not say, and answers that do not, are of no use", async () => {
  await check(BOTH, { a: {}, b: { why: "refused", code: "not_permitted" } }, []);
  await check(BOTH, { a: { why: "failed", code: "bad_sql" }, b: { why: "failed" } }, []);
  await check([answerOf("a", null)], { a: {} }, []);
});

Deno.test("for an agent that is away another one says what would be answered instead", async () => {
  const loose = { policy: "loose" };
  await check(BOTH, { b: loose }, ["a", "b", "a"]);
  await check(BOTH, { a: { why: "no_ack" }, b: loose }, ["a", "b", "a"]);
  await check(BOTH, { a: { why: "failed", code: "unavailable" }, b: { policy: "tight" } }, []);
  await check(BOTH, {}, []);
});
