import assert from "node:assert/strict";
import { archivePart } from "../../../../../orchestrator/fanout/archive/archive_part.ts";
import { KeptPieces } from "../../../../../orchestrator/fanout/archive/kept/kept_pieces.ts";
import type { HostAnswer } from "../../../../../orchestrator/fanout/collector.ts";
import { QueryClaims } from "../../../../../protocol/signing/claims.ts";
import { ChunkRoom } from "../../../../../protocol/archive/chunk_room.ts";
import type { HostCoverage } from "../../../../../protocol/wire/messages.ts";
import { PLAN_VERSION } from "../../../../../queries/plan/planner.ts";
import { KnownHosts } from "./known_hosts.ts";

const CLAIMS = QueryClaims.parse({
  kind: "query",
  id: "7f3a2c00-0000-4000-8000-000000000000",
  sql_sha256: "0".repeat(64),
  selector: "",
  range: { since: null, until: null, implied: false },
  source: "archive",
  now: "2026-11-29T00:00:00Z",
  limits: { timeout_ms: 1_000, rows_max: 10, bytes_max: 10 },
  issued_at_ms: 0,
  expires_at_ms: 1,
});

const COVERAGE: HostCoverage = {
  ...{ chunks: 0, rows_scanned: 0, bytes_read: 0, rejects: 0, behind_bytes: 0 },
  gaps: { count: 0, bytes: 0 },
  lost: { files: 0, rows: 0 },
};

const ANSWER: HostAnswer = {
  ...{ host: "web-1", parts: [], rows: {}, coverage: COVERAGE, byteCount: 1 },
};

Deno.test("answers of which one does not add up are not kept for who asks again", async () => {
  await using stack = new AsyncDisposableStack();
  const hosts = stack.use(await KnownHosts.open());
  const { fleet, catalog, folder } = hosts;
  const pieces = stack.use(
    await KeptPieces.open({ folder: folder.join("pieces"), bytesMax: 1e6 }),
  );
  hosts.come("web-1");
  const leave = async (isRejected: boolean) => {
    const question = await pieces.begin({ sql: "SELECT 1", operator: "a", claims: CLAIMS });
    assert.ok(question !== null);
    const planned = { tables: [], version: PLAN_VERSION };
    await question.plan(planned);
    const part = archivePart({
      ...{ fleet, catalog, claims: CLAIMS, strangers: null, kept: { question, planned } },
      audience: { asked: [], missing: [], pruned: [] },
      read: { tables: ["logs"], since: null, until: null },
      ...{ nowMs: 0, startedMs: 0, referenceBytesMax: 10_000, chunkRoom: new ChunkRoom(10) },
      folder: () => folder.path,
      ask: () => Promise.reject(new Error("nobody is asked")),
    });
    if (isRejected) part?.reject(ANSWER, "says it sent 2 rows, and 1 came");
    await question.end(true);
    return [...Deno.readDirSync(folder.join("pieces"))].length;
  };
  assert.equal(await leave(false), 1);
  assert.equal(await leave(true), 0);
});

Deno.test("a host that has archived all it had, and nothing of what is asked, is not missing", async () => {
  await using hosts = await KnownHosts.open();
  const { fleet, catalog, folder } = hosts;
  for (const host of ["web-1", "web-2"]) hosts.come(host, { holdings: "v1" });
  hosts.come("web-1", { holdings: "v1", state: "offline" });
  // It went before it was asked what its day holds: it may have rejects, as far as it has said.
  const said = { own_rows: true, days: { "2026-11-20": "d1" } };
  const until = "2026-11-22T00:00:00.000Z";
  const missingOf = async (unarchivedFrom: string | null) => {
    hosts.hold("web-1", { ...said, open_from: until, unarchived_from: unarchivedFrom });
    const missing = [{ host: "web-1", kind: "offline" as const, reason: "silent" }];
    const part = archivePart({
      ...{ fleet, catalog, claims: { ...CLAIMS, source: "auto" as const } },
      ...{ strangers: null, kept: null },
      audience: { asked: [], missing, pruned: [] },
      read: { tables: ["rejects"], since: "2026-11-20T00:00:00.000Z", until },
      ...{
        nowMs: Date.now(),
        startedMs: 0,
        referenceBytesMax: 10_000,
        chunkRoom: new ChunkRoom(10),
      },
      folder: () => folder.path,
      ask: (host) =>
        Promise.resolve({
          kind: "answered",
          answer: { host, parts: [], rows: {}, coverage: COVERAGE, byteCount: 0 },
        }),
    });
    await part?.find(new AbortController().signal);
    const settled = part?.settle(missing);
    return [settled?.missing, settled?.archived?.whole];
  };
  assert.deepEqual(await missingOf(null), [[], ["web-1"]]);
  const silent = [{ host: "web-1", kind: "offline", reason: "silent" }];
  assert.deepEqual(await missingOf("2026-11-20T10:00:00.000Z"), [silent, []]);
});
