/** What hosts say of a question before it is asked, and what is said of those that do not. */
import assert from "node:assert/strict";
import { eventually } from "../../../harness/eventually.ts";
import { logsWith, Scene } from "../scene.ts";
import { silent } from "../scripted_agent.ts";
import type { Script } from "../scripted_agent.ts";

const SQL = "SELECT count(*) AS n FROM logs";
const COVERAGE = {
  chunks: 0,
  rows_scanned: 0,
  bytes_read: 0,
  rejects: 0,
  gaps: { count: 0, bytes: 0 },
  lost: { files: 0, rows: 0 },
  behind_bytes: 0,
};
const END = { ok: true as const, rows: {}, coverage: COVERAGE, sql_ms: 0, total_ms: 1 };

const willing: Script = ({ ack, send }) => {
  ack();
  send({ seq: 0, parts: [], end: END });
};

function failing(code: string, message: string, rule?: string): Script {
  const error = { code, message, ...(rule === undefined ? {} : { rule }) };
  return ({ ack, send }) => {
    ack();
    send({ seq: 0, parts: [], end: { ok: false, error } });
  };
}

Deno.test("explain says which hosts would refuse, by which rule, and which did not say", async () => {
  await using scene = await Scene.start({ ackTimeout: "2s" });
  const logs = logsWith([200]);
  let runs = 0;
  const agent = (host: string, explain?: Script) =>
    scene.agent({ host, logs, script: () => void runs++, ...(explain && { explain }) });
  const message = "policy.range of this host: at most 2 h may be asked at once";
  const refused = { code: "not_permitted", message: "is not pinned here" };
  await agent("web-1", willing);
  await agent("web-2", failing("not_permitted", message, "range"));
  await agent("web-3", ({ ack }) => ack({ accepted: false, refused }));
  const dumb = await agent("web-4", silent);
  await agent("web-5", failing("unavailable", "Busy: 2 queries run"));
  await agent("web-6", ({ die }) => die());
  await agent("web-7");
  const slow = await agent("web-8", ({ ack }) => ack());
  const explained = await scene.explain(SQL);
  assert.deepEqual(explained.hosts.length, 8);
  assert.deepEqual(explained.refused, [
    { host: "web-2", rule: "range", reason: message },
    { host: "web-3", reason: "is not pinned here" },
  ]);
  assert.deepEqual(explained.unchecked, [
    { host: "web-4", reason: "nothing within 2 s" },
    { host: "web-5", reason: "Busy: 2 queries run" },
    { host: "web-6", reason: "went away while the query ran" },
    { host: "web-7", reason: "agent 0.1.0 cannot explain: upgrade it" },
    { host: "web-8", reason: "no result within 6 s" },
  ]);
  await eventually(() => dumb.cancelled.length === 1 && slow.cancelled.length === 1);
  assert.equal(runs, 0);
});
