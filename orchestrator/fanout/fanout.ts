/** Asks the fleet: checks and plans a question, sends it to the hosts, merges what they answer. */
import { getLogger } from "@logtape/logtape";
import { ChunkRoom } from "../../protocol/archive/chunk_room.ts";
import type { QueryClaims } from "../../protocol/signing/claims.ts";
import { open, parseBody } from "../../protocol/wire/envelope.ts";
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import { QueryAck, ResultMessage } from "../../protocol/wire/messages.ts";
import { parseTopic } from "../../protocol/wire/topics.ts";
import type { Plan } from "../../queries/plan/plan.ts";
import type { Exports } from "../export/exports.ts";
import { Answer } from "./answer.ts";
import type { AnswerFacts } from "./answer.ts";
import type { ArchivePrices } from "./archive/archive_cost.ts";
import { archiveOf } from "./archive/archive_of.ts";
import type { ArchivePart } from "./archive/archive_part.ts";
import type { KeptPieces } from "./archive/kept/kept_pieces.ts";
import type { KeptQuestion } from "./archive/kept/kept_question.ts";
import { Collector } from "./collector.ts";
import type { Coverage } from "./coverage.ts";
import { askVerdicts } from "./explanation.ts";
import type { Explanation, Verdicts } from "./explanation.ts";
import { gather } from "./gather.ts";
import type { Progress } from "./gather.ts";
import { HostCommands } from "./host_commands.ts";
import type { HostCommandsParts } from "./host_commands.ts";
import type { OnInterim } from "./interim.ts";
import { prepareQuestion, tooManyBytes } from "./prepared_question.ts";
import type { CheckedQuestion, PreparedQuestion, PreparingParts } from "./prepared_question.ts";
import { queryIdOf } from "./query_id.ts";
import { readingOf } from "./reading.ts";
import { whyRows } from "./too_many_rows.ts";
import type { WorkspacePool } from "./workspace.ts";

/** Each running query holds a DuckDB of its own; explained ones ask hosts as well. */
const ASKING_MAX = 16;

/** Named by all questions at once, some 500 bytes each. */
const ARCHIVED_CHUNKS_MAX = 1_000_000;

const log = getLogger(["orchestrator", "fanout"]);

export interface FanoutParts extends PreparingParts, HostCommandsParts {
  broker: PreparingParts["broker"] & HostCommandsParts["broker"];
  workspaces: WorkspacePool;
  exports: Exports;
  /** How long a host may take to acknowledge. */
  ackTimeoutMs: number;
  /** Of what the archive is asked. */
  prices: ArchivePrices;
  /** What was read in the archive for questions that are not answered yet. */
  pieces: KeptPieces;
  /** When this orchestrator started, by Date.now(). */
  startedMs: number;
}

export interface AskOptions {
  /** Cancels on every host. */
  signal: AbortSignal;
  /** Called when the hosts have been asked, and whenever one of them has answered. */
  onProgress?: (progress: Progress) => void;
  /** Called now and then with what the answer would be by now. */
  onInterim?: OnInterim | undefined;
}

export class Fanout {
  private readonly running = new Map<string, Collector>();
  private readonly commands: HostCommands;
  private readonly chunkRoom = new ChunkRoom(ARCHIVED_CHUNKS_MAX);
  private asking = 0;

  constructor(private readonly parts: FanoutParts) {
    this.commands = new HostCommands(parts);
  }

  /** @throws {LogvendError} not_permitted, bad_sql or unavailable */
  async explain(question: CheckedQuestion): Promise<Explanation> {
    return await this.admit(() => this.explainNow(question));
  }

  private async explainNow(question: CheckedQuestion): Promise<Explanation> {
    const prepared = await prepareQuestion(this.parts, question);
    const { claims, planning, audience, read } = prepared;
    const { prices, catalog } = this.parts;
    const plan = await planning;
    const reading = readingOf(catalog, audience.asked, read);
    const signal = AbortSignal.timeout(claims.limits.timeout_ms);
    using part = this.archiveOf(prepared, { folder: noFolder, kept: null });
    const [archive = null, verdicts] = await Promise.all([
      part?.explain(signal),
      this.verdicts(prepared),
    ]);
    const queryId = queryIdOf(claims.id);
    return { queryId, plan, audience, reading, archive, prices, ...verdicts };
  }

  private verdicts(prepared: PreparedQuestion): Promise<Verdicts> {
    const { claims: { id, limits }, audience } = prepared;
    return askVerdicts({
      ...{ hosts: audience.asked, id, running: this.running, folder: noFolder },
      ...{ timeoutMs: limits.timeout_ms, bytesMax: limits.bytes_max },
      ackTimeoutMs: this.parts.ackTimeoutMs,
      overflow: () => tooManyBytes(prepared, null),
      ask: this.commands.asker("explain", prepared),
      acknowledge: (host, seq) => this.commands.acknowledge(host, { request: id, seq }),
      cancel: (host) => this.commands.cancel(host, { request: id }),
    });
  }

  /**
   * Asks and merges. An answer may lack hosts: its coverage names them.
   * @throws {LogvendError} not_permitted, bad_sql, too_many_rows, cancelled, timeout or unavailable
   */
  async ask(question: CheckedQuestion, options: AskOptions): Promise<Answer> {
    return await this.admit(() => this.askKeeping(question, options));
  }

  private async admit<T>(work: () => Promise<T>): Promise<T> {
    if (this.asking >= ASKING_MAX) {
      throw new LogvendError("unavailable", `${ASKING_MAX} queries are running; try again later`);
    }
    this.asking++;
    try {
      return await work();
    } finally {
      this.asking--;
    }
  }

  /** What was read in the archive stays until there is a whole answer, and that was read. */
  private async askKeeping(question: CheckedQuestion, options: AskOptions): Promise<Answer> {
    const { source } = question.claims;
    const kept = source === "archive" ? await this.parts.pieces.begin(question) : null;
    try {
      return await this.askHosts(question, kept, options);
    } catch (error) {
      await kept?.end(error instanceof LogvendError && error.code === "unavailable");
      throw error;
    }
  }

  private async askHosts(
    question: CheckedQuestion,
    kept: KeptQuestion | null,
    options: AskOptions,
  ): Promise<Answer> {
    const startedMs = performance.now();
    const prepared = await prepareQuestion(this.parts, question, kept?.planned);
    const { claims, planning, audience } = prepared;
    await using owned = new AsyncDisposableStack();
    const { workspaces, exports } = this.parts;
    const workspace = owned.adopt(await workspaces.take(), (taken) => workspaces.giveBack(taken));
    let reason: string | null = null;
    using collector = new Collector({
      hosts: audience.asked.map(({ presence }) => presence.host),
      folder: () => workspace.folder(),
      timeoutMs: claims.limits.timeout_ms,
      ackTimeoutMs: this.parts.ackTimeoutMs,
      bytesMax: claims.limits.bytes_max,
      overflow: () => tooManyBytes(prepared, reason),
      ask: this.commands.asker("query", prepared),
      acknowledge: (host, seq) => this.commands.acknowledge(host, { request: claims.id, seq }),
    });
    using archive = this.archiveOf(prepared, { folder: () => workspace.folder(), kept });
    this.running.set(claims.id, collector);
    try {
      collector.ask();
      const plan = await planning; // while the hosts do the same
      reason = whyRows(plan);
      const request = { claims, plan, audience, broadcast: question.tables };
      const onLong = () => void owned.use(exports.enter());
      const gathered = await gather({
        ...request,
        ...options,
        archive,
        collector,
        workspace,
        onLong,
      });
      const { coverage, merged, rowCount: rowsShipped, byteCount: bytesShipped } = gathered;
      const elapsedMs = Math.round(performance.now() - startedMs);
      const costs = { elapsedMs, rowsShipped, bytesShipped };
      const facts = factsOf(request, coverage, costs);
      const { signal } = options;
      const { timeout_ms: timeoutMs } = claims.limits;
      const isPartial = coverage.missing.length > 0;
      owned.defer(async () => await kept?.end(isPartial));
      return new Answer(facts, {
        ...{ merged, workspace, exports, signal, timeoutMs },
        owned: owned.move(),
      });
    } finally {
      this.running.delete(claims.id);
      for (const host of collector.unfinished()) this.commands.cancel(host, { request: claims.id });
    }
  }

  private archiveOf(
    prepared: PreparedQuestion,
    own: { folder: () => string; kept: KeptQuestion | null },
  ): ArchivePart | null {
    const { commands, running, chunkRoom } = this;
    return archiveOf({ ...this.parts, commands, running, chunkRoom }, prepared, own);
  }

  /** Takes a message of `a/{host}/ack` or `a/{host}/res/…`; what is none of ours is logged. */
  receive(topic: string, payload: Uint8Array): void {
    const received = parseTopic(this.parts.topicPrefix, topic);
    if (received === null) return;
    try {
      const { body } = open(payload);
      if (received.kind === "ack") {
        const ack = parseBody(QueryAck, body, "acknowledgement");
        this.running.get(ack.request)?.receiveAck(received.host, ack);
      } else if (received.kind === "result") {
        const message = parseBody(ResultMessage, body, "result");
        if (message.request !== received.request) return;
        this.running.get(message.request)?.receiveResult(received.host, message, payload.length);
      }
    } catch (error) {
      const { host } = received;
      if (received.kind === "result") {
        this.running.get(received.request)?.receiveMalformed(host, messageOf(error));
      }
      log.warning("Ignored a message of {host}: {reason}.", { host, reason: messageOf(error) });
    }
  }

  /** A host went offline or restarted: its share of every running query is lost. */
  hostGone(host: string): void {
    for (const collector of this.running.values()) collector.hostGone(host);
  }

  /** No host can be heard or told anything: running queries end with what has come. */
  brokerLost(error: LogvendError): void {
    for (const collector of this.running.values()) collector.disconnect(error);
  }

  /** Ends every running query: on the hosts too. */
  stop(): void {
    this.parts.pieces.leaveAll();
    const error = new LogvendError("unavailable", "The orchestrator is stopping");
    for (const collector of this.running.values()) collector.fail(error);
    this.parts.exports.stop(error);
  }
}

/** Lists of chunks are texts, and nothing else is sent where nothing runs. */
function noFolder(): never {
  throw new LogvendError("usage", "sent a file where a list was asked for");
}

function factsOf(
  { claims, plan }: { claims: QueryClaims; plan: Plan },
  coverage: Coverage,
  costs: Pick<AnswerFacts, "elapsedMs" | "rowsShipped" | "bytesShipped">,
): AnswerFacts {
  const { mode, range, columns } = plan;
  const facts = { queryId: queryIdOf(claims.id), mode, range, columns, coverage, ...costs };
  log.info("{query}: {answered} of {asked} hosts answered in {elapsedMs} ms.", {
    query: facts.queryId,
    answered: coverage.answered,
    asked: coverage.asked,
    elapsedMs: costs.elapsedMs,
  });
  return facts;
}
