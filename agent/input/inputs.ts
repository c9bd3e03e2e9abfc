/** What streams take beside files: syslog senders, standard input. */
import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import type { ListenAddress } from "../../protocol/config/listen_address.ts";
import type { TailedStream } from "../ingest/stream_tail.ts";
import type { Generation } from "../store/batch.ts";
import type { StreamConfig } from "../stream_config.ts";
import { noCounts } from "./counts.ts";
import type { InputCounts } from "./counts.ts";
import { Spool } from "./spool.ts";
import { readStdin } from "./stdin.ts";
import { TcpInput } from "./tcp.ts";
import { UdpInput } from "./udp.ts";

export interface InputsOptions {
  dataDir: string;
  streams: readonly StreamConfig[];
  durableGenerations(stream: string): readonly Generation[];
  /** Ends the reading of standard input. */
  signal: AbortSignal;
}

/** Where a stream's messages wait to be read. */
function spoolFolder(dataDir: string, stream: string): string {
  return join(dataDir, "spool", stream);
}

/** The stream with the files that its messages are spooled to. */
export function withSpool(stream: StreamConfig, dataDir: string): TailedStream {
  if (stream.listen === undefined && !stream.stdin) return stream;
  const spool = spoolFolder(dataDir, stream.name);
  return { ...stream, files: [...stream.files, Spool.pattern(spool)], spool };
}

export class Inputs implements AsyncDisposable {
  private constructor(
    private readonly stack: AsyncDisposableStack,
    /** By stream. */
    readonly counts: ReadonlyMap<string, InputCounts>,
  ) {}

  /** @throws {LogvendError} unavailable, when an address cannot be taken */
  static async open(options: InputsOptions): Promise<Inputs> {
    await using stack = new AsyncDisposableStack();
    const counts = new Map<string, InputCounts>();
    for (const stream of options.streams) {
      if (stream.listen === undefined && !stream.stdin) continue;
      const own = noCounts();
      counts.set(stream.name, own);
      await openStream(stack, stream, options, own);
    }
    return new Inputs(stack.move(), counts);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stack[Symbol.asyncDispose]();
  }
}

async function openStream(
  stack: AsyncDisposableStack,
  { name, listen, stdin }: StreamConfig,
  { dataDir, durableGenerations, signal }: InputsOptions,
  counts: InputCounts,
) {
  const folder = spoolFolder(dataDir, name);
  const generations = () => durableGenerations(name);
  const spool = stack.use(await Spool.open({ folder, generations }));
  const parts = { stream: name, spool, counts };
  if (listen?.udp !== undefined) {
    const address = listen.udp;
    const input = await taken("udp", address, () => UdpInput.open({ ...parts, address }));
    said(name, "udp", address, stack.use(input).port);
  }
  if (listen?.tcp !== undefined) {
    const address = listen.tcp;
    const input = await taken("tcp", address, () => new TcpInput({ ...parts, address }));
    said(name, "tcp", address, stack.use(input).port);
  }
  if (stdin) stack.use(readStdin({ ...parts, signal }));
}

async function taken<Input>(
  transport: string,
  { hostname, port }: ListenAddress,
  open: () => Input | Promise<Input>,
): Promise<Input> {
  try {
    return await open();
  } catch (cause) {
    throw new LogvendError(
      "unavailable",
      `Cannot listen on ${transport} ${hostname}:${port}: ${messageOf(cause)}`,
      { cause },
    );
  }
}

function said(stream: string, transport: string, { hostname }: ListenAddress, port: number) {
  getLogger(["agent", "input"]).info("{stream} takes messages on {transport} {address}", {
    stream,
    transport,
    address: `${hostname}:${port}`,
  });
}
