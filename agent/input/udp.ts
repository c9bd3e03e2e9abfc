/** Takes messages over UDP, a datagram each; what finds no room is lost, and counted. */
import { createSocket } from "node:dgram";
import type { Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import { getLogger } from "@logtape/logtape";
import { messageOf } from "../../protocol/errors.ts";
import { lineOf } from "./messages.ts";
import type { ListenOptions } from "./tcp.ts";

/** Datagrams of this time are written at once. */
const GATHER_MS = 10;

/** Datagrams that wait to be written; more are lost. */
const WAITING_BYTES_MAX = 16 * 2 ** 20;

export class UdpInput implements AsyncDisposable {
  private readonly log = getLogger(["agent", "input"]);
  private waiting: Uint8Array[] = [];
  private waitingBytes = 0;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private written: Promise<void> = Promise.resolve();
  private hasWarned = false;

  private constructor(
    private readonly options: ListenOptions,
    private readonly socket: Socket,
  ) {
    socket.on("message", (message) => this.receive(message));
    socket.on("error", (error) => this.warn(messageOf(error)));
  }

  /** @throws when the address cannot be taken */
  static async open(options: ListenOptions): Promise<UdpInput> {
    const { hostname, port } = options.address;
    const socket = createSocket(isIPv6(hostname) ? "udp6" : "udp4");
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.bind(port, hostname, () => {
        socket.off("error", reject);
        resolve();
      });
    });
    return new UdpInput(options, socket);
  }

  /** Where it listens: port 0 took a free one. */
  get port(): number {
    return this.socket.address().port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.socket.close(() => resolve()));
    this.write();
    await this.written;
  }

  private receive(message: Uint8Array) {
    const line = lineOf(message);
    if (line === null) return;
    const { spool } = this.options;
    if (spool.isFull || this.waitingBytes >= WAITING_BYTES_MAX) {
      this.lose(1, "the spool is full");
      return;
    }
    this.waiting.push(line.slice());
    this.waitingBytes += line.length;
    this.timer ??= setTimeout(() => this.write(), GATHER_MS);
  }

  private write() {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.written = this.written.then(() => this.writeWaiting()); // one after the other
  }

  private async writeWaiting() {
    const lines = this.waiting;
    if (lines.length === 0) return;
    this.waiting = [];
    const bytes = lines.reduce((sum, { length }) => sum + length, 0);
    const { spool, counts } = this.options;
    try {
      await spool.write(lines);
      counts.messages += lines.length;
      counts.bytes += bytes;
    } catch (error) {
      this.lose(lines.length, messageOf(error));
    }
    this.waitingBytes -= bytes; // not before: a disk that stands still must not fill the memory
  }

  private lose(messages: number, reason: string) {
    this.options.counts.lost += messages;
    if (!this.hasWarned) this.warn(`messages are lost: ${reason}`);
    this.hasWarned = true;
  }

  private warn(reason: string) {
    this.log.warn("{stream}: {reason}", { stream: this.options.stream, reason });
  }
}
