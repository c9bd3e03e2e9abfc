/** An MQTT broker inside the orchestrator, for one machine: no TLS, no accounts, loopback only. */
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { Aedes } from "aedes";
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import type { ListenAddress } from "../../protocol/config/listen_address.ts";

export interface EmbeddedBroker extends AsyncDisposable {
  /** Where it listens: `mqtt://127.0.0.1:1883`. */
  url: string;
}

/** Starts listening. @throws {LogvendError} unavailable, when the address cannot be had */
export async function startEmbeddedBroker(address: ListenAddress): Promise<EmbeddedBroker> {
  const broker = await Aedes.createBroker();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    socket.setNoDelay(true); // without it a request and its reply take 44 ms instead of 0.5
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    broker.handle(socket);
  });
  try {
    await listen(server, address);
  } catch (cause) {
    await closed((done) => broker.close(done));
    throw new LogvendError("unavailable", refusal(address, cause), { cause });
  }
  const { hostname } = address;
  return {
    url: `mqtt://${hostname.includes(":") ? `[${hostname}]` : hostname}:${portOf(server)}`,
    [Symbol.asyncDispose]: async () => {
      const stopped = closed((done) => server.close(() => done()));
      for (const socket of sockets) socket.destroy();
      await stopped;
      await closed((done) => broker.close(done));
    },
  };
}

function listen(server: Server, { hostname, port }: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, hostname, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function refusal({ hostname, port }: ListenAddress, cause: unknown): string {
  const why = messageOf(cause).includes("EADDRINUSE") || cause instanceof Deno.errors.AddrInUse
    ? "the port is in use; stop what uses it or set another broker_listen"
    : messageOf(cause);
  return `The embedded broker cannot listen on ${hostname}:${port}: ${why}`;
}

function portOf(server: Server): number {
  const address = server.address();
  return address !== null && typeof address === "object" ? address.port : 0;
}

function closed(close: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => close(resolve));
}
