/** output.ts: the designed outputs, to the letter. */
import assert from "node:assert/strict";
import type { AnswerEnd, HostRecord } from "../../../orchestrator/api/events.ts";
import type { ArchivedTo, Coverage, Missing } from "../../../orchestrator/fanout/coverage.ts";
import { coverageOf, silence } from "../../../orchestrator/fanout/coverage.ts";
import {
  coverageLines,
  emptyLines,
  explanationText,
  hostsTable,
  summaryLine,
} from "../../../orchestrator/output.ts";

const NOW_MS = Date.parse("2026-11-22T10:14:09Z");

const COMPLETE: Coverage = {
  asked: 3,
  answered: 3,
  pruned: 0,
  missing: [],
  chunks: 14,
  rows_scanned: 57_803,
  bytes_read: 412_345,
  rejects: 0,
  gaps: { count: 0, bytes: 0 },
  lost: { files: 0, rows: 0 },
  behind: [],
};

function end(coverage: Coverage, more: Partial<AnswerEnd> = {}): AnswerEnd {
  return {
    type: "end",
    query_id: "q-7f3a2c",
    mode: "aggregate",
    range: { since: "2026-11-21T10:14:09.000Z", until: null },
    columns: [],
    coverage,
    elapsed_ms: 31,
    ...more,
  };
}

Deno.test("the summary of a complete answer is one line", () => {
  assert.equal(
    summaryLine({ end: end(COMPLETE), asked: {} }),
    "complete · 3/3 hosts · last 24 h · 57803 rows, 14 chunks, 0.4 MB read · 31 ms · q-7f3a2c",
  );
  assert.deepEqual(coverageLines(COMPLETE), []);
  assert.match(
    summaryLine({ end: end({ ...COMPLETE, rows_known: 57_210 }), asked: {} }),
    / · 57803 rows, 14 chunks, 0\.4 MB read, 57210 rows known from before · 31 ms · /,
  );
});

Deno.test("an answer for which no row was read says so, and how to look further", () => {
  const nothing = { ...COMPLETE, rows_scanned: 0, chunks: 0, bytes_read: 0 };
  assert.deepEqual(emptyLines(end(COMPLETE)), []);
  assert.deepEqual(emptyLines(end(nothing)), [
    "  nothing 3  no rows there of this range: --since all looks at all times",
  ]);
  const range = { since: null, until: null };
  assert.deepEqual(emptyLines(end(nothing, { range })), [
    "  nothing 3  no rows there of what is asked for",
  ]);
  assert.deepEqual(emptyLines(end(nothing, { mode: "catalog" })), []);
});

Deno.test("an answer from the catalog speaks of no host's rows", () => {
  const line = summaryLine({ end: { ...end(COMPLETE), mode: "catalog" }, asked: {} });
  assert.equal(line, "catalog · no host asked · 31 ms · q-7f3a2c");
});

Deno.test("hosts that were not asked are counted as answered, and said", () => {
  const line = summaryLine({ end: end({ ...COMPLETE, pruned: 2 }), asked: {} });
  assert.equal(line.split(" · ")[1], "3/3 hosts (2 not asked: nothing there)");
});

Deno.test("one of anything is singular", () => {
  const one = { ...COMPLETE, asked: 1, answered: 1, chunks: 1, rows_scanned: 1, rejects: 1 };
  assert.match(
    summaryLine({ end: end(one), asked: {} }),
    /^complete · 1\/1 host · last 24 h · 1 row, 1 chunk, /,
  );
  assert.deepEqual(coverageLines(one), ["  reject  1  SELECT * FROM rejects"]);
});

Deno.test("the summary names the range that was read", () => {
  const check = (range: AnswerEnd["range"], asked: { since?: string }, expected: string) => {
    const line = summaryLine({ end: end(COMPLETE, { range }), asked });
    assert.equal(line.split(" · ")[2], expected);
  };
  const all = { since: null, until: null };
  check({ since: "2026-11-22T09:59:09.000Z", until: null }, { since: "15m" }, "last 15 m");
  check(
    { since: "2026-11-22T09:00:00.000Z", until: null },
    { since: "2026-11-22T09:00Z" },
    "since 2026-11-22T09:00Z",
  );
  check(all, { since: "all" }, "all time");
  check(all, {}, "time as in WHERE");
});

Deno.test("one killed host is named with its silence", () => {
  const missing: Missing = {
    host: "web-2",
    kind: "offline",
    reason: silence(Date.parse("2026-11-22T10:14:07Z"), NOW_MS),
    since: "2026-11-22T10:14:07.000Z",
  };
  const partial = { ...COMPLETE, answered: 2, missing: [missing] };
  assert.match(
    summaryLine({ end: end(partial), asked: {} }),
    /^PARTIAL · 2\/3 hosts · last 24 h · /,
  );
  assert.deepEqual(coverageLines(partial), ["  offline 1  web-2  silent since 10:14:07"]);
});

Deno.test("missing hosts are grouped by kind and reason, then those behind, then rejects", () => {
  const offline = Array.from({ length: 9 }, (_, i): Missing => ({
    host: `web-${17 + i}`,
    kind: "offline",
    reason: "silent since 02:41:00",
    since: "2026-11-22T02:41:00.000Z",
  }));
  const noAck = ["api-3", "api-4"].map((host): Missing => ({
    host,
    kind: "no_ack",
    reason: "nothing within 1 s",
  }));
  const coverage: Coverage = {
    ...COMPLETE,
    asked: 400,
    answered: 388,
    missing: [
      ...offline,
      ...noAck,
      { host: "web-90", kind: "refused", reason: "clock 6 min ahead" },
    ],
    rejects: 12,
    gaps: { count: 1, bytes: 12_345 },
    lost: { files: 0, rows: 0 },
    behind: [
      { host: "api-31", bytes: 2.1e9, ms: 14 * 60_000 },
      { host: "api-32", bytes: 900, ms: 100 },
    ],
  };
  assert.equal(
    coverageLines(coverage).join("\n"),
    `
  offline 9  web-17 web-18 …  silent since 02:41:00
  no ack  2  api-3 api-4      nothing within 1 s
  refused 1  web-90           clock 6 min ahead
  behind  1  api-31           answered; last 14 min (2.1 GB) unread
  rejects 12                  SELECT * FROM rejects
  gap     1                   12 KB lost unread: SELECT * FROM accounting WHERE outcome = 'gap'`
      .slice(1),
  );
});

Deno.test("hours that nobody has a chunk of are said, in one line", () => {
  const hours = [{ from: "2026-11-22T19:00:00.000Z", until: "2026-11-22T21:00:00.000Z" }];
  const lines = (...hosts: string[]) =>
    coverageLines({ ...COMPLETE, absent: hosts.map((host) => ({ host, hours })) });
  assert.deepEqual(lines("web-1"), [
    "  no hour 1  web-1  no chunk of 2026-11-22 19:00-21:00: no lines, or lost",
  ]);
  assert.deepEqual(lines("web-1", "web-2"), [
    "  no hour 2  web-1 web-2  no chunk of web-1 2026-11-22 19:00-21:00: no lines, or lost " +
    "(-o json has all)",
  ]);
});

Deno.test("up to when hosts are archived stands in the summary and below it", () => {
  const lacks = [{ from: "2026-11-22T17:00:00.000Z", until: "2026-11-22T18:00:00.000Z" }];
  const until = "2026-11-22T18:00:00.000Z";
  const later = { host: "web-2", until: "2026-11-22T19:00:00.000Z" };
  const nothing = { host: "web-3", until: null };
  const said = (...archived_to: ArchivedTo[]) => {
    const coverage = { ...COMPLETE, archived_to };
    const line = summaryLine({ end: end(coverage), asked: {} });
    return [line.split(" · ")[2], ...coverageLines(coverage)];
  };
  const [range] = said();
  assert.deepEqual(said(later), [
    `${range}, archived to 2026-11-22 19:00`,
    "  archive 1  web-2  to 2026-11-22 19:00",
  ]);
  assert.deepEqual(said({ host: "web-1", until, lacks }, later, nothing), [
    `${range}, archived to 2026-11-22 18:00 or later`,
    "  archive 1  web-1  to 2026-11-22 18:00, lacks 2026-11-22 17:00-18:00",
    "  archive 1  web-2  to 2026-11-22 19:00",
    "  archive 1  web-3  nothing of it is archived",
  ]);
  assert.deepEqual(said(nothing)[0], `${range}, not archived yet`);
});

Deno.test("offline hosts of different silence are one line, hosts that fail differently several", () => {
  const offline = (host: string, time: string): Missing => ({
    host,
    kind: "offline",
    reason: `silent since ${time}`,
    since: `2026-11-22T${time}.000Z`,
  });
  const failed = Array.from({ length: 7 }, (_, i): Missing => ({
    host: `db-${i}`,
    kind: "failed",
    reason: `reason ${i}\nwith more \x1b[31mlines`,
  }));
  const missing = [offline("web-2", "03:00:00"), offline("web-1", "02:00:00"), ...failed];
  assert.equal(
    coverageLines({ ...COMPLETE, missing }).join("\n"),
    `
  offline 2  web-2 web-1  silent, the first since 02:00:00
  failed  1  db-0         reason 0
  failed  1  db-1         reason 1
  failed  1  db-2         reason 2
  failed  1  db-3         reason 3
  failed  1  db-4         reason 4
  failed  2  db-5 db-6    for other reasons (-o json has them)`.slice(1),
  );
});

Deno.test("a host's words cannot steer the terminal", () => {
  const missing: Missing[] = [{ host: "web-1", kind: "refused", reason: "no\x1b[2J\r!" }];
  assert.deepEqual(coverageLines({ ...COMPLETE, missing }), ["  refused 1  web-1  no?[2J?!"]);
});

Deno.test("the coverage adds up what hosts say", () => {
  const host = (name: string, behind: number) => ({
    host: name,
    coverage: {
      chunks: 1,
      rows_scanned: 2,
      bytes_read: 3,
      rejects: 4,
      gaps: { count: 1, bytes: 70 },
      lost: { files: 0, rows: 0 },
      behind_bytes: behind,
    },
    behindMs: 9,
  });
  const missing: Missing[] = [{ host: "c", kind: "timeout", reason: "late" }];
  assert.deepEqual(coverageOf([host("b", 5), host("a", 0)], missing), {
    asked: 3,
    answered: 2,
    pruned: 0,
    missing,
    chunks: 2,
    rows_scanned: 4,
    bytes_read: 6,
    rejects: 8,
    gaps: { count: 2, bytes: 140 },
    lost: { files: 0, rows: 0 },
    behind: [{ host: "b", bytes: 5, ms: 9 }],
  });
});

Deno.test("a silence of more than a day has its date", () => {
  assert.equal(silence(NOW_MS - 2 * 86_400_000, NOW_MS), "silent since 2026-11-20 10:14:09");
  assert.equal(silence(null, NOW_MS), "never heard by this orchestrator");
});

function record(host: string, more: Partial<HostRecord>): HostRecord {
  return {
    host,
    region: "eu-west-1",
    labels: {},
    state: "online",
    seen_at: null,
    retired_at: null,
    version: "0.3.1",
    streams: ["logs"],
    lines_per_s: null,
    behind_bytes: null,
    behind_ms: null,
    rejects: null,
    stored_bytes: null,
    archive: null,
    ...more,
  };
}

const WELL_ARCHIVED = {
  waiting_chunks: 0,
  waiting_bytes: 0,
  failure: null,
  failing_since: null,
  archived_to: "2026-11-22T02:00:00.000Z",
};

Deno.test("hosts are a table with their state at a glance", () => {
  const seen = (agoMs: number) => new Date(NOW_MS - agoMs).toISOString();
  const hosts = [
    record("web-1", {
      seen_at: seen(2_000),
      lines_per_s: 9_812,
      behind_ms: 400,
      rejects: 0,
      archive: WELL_ARCHIVED,
    }),
    record("web-2", {
      seen_at: seen(4_000),
      lines_per_s: 9_790,
      behind_ms: 200,
      rejects: 12,
      archive: {
        ...WELL_ARCHIVED,
        waiting_chunks: 3,
        failure: "S3 403",
        failing_since: "2026-11-22T01:12:33.000Z",
      },
    }),
    record("web-3", { seen_at: seen(4_000) }),
    record("web-17", {
      state: "offline",
      seen_at: seen(41 * 60_000),
      version: "0.3.0",
      lines_per_s: 1,
      behind_ms: 1,
      rejects: 0,
      archive: WELL_ARCHIVED,
    }),
  ];
  assert.equal(
    hostsTable(hosts, NOW_MS),
    `
HOST    REGION     STATE    SEEN  VERSION  LINES/S  BEHIND  REJECTS  UPLOAD
web-1   eu-west-1  online   2 s   0.3.1       9812  0.4 s         0  ok
web-2   eu-west-1  online   4 s   0.3.1       9790  0.2 s        12  S3 403 since 01:12, 3 chunks wait
web-3   eu-west-1  online   4 s   0.3.1          -  -             -  -
web-17  eu-west-1  offline  41 m  0.3.0          -  -             0  archived to 02:00
4 hosts: 3 online, 1 offline
`.slice(1),
  );
});

Deno.test("an empty fleet says how to add a host", () => {
  assert.match(
    hostsTable([], NOW_MS),
    /^No host is known yet: logvend-agent run -c agent.yaml adds/,
  );
});

Deno.test("an explanation shows what would run where", () => {
  const explanation = {
    query_id: "q-7f3a2c",
    mode: "rows" as const,
    reason: "string_agg(request) at 1:8 cannot be merged from partial results",
    range: { since: "2026-11-21T10:14:09.000Z", until: null },
    columns: [],
    hosts: ["web-1", "web-3", "web-5", "web-6"],
    pruned: ["web-4"],
    estimate: { chunks: 14, rows: 57_803, bytes: 3_200_000, unknown_hosts: 1 },
    missing: [{ host: "web-2", kind: "offline" as const, reason: "silent since 10:14:07" }],
    refused: [
      { host: "web-1", rule: "range", reason: "policy.range of this host: at most 2 h" },
      { host: "web-5", rule: "range", reason: "policy.range of this host: at most 2 h" },
      { host: "web-6", reason: "its key is not pinned here" },
    ],
    unchecked: [{ host: "web-3", reason: "nothing within 1 s" }],
    partials: [{ table: "logs", sql: "SELECT request\nFROM logs" }],
    merge_sql: "SELECT string_agg(request) FROM logs",
  };
  assert.equal(
    explanationText(explanation, {}),
    `
mode   rows: string_agg(request) at 1:8 cannot be merged from partial results
range  last 24 h
hosts  4: web-1 web-3 web-5 web-6
       not asked: web-4: nothing there
       not asked: web-2 silent since 10:14:07
       refused 2  web-1 web-5  policy.range of this host: at most 2 h
       refused 1  web-6        its key is not pinned here
       no word 1  web-3        nothing within 1 s
reads  about 57803 rows, 14 chunks, 3.2 MB; 1 host may read more

each host, into logs:
  SELECT request
  FROM logs

merge:
  SELECT string_agg(request) FROM logs
`.slice(1),
  );
  const unread = [{ region: "eu", reason: "web-1: Cannot list: no answer" }];
  const none = { objects: 0, looked: 0, requests: 0, bytes: 0, dollars: 0 };
  const partial = explanationText({ ...explanation, archive: { ...none, unread } }, {});
  assert.match(partial, /^PARTIAL: nobody could say what the archive of eu has\nmode {3}rows: /);
  assert.match(partial, /^ {9}eu: web-1: Cannot list: no answer$/m);
});
