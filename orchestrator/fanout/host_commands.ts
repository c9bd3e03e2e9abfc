/** What hosts are told about a question: to answer it, how far their answers came, to stop. */
import { getLogger } from "@logtape/logtape";
import type { ArchivePiece } from "../../protocol/archive/archive_piece.ts";
import type { BrokerConnection } from "../../protocol/wire/broker_connection.ts";
import { MESSAGE_BYTES_MAX, seal } from "../../protocol/wire/envelope.ts";
import { messageOf } from "../../protocol/errors.ts";
import type {
  CancelCommand,
  QueryCommand,
  ResultAckCommand,
} from "../../protocol/wire/messages.ts";
import { agentTopics } from "../../protocol/wire/topics.ts";
import type { PreparedQuestion } from "./prepared_question.ts";

/** Of a command what is not its body: identities, times. */
const ENVELOPE_BYTES = 1_000;

const log = getLogger(["orchestrator", "fanout"]);

export interface HostCommandsParts {
  broker: Pick<BrokerConnection, "publishNow">;
  /** Unique among the orchestrators of the broker: results come to topics of this name. */
  name: string;
  topicPrefix: string;
  now: () => number;
}

export class HostCommands {
  constructor(private readonly parts: HostCommandsParts) {}

  /** What sends a query to a host, or the question whether it would run it. */
  asker(type: "query" | "explain", prepared: PreparedQuestion): (host: string) => void {
    const payload = this.seal(type, this.commandOf(prepared), prepared.claims.expires_at_ms);
    return (host) => this.publish(host, payload);
  }

  /** What asks an agent for a piece of a question, and how many bytes of it a message has room for. */
  pieceAsker(prepared: PreparedQuestion) {
    const command = this.commandOf(prepared);
    const room = MESSAGE_BYTES_MAX - JSON.stringify(command).length - ENVELOPE_BYTES;
    return {
      bytesMax: Math.max(0, room),
      ask: (host: string, request: string, archive: ArchivePiece) =>
        this.publish(host, this.seal("query", { ...command, request, archive })),
    };
  }

  acknowledge(host: string, command: ResultAckCommand) {
    this.publish(host, this.seal("result_ack", command));
  }

  cancel(host: string, command: CancelCommand) {
    try {
      this.publish(host, this.seal("cancel", command));
    } catch (error) {
      // The host stops by itself at the deadline that the operator signed.
      log.warning("Cannot cancel on {host}: {reason}.", { host, reason: messageOf(error) });
    }
  }

  private commandOf(
    { question: { sql, token, broadcast }, claims, tables, version }: PreparedQuestion,
  ): QueryCommand {
    return {
      request: claims.id,
      orchestrator: this.parts.name,
      sql,
      token,
      plan_version: version,
      tables,
      ...(broadcast === undefined ? {} : { broadcast }),
      may_lack: true,
    };
  }

  private publish(host: string, payload: Uint8Array) {
    const topic = agentTopics(this.parts.topicPrefix, host).command;
    this.parts.broker.publishNow({ topic, payload });
  }

  private seal(type: string, body: unknown, expiresAtMs?: number): Uint8Array {
    return seal({
      type,
      body,
      issuedAtMs: this.parts.now(),
      ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
    });
  }
}
