/** Takes messages over TCP; senders wait while the spool is full. */
import { getLogger } from "@logtape/logtape";
import { messageOf } from "../../protocol/errors.ts";
import type { ListenAddress } from "../../protocol/config/listen_address.ts";
import type { InputCounts } from "./counts.ts";
import { Framer } from "./framing.ts";
import { lineOf } from "./messages.ts";
import type { Spool } from "./spool.ts";

/** More senders are turned away. */
const CONNECTIONS_MAX = 1_000;

/** Between two tries to take one when that failed. */
const ACCEPT_AGAIN_MS = 1_000;

export interface ListenOptions {
  stream: string;
  address: ListenAddress;
  spool: Spool;
  counts: InputCounts;
}

export class TcpInput implements AsyncDisposable {
  private readonly log = getLogger(["agent", "input"]);
  private readonly connections = new Set<Deno.Conn>();
  private readonly reading = new Set<Promise<void>>();
  private readonly listener: Deno.Listener;
  private readonly accepting: Promise<void>;
  private readonly end = new AbortController();

  /** @throws when the address cannot be taken */
  constructor(private readonly options: ListenOptions) {
    this.listener = Deno.listen({ ...options.address, transport: "tcp" });
    this.accepting = this.accept();
  }

  /** Where it listens: port 0 took a free one. */
  get port(): number {
    return (this.listener.addr as Deno.NetAddr).port; // of TCP
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end.abort();
    this.listener.close();
    for (const connection of this.connections) connection.close();
    await Promise.all([this.accepting, ...this.reading]);
  }

  /** Senders come again when one could not be taken: there were too few file handles. */
  private async accept() {
    while (!this.end.signal.aborted) {
      try {
        for await (const connection of this.listener) this.begin(connection);
      } catch (error) {
        if (this.end.signal.aborted) return;
        this.log.error("{stream}: cannot take a sender: {reason}", this.reasonOf(error));
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_AGAIN_MS));
      }
    }
  }

  private begin(connection: Deno.Conn) {
    if (this.connections.size >= CONNECTIONS_MAX) {
      this.log.warn("{stream}: {n} senders are connected, another is turned away", {
        stream: this.options.stream,
        n: CONNECTIONS_MAX,
      });
      return connection.close();
    }
    this.connections.add(connection);
    const read = this.read(connection).finally(() => {
      this.connections.delete(connection);
      this.reading.delete(read);
    });
    this.reading.add(read);
  }

  private async read(connection: Deno.Conn) {
    const framer = new Framer();
    try {
      for await (const chunk of connection.readable) {
        await this.take(framer.push(chunk));
      }
      await this.take(framer.end());
    } catch (error) {
      // What had come of a message when the connection broke is kept, too.
      await this.take(framer.end()).catch(() => {});
      if (!this.end.signal.aborted) {
        this.log.warn("{stream}: a sender's connection ended: {reason}", this.reasonOf(error));
      }
    }
  }

  private async take(messages: readonly Uint8Array[]) {
    const lines = messages.map(lineOf).filter((line) => line !== null);
    if (lines.length === 0) return;
    const { spool, counts } = this.options;
    await spool.writeInTurn(lines, this.end.signal);
    counts.messages += lines.length;
    counts.bytes += lines.reduce((sum, line) => sum + line.length, 0);
  }

  private reasonOf(error: unknown) {
    return { stream: this.options.stream, reason: messageOf(error) };
  }
}
