import assert from "node:assert/strict";
import { archivePart } from "../../../../../orchestrator/fanout/archive/archive_part.ts";
import { KeptPieces } from "../../../../../orchestrator/fanout/archive/kept/kept_pieces.ts";
import { ChunkCatalog } from "../../../../../orchestrator/fleet/chunk_catalog.ts";
import { Fleet } from "../../../../../orchestrator/fleet/fleet.ts";
import { openDatabase } from "../../../../../orchestrator/state/database.ts";
import { HostTable } from "../../../../../orchestrator/state/hosts.ts";
import { QueryClaims } from "../../../../../protocol/signing/claims.ts";
import { TempFolder } from "../../../../harness/temp_folder.ts";

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

Deno.test("answers of which one does not add up are not kept for who asks again", async () => {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await TempFolder.make());
  const database = openDatabase(folder.path);
  stack.defer(() => database.close());
  const pieces = stack.use(
    await KeptPieces.open({ folder: folder.join("pieces"), bytesMax: 1e6 }),
  );
  const fleet = stack.use(new Fleet({ table: new HostTable(database) }));
  const catalog = stack.use(new ChunkCatalog({ ask: () => {}, isOnline: () => true }));
  const leave = async (isRejected: boolean) => {
    const question = await pieces.begin({ sql: "SELECT 1", operator: "a", claims: CLAIMS });
    assert.ok(question !== null);
    const planned = { tables: [], version: 1 };
    await question.plan(planned);
    const part = archivePart({
      ...{ fleet, catalog, claims: CLAIMS, kept: { question, planned } },
      audience: { asked: [], missing: [], pruned: [] },
      read: { tables: ["logs"], since: null, until: null },
      ...{ nowMs: 0, startedMs: 0, referenceBytesMax: 10_000 },
      folder: () => folder.path,
      ask: () => Promise.reject(new Error("nobody is asked")),
    });
    if (isRejected) part?.reject("web-1", "says it sent 2 rows, and 1 came");
    await question.end(true);
    return [...Deno.readDirSync(folder.join("pieces"))].length;
  };
  assert.equal(await leave(false), 1);
  assert.equal(await leave(true), 0);
});
