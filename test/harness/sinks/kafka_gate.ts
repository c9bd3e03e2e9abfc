/**
 * TLS and SASL in front of brokers that have neither: who has not said who it is gets nothing but
 * ApiVersions and the handshake, as with Kafka's own brokers, and is hung up on when it is wrong.
 */
import { tlsOf } from "../tls.ts";
import {
  API_VERSIONS,
  framesOf,
  headerOf,
  METADATA,
  Reader,
  renamePorts,
  SASL_AUTHENTICATE,
  SASL_HANDSHAKE,
  withApis,
  writeAll,
  Writer,
} from "./kafka_frames.ts";
import type { RequestHeader } from "./kafka_frames.ts";
import { conversation } from "./sasl.ts";
import type { Account } from "./sasl.ts";

export interface KafkaGateOptions {
  /** Behind it: `host:port`. */
  brokers: readonly string[];
  /** @default false */
  tls?: boolean;
  /** Null: nobody has to say who it is. */
  account: Account | null;
  /** Of SaslAuthenticate, what is offered at most. @default 2 */
  authenticateMax?: number;
}

export interface KafkaGate extends AsyncDisposable {
  /** The same brokers, behind the gate. */
  brokers: string[];
  /** Why connections were hung up on. */
  refused: string[];
  /** How many have said who they are. */
  admitted: number;
}

const UNSUPPORTED_MECHANISM = 33;
const ILLEGAL_STATE = 34;
const AUTHENTICATION_FAILED = 58;

/** Opens a port for each broker. */
export function startKafkaGate(options: KafkaGateOptions): KafkaGate {
  const { tls = false, brokers } = options;
  const listeners = brokers.map(() => {
    const address = { hostname: "127.0.0.1", port: 0 };
    const keys = tlsOf(tls);
    return "cert" in keys ? Deno.listenTls({ ...address, ...keys }) : Deno.listen(address);
  });
  const portOf = (broker: string) => Number(broker.split(":").at(-1));
  const ports = new Map(brokers.map((broker, i) => [portOf(broker), listeners[i]?.addr.port ?? 0]));
  const open = new Set<Deno.Conn>();
  const gate: KafkaGate = {
    brokers: listeners.map(({ addr }) => `127.0.0.1:${addr.port}`),
    refused: [],
    admitted: 0,
    async [Symbol.asyncDispose]() {
      for (const listener of listeners) listener.close();
      for (const connection of open) closeOnce(connection);
      await Promise.all(accepting);
    },
  };
  const accepting = listeners.map(async (listener, i) => {
    const port = portOf(brokers[i] ?? "");
    const passing: Promise<void>[] = [];
    for await (const client of listener) {
      open.add(client);
      passing.push(
        pass(client, port).catch((error) => {
          if (!isBrokenOff(error)) gate.refused.push(String(error.message));
        }),
      );
    }
    await Promise.all(passing);
  });
  /** A broker that is down hangs up on who comes to it here. */
  const pass = async (client: Deno.Conn, port: number) => {
    try {
      const broker = await Deno.connect({ hostname: "127.0.0.1", port });
      open.add(broker);
      await new Passage(options, gate, ports, { client, broker }).run().finally(() =>
        closeOnce(broker)
      );
      open.delete(broker);
    } finally {
      closeOnce(client);
      open.delete(client);
    }
  };
  return gate;
}

/** Either side may go at any moment, also before it has read an answer. */
function isBrokenOff(error: unknown): boolean {
  return Object.values(Deno.errors).some((type) => error instanceof type);
}

function closeOnce(connection: Deno.Conn) {
  try {
    connection.close();
  } catch {
    // It was closed by the other side.
  }
}

/** One connection and the broker's behind it. */
class Passage {
  private readonly asked = new Map<number, RequestHeader>();
  private conversation: ReturnType<typeof conversation> | null = null;
  private isAdmitted: boolean;

  constructor(
    private readonly options: KafkaGateOptions,
    private readonly gate: KafkaGate,
    private readonly ports: ReadonlyMap<number, number>,
    private readonly ends: { client: Deno.Conn; broker: Deno.Conn },
  ) {
    this.isAdmitted = options.account === null;
  }

  async run() {
    await Promise.race([this.requests(), this.answers()]);
  }

  private async requests() {
    const { client, broker } = this.ends;
    for await (const frame of framesOf(client)) {
      const reader = new Reader(frame);
      const header = headerOf(
        reader,
        ({ api, version }) => api === SASL_AUTHENTICATE && version >= 2,
      );
      const { api, correlation } = header;
      if (api === SASL_HANDSHAKE) {
        await writeAll(client, this.handshake(header, reader));
      } else if (api === SASL_AUTHENTICATE) {
        await writeAll(client, this.authenticate(header, reader));
      } else if (this.isAdmitted || api === API_VERSIONS) {
        this.asked.set(correlation, header);
        await writeAll(broker, new Writer().bytes(frame).frame());
      } else {
        throw new Error(`API ${api} from somebody who has not said who it is`);
      }
    }
  }

  private async answers() {
    const { client, broker } = this.ends;
    for await (const frame of framesOf(broker)) {
      const { api, version } = this.asked.get(new Reader(frame).int32()) ?? {};
      if (api === METADATA) renamePorts(frame, version ?? 0, this.ports);
      const { account, authenticateMax = 2 } = this.options;
      const more = account === null
        ? []
        : [[SASL_HANDSHAKE, 0, 1], [SASL_AUTHENTICATE, 0, authenticateMax]] as const;
      await writeAll(
        client,
        api === API_VERSIONS
          ? withApis(frame, version ?? 0, more)
          : new Writer().bytes(frame).frame(),
      );
    }
  }

  private handshake({ correlation, version }: RequestHeader, reader: Reader) {
    if (version !== 1) throw new Error(`SaslHandshake ${version}: tokens without frames are old`);
    const mechanism = reader.text(false);
    const { account } = this.options;
    const isRight = account !== null && mechanism === account.mechanism;
    if (isRight) this.conversation = conversation(account);
    else this.gate.refused.push(`mechanism ${mechanism}`);
    return new Writer().int32(correlation).int16(isRight ? 0 : UNSUPPORTED_MECHANISM)
      .int32(1).text(account?.mechanism ?? "", false).frame();
  }

  private authenticate({ correlation, version }: RequestHeader, reader: Reader) {
    const isFlexible = version >= 2;
    const length = isFlexible ? reader.varint() - 1 : reader.int32();
    const message = new TextDecoder().decode(reader.take(length) ?? new Uint8Array());
    let error = 0;
    let text = "";
    try {
      if (version > (this.options.authenticateMax ?? 2)) throw new Error(`version ${version}`);
      if (this.conversation === null) throw new Error("no handshake before");
      const said = this.conversation(message);
      text = said.text;
      if (said.isDone) {
        this.isAdmitted = true;
        this.gate.admitted++;
      }
    } catch (cause) {
      error = this.conversation === null ? ILLEGAL_STATE : AUTHENTICATION_FAILED;
      this.gate.refused.push(cause instanceof Error ? cause.message : String(cause));
    }
    const bytes = new TextEncoder().encode(text);
    const writer = new Writer().int32(correlation).tags(isFlexible).int16(error)
      .text(error === 0 ? "" : "Authentication failed", isFlexible);
    (isFlexible ? writer.varint(bytes.length + 1) : writer.int32(bytes.length)).bytes(bytes);
    return (version >= 1 ? writer.int64(0) : writer).tags(isFlexible).frame();
  }
}
