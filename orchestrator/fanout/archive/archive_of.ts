/** The part of a prepared question that the archive answers, and how its pieces are asked. */
import type { ChunkRoom } from "../../../protocol/archive/chunk_room.ts";
import { LogvendError } from "../../../protocol/errors.ts";
import { formatBytes } from "../../../protocol/units.ts";
import type { ChunkCatalog } from "../../fleet/chunk_catalog.ts";
import type { Fleet } from "../../fleet/fleet.ts";
import type { Collector, Outcome } from "../collector.ts";
import type { HostCommands } from "../host_commands.ts";
import { tooManyBytes } from "../prepared_question.ts";
import type { PreparedQuestion } from "../prepared_question.ts";
import { archivePart } from "./archive_part.ts";
import type { ArchivePart, ArchivePartOptions } from "./archive_part.ts";
import { askPiece } from "./ask_piece.ts";
import type { KeptQuestion } from "./kept/kept_question.ts";

/** Of a region, whatever the answer may take: agents name 400,000 chunks at most (some 150 bytes each). */
const LIST_BYTES_MAX = 256e6;

export interface ArchiveParts {
  fleet: Fleet;
  catalog: ChunkCatalog;
  commands: HostCommands;
  /** Collectors by request: results go there. */
  running: Map<string, Collector>;
  ackTimeoutMs: number;
  now: () => number;
  /** When this orchestrator started, by Date.now(). */
  startedMs: number;
  /** Of all questions. */
  chunkRoom: ChunkRoom;
}

/**
 * What the archive answers; null: nothing. The time of the question begins here.
 * @param own `folder`: for large results, made when it is needed; `kept`: what was read before
 * @throws {LogvendError} usage
 */
export function archiveOf(
  { fleet, catalog, commands, running, ackTimeoutMs, now, startedMs, chunkRoom }: ArchiveParts,
  prepared: PreparedQuestion,
  { folder, kept }: { folder: () => string; kept: KeptQuestion | null },
): ArchivePart | null {
  const { claims, audience, read, strangers } = prepared;
  const { id: of, limits: { timeout_ms: timeoutMs, bytes_max: bytesMax } } = claims;
  const pieces = commands.pieceAsker(prepared);
  const deadlineMs = now() + timeoutMs;
  const ask: ArchivePartOptions["ask"] = async (agent, piece, signal) => {
    const outcome = await askPiece({
      agent,
      folder,
      timeoutMs: Math.max(1, deadlineMs - now()),
      ackTimeoutMs,
      ...(piece.kind === "list"
        ? { bytesMax: LIST_BYTES_MAX, overflow: listTooLong }
        : { bytesMax, overflow: () => tooManyBytes(prepared, null) }),
      running,
      send: (request, host) => pieces.ask(host, request, { ...piece, of }),
      acknowledge: (request, host, seq) => commands.acknowledge(host, { request, seq }),
      cancel: (request, host) => commands.cancel(host, { request }),
      signal,
    });
    return piece.kind === "read" ? counted(outcome) : outcome;
  };
  return archivePart({
    ...{ fleet, catalog, claims, audience, read, strangers, ask, nowMs: now(), startedMs },
    kept: kept && { question: kept, planned: prepared.planned },
    folder,
    chunkRoom,
    referenceBytesMax: pieces.bytesMax,
  });
}

function listTooLong(): LogvendError {
  return new LogvendError(
    "bad_sql",
    `The question reads so many archived chunks that their list is over ` +
      `${formatBytes(LIST_BYTES_MAX)}: narrow its range or its hosts`,
  );
}

/** Where texts are others than the agent says, another one may do better; of files the merge tells. */
function counted(outcome: Outcome): Outcome {
  if (outcome.kind !== "answered") return outcome;
  const { host, parts, rows } = outcome.answer;
  for (const table of new Set([...Object.keys(rows), ...parts.map((one) => one.table)])) {
    let came = 0;
    for (const { part } of parts.filter((one) => one.table === table)) {
      came += part.encoding === "text" ? part.values[0]?.length ?? 0 : NaN;
    }
    const said = rows[table] ?? 0;
    if (Number.isNaN(came) || came === said) continue;
    const reason = `says it read ${said} rows, and ${came} came`;
    return { kind: "missing", host, why: "failed", reason };
  }
  return outcome;
}
