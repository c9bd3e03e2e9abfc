/** strangers.ts, archive_part.ts: hosts that an archive has and the fleet does not know, in an answer. */
import assert from "node:assert/strict";
import { archivePart } from "../../../../../orchestrator/fanout/archive/archive_part.ts";
import { Strangers } from "../../../../../orchestrator/fanout/archive/strangers.ts";
import type { Outcome } from "../../../../../orchestrator/fanout/collector.ts";
import { named } from "../../scene.ts";
import { ArchivedHosts } from "../../../../../orchestrator/fleet/archived_hosts.ts";
import {
  CHUNK_COLUMNS,
  CHUNK_LIST,
  chunkTexts,
  HOUR_COLUMNS,
  HOUR_LIST,
  hourTexts,
} from "../../../../../protocol/archive/archive_piece.ts";
import { ChunkRoom } from "../../../../../protocol/archive/chunk_room.ts";
import { chunkPath } from "../../../../../protocol/chunk/chunk_path.ts";
import { QueryClaims } from "../../../../../protocol/signing/claims.ts";
import { messagesOf } from "../../../../../protocol/wire/archived_hosts.ts";
import type { ArchivedHost } from "../../../../../protocol/wire/archived_hosts.ts";
import { seal } from "../../../../../protocol/wire/envelope.ts";
import type { HostHoldings } from "../../../../../protocol/wire/holdings.ts";
import { KnownHosts } from "./known_hosts.ts";

const HOUR_MS = 3_600_000;
const FROM_HOUR = Date.parse("2026-11-22T19:00:00Z") / HOUR_MS;
/** The only hour that anything is archived of. */
const RANGE = { since: "2026-11-22T19:00:00.000Z", until: "2026-11-22T20:00:00.000Z" };
const DAY = "2026-11-22";
const { signal } = new AbortController();

interface Question {
  selector?: string;
  range?: { since: string | null; until: string | null };
  hosts?: readonly string[] | null;
  /** Between the choice of hosts and the look at the archive. */
  meanwhile?: () => void;
  missing?: { host: string; kind: "unknown" | "offline"; reason: string }[];
}

/** web-1 is there; the orchestrator is told whom the archive has, and web-1 lists it. */
class Scene implements AsyncDisposable {
  archived: ArchivedHost[] = [];
  problem: string | null = null;
  listed: string[] = [];

  private constructor(
    private readonly stack: AsyncDisposableStack,
    readonly hosts: KnownHosts,
    readonly known: ArchivedHosts,
    readonly asked: { agent: string; request: string }[],
  ) {}

  static async start(): Promise<Scene> {
    await using stack = new AsyncDisposableStack();
    const hosts = stack.use(await KnownHosts.open());
    const asked: Scene["asked"] = [];
    const ask = (agent: string, request: string) => void asked.push({ agent, request });
    const known = stack.use(
      new ArchivedHosts({ fleet: hosts.fleet, ask, isConnected: () => true }),
    );
    const scene = new Scene(stack.move(), hosts, known, asked);
    scene.come("web-1");
    scene.hold("web-1", true);
    return scene;
  }

  come(host: string) {
    const commands = ["archive", "archived_hosts"];
    this.hosts.come(host, { labels: { service: "web" }, commands });
    this.known.hostCame(host);
  }

  hold(host: string, own_rows: boolean, more: Partial<HostHoldings> = {}) {
    this.hosts.hold(host, { open_from: null, own_rows, days: { [DAY]: "d1" }, ...more });
  }

  /** Which chunks it holds of the day. */
  holdDay(host: string, ...ids: string[]) {
    this.hosts.holdDay(host, DAY, ids.map((id) => [id, 1, 1, 0, 0]));
  }

  /** Whom the archive has, of the one hour. */
  tell(...hosts: string[]) {
    this.archived = hosts.map((host) => [host, "logs", FROM_HOUR, FROM_HOUR + 1]);
    const { agent = "", request = "" } = this.asked.at(-1) ?? {};
    for (const body of messagesOf(request, this.archived)) {
      this.known.receive(agent, seal({ type: "archived", body, issuedAtMs: 0 }));
    }
  }

  /** The hosts whose chunks would be read, and who is missing then; null: the archive is not asked. */
  async ask(
    { selector = "", range = RANGE, hosts = null, meanwhile, missing = [] }: Question = {},
  ) {
    const claims = QueryClaims.parse({
      ...{ kind: "query", id: crypto.randomUUID(), sql_sha256: "0".repeat(64), selector },
      ...{ range: { ...range, implied: false }, source: "auto", now: "2026-11-29T00:00:00Z" },
      limits: { timeout_ms: 1_000_000, rows_max: 10, bytes_max: 10 },
      ...{ issued_at_ms: 0, expires_at_ms: 1 },
    });
    const { hosts: { fleet, catalog }, known: archivedHosts } = this;
    const read = { tables: ["logs"], ...range };
    const reach = { hosts, regions: null };
    const strangers = new Strangers({ fleet, archivedHosts }, { selector, read, reach });
    const asked = fleet.list().filter(({ presence: { host } }) => host === "web-1");
    meanwhile?.();
    using part = archivePart({
      ...{ fleet, catalog, claims, read, strangers, audience: { asked, missing, pruned: [] } },
      ...{ kept: null, nowMs: Date.parse("2026-11-29T00:00:00Z"), startedMs: 0 },
      ...{ referenceBytesMax: 10_000, chunkRoom: new ChunkRoom(10), folder: () => "/nowhere" },
      ask: (host) => Promise.resolve(this.list(host)),
    });
    if (part === null) return null;
    const { chunks } = await part.find(signal);
    const settled = part.settle(missing);
    return {
      read: chunks.map(({ place }) => place.host),
      whole: settled.archived?.whole ?? null,
      missing: named(settled.missing),
    };
  }

  /** What an agent says of the archive. */
  private list(host: string): Outcome {
    if (this.problem !== null) {
      return { kind: "missing", host, why: "failed", reason: this.problem };
    }
    const chunks = this.archived.map(([host], i) => {
      const place = { stream: "logs", region: "eu", host, hour: "2026-11-22T19" };
      const key = chunkPath({ ...place, chunk: String(i).padStart(16, "0") });
      return { key, bytes: 1, etag: "e", rows: 1, readBytes: 1, requests: 1 };
    });
    const runs = this.archived.map(([host, stream, from]) => ({
      host,
      stream,
      fromMs: from * HOUR_MS,
      hours: 1,
      chunks: 1,
    }));
    const text = { encoding: "text" as const };
    const parts = [
      {
        table: CHUNK_LIST,
        part: { ...text, table: CHUNK_LIST, columns: CHUNK_COLUMNS, values: chunkTexts(chunks) },
      },
      {
        table: HOUR_LIST,
        part: { ...text, table: HOUR_LIST, columns: HOUR_COLUMNS, values: hourTexts(runs) },
      },
    ];
    const coverage = {
      ...{ chunks: 0, rows_scanned: 0, bytes_read: 0, rejects: 0, behind_bytes: 0 },
      ...{ gaps: { count: 0, bytes: 0 }, lost: { files: 0, rows: 0 } },
    };
    return { kind: "answered", answer: { host, parts, rows: {}, coverage, byteCount: 1 } };
  }

  async [Symbol.asyncDispose]() {
    await this.stack[Symbol.asyncDispose]();
  }
}

const NEVER = "never heard by this orchestrator";

Deno.test("strangers are read where the range meets their hours, and the archive is not asked elsewhere", async () => {
  await using scene = await Scene.start();
  scene.tell("web-1", "web-2");
  assert.deepEqual(await scene.ask(), { read: ["web-2"], whole: ["web-2"], missing: [] });
  const later = { since: RANGE.until, until: null };
  assert.equal(await scene.ask({ range: later }), null);
  assert.equal(await scene.ask({ range: { since: null, until: RANGE.since } }), null);
  assert.equal(await scene.ask({ hosts: ["web-1"] }), null);
  assert.equal(await scene.ask({ selector: "host != web-2" }), null);
  assert.equal(await scene.ask({ selector: "service = web" }), null); // nobody knows its labels
  const unknown = { host: "web-2", kind: "unknown" as const, reason: "never seen" };
  const asked = await scene.ask({ selector: "host = web-2", missing: [unknown] });
  assert.deepEqual(asked, { read: ["web-2"], whole: ["web-2"], missing: [] });

  const open = await scene.ask({ range: { since: null, until: null } });
  const reason = `${NEVER}  archive used to 2026-11-22 20:00`;
  assert.deepEqual(open?.missing, [{ host: "web-2", kind: "offline", reason }]);
  scene.come("web-2");
  assert.equal(await scene.ask(), null); // it is one of the fleet
});

Deno.test("strangers are missing by name while nobody can look at the archive", async () => {
  await using scene = await Scene.start();
  scene.tell("web-2");
  scene.problem = "S3 503";
  const asked = await scene.ask();
  const missing = [{ host: "web-2", kind: "offline", reason: `${NEVER}  web-1: S3 503` }];
  assert.deepEqual(asked, { read: [], whole: [], missing });
});

Deno.test("what another host has on its disk, which had that name before, is not read beside it", async () => {
  await using scene = await Scene.start();
  scene.tell("web-2", "web-3");
  scene.hold("web-1", false);
  const unsaid = "web-1 may hold rows of it, and has not said which: ask again";
  const reason = `${NEVER}  ${unsaid}, or with --source archive`;
  const missing = ["web-2", "web-3"].map((host) => ({ host, kind: "offline", reason }));
  assert.deepEqual(await scene.ask(), { read: [], whole: [], missing });
  scene.holdDay("web-1", `${"0".repeat(15)}1_00000001_000000000000`, "f".repeat(16)); // some rows erased
  const both = { whole: ["web-2", "web-3"], missing: [] };
  assert.deepEqual(await scene.ask(), { read: ["web-2"], ...both });
  scene.hold("web-1", false, { days: {} }); // it cannot say what it holds
  assert.deepEqual(await scene.ask(), { read: [], whole: [], missing });
  scene.hold("web-1", false, { days: {}, open_from: "2026-11-22T20:00:00.000Z" });
  assert.deepEqual(await scene.ask(), { read: ["web-2", "web-3"], ...both });
  scene.hold("web-1", true); // another folder
  assert.deepEqual(await scene.ask(), { read: ["web-2", "web-3"], ...both });
});

Deno.test("a question waits until it is known whom the archive has, and lacks nobody who came meanwhile", async () => {
  await using scene = await Scene.start();
  const meanwhile = () => scene.come("web-2"); // it is not asked any more
  const asking = scene.ask({ meanwhile });
  scene.tell("web-2");
  assert.deepEqual(await asking, { read: ["web-2"], whole: ["web-2"], missing: [] });
  await using other = await Scene.start();
  other.tell("web-2");
  const later = await other.ask({ meanwhile: () => other.come("web-2") });
  assert.deepEqual(later?.read, ["web-2"]);
});

Deno.test("while nobody can say whom the archive has, others of its region are missing", async () => {
  await using scene = await Scene.start();
  const { agent = "", request = "" } = scene.asked.at(-1) ?? {};
  const body = { request, hosts: [], total: 0, problem: "S3 403" };
  scene.known.receive(agent, seal({ type: "archived", body, issuedAtMs: 0 }));
  const reason = "who else has archived chunks there is not known: web-1: S3 403";
  const missing = [{ host: "others of eu", kind: "unknown", reason }];
  assert.deepEqual(await scene.ask(), { read: [], whole: null, missing });
  assert.equal(await scene.ask({ selector: "region = us" }), null);
  assert.equal(await scene.ask({ selector: "service = web" }), null);
  assert.equal(await scene.ask({ range: { since: new Date().toISOString(), until: null } }), null);
});
