/** A line to an HTTP server that fails as it is told to: lost replies, resets, silence, slowness. */

/** What becomes of a request. */
export type Fault =
  /** Answered with 503 SlowDown, and not passed on. */
  | { kind: "busy" }
  /** Answered with 501 NotImplemented, and not passed on. */
  | { kind: "unknown" }
  /** Answered with 403 AccessDenied, and not passed on. */
  | { kind: "denied" }
  /** Passed on with one bit of each block of the body turned. */
  | { kind: "altered" }
  /** Cut after so many bytes of the request have been passed on. */
  | { kind: "reset"; afterBytes: number }
  /** Passed on, and the connection cut in place of the reply. */
  | { kind: "lost_reply" }
  /** The reply is cut after so many bytes, its head counted. */
  | { kind: "truncated"; afterBytes: number }
  /** Nothing is passed on, and nothing said. */
  | { kind: "silence" };

export interface FaultProxyOptions {
  port: number;
  /** How long every reply takes longer. @default 0 */
  latencyMs?: number;
  /** Of all replies together. @default none */
  bytesPerSecond?: number;
}

/** Which requests fail, and how. */
export interface Rule {
  fault: Fault;
  /** Of the request line, `PUT /bucket/key HTTP/1.1`. @default all */
  only?: RegExp;
  /** So many of them, then no more. @default for ever */
  times?: number;
}

/** How a request is answered in place of the server. */
const ANSWERS = {
  busy: ["503 Slow Down", "SlowDown"],
  unknown: ["501 Not Implemented", "NotImplemented"],
  denied: ["403 Forbidden", "AccessDenied"],
} as const;
type Answered = keyof typeof ANSWERS;

const LINE_FEED = 10;

const NOT_PASSED: ReadonlySet<Fault["kind"]> = new Set([
  "busy",
  "unknown",
  "denied",
  "silence",
]);

const REQUEST_LINE = /^[A-Z]+ \S+ HTTP\/1\.1\r\n/;

/** Listens on a port of its own. */
export class FaultProxy implements AsyncDisposable {
  /** Request lines, in the order they came. */
  readonly requests: string[] = [];
  /** Bytes of all replies. */
  replyBytes = 0;
  rule: Rule | null = null;
  private readonly listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  private readonly open = new Set<Deno.Conn>();
  private readonly finished: Promise<void>;
  private freeAtMs = 0;

  private constructor(private readonly options: FaultProxyOptions) {
    this.finished = this.serve();
  }

  /** @param options the server that requests go to, on loopback */
  static start(options: FaultProxyOptions): FaultProxy {
    return new FaultProxy(options);
  }

  /** `http://127.0.0.1:<port>` */
  get endpoint(): string {
    return `http://127.0.0.1:${this.listener.addr.port}`;
  }

  /** Requests whose line matches. */
  count(pattern: RegExp): number {
    return this.requests.filter((line) => pattern.test(line)).length;
  }

  async [Symbol.asyncDispose]() {
    this.listener.close();
    for (const connection of this.open) close(connection);
    await this.finished;
  }

  private async serve() {
    const running = new Set<Promise<void>>();
    for await (const client of this.listener) {
      client.setNoDelay();
      this.open.add(client);
      const work = this.connect(client).catch(() => close(client)).finally(() => {
        this.open.delete(client);
        running.delete(work);
      });
      running.add(work);
    }
    await Promise.all(running);
  }

  private async connect(client: Deno.TcpConn) {
    const server = await Deno.connect({ hostname: "127.0.0.1", port: this.options.port });
    server.setNoDelay();
    this.open.add(server);
    /** Of the request that is on its way. */
    const state: { fault: Fault | null; sent: number; received: number } = {
      fault: null,
      sent: 0,
      received: 0,
    };
    const ways = [this.forward(client, server, state), this.back(server, client, state)];
    await Promise.allSettled(ways);
    close(client);
    close(server);
    this.open.delete(server);
  }

  private async forward(
    client: Deno.TcpConn,
    server: Deno.TcpConn,
    state: { fault: Fault | null; sent: number; received: number },
  ) {
    for await (const bytes of chunks(client)) {
      const line = REQUEST_LINE.exec(new TextDecoder("latin1").decode(bytes.subarray(0, 4_096)))
        ?.[0];
      if (line !== undefined) {
        this.requests.push(line.trimEnd());
        state.fault = this.next(line);
        state.sent = state.received = 0;
        const kind = state.fault?.kind;
        const said = kind !== undefined && kind in ANSWERS ? ANSWERS[kind as Answered] : null;
        if (said !== null) await write(client, answer(said, line));
      }
      const { fault } = state;
      if (fault !== null && NOT_PASSED.has(fault.kind)) continue;
      const isHead = line !== undefined && bytes.at(-1) === LINE_FEED && bytes.at(-3) === LINE_FEED;
      if (fault?.kind === "altered" && !isHead) bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
      state.sent += bytes.length;
      if (fault?.kind === "reset" && state.sent > fault.afterBytes) {
        close(client);
        return close(server);
      }
      await write(server, bytes);
    }
    await server.closeWrite();
  }

  private async back(
    server: Deno.TcpConn,
    client: Deno.TcpConn,
    state: { fault: Fault | null; received: number },
  ) {
    for await (const bytes of chunks(server)) {
      const { fault } = state;
      if (state.received === 0) await delay(this.options.latencyMs ?? 0);
      state.received += bytes.length;
      if (fault?.kind === "lost_reply") {
        close(client);
        return close(server);
      }
      const isCut = fault?.kind === "truncated" && state.received > fault.afterBytes;
      const passed = isCut
        ? bytes.subarray(0, bytes.length - state.received + fault.afterBytes)
        : bytes;
      await this.pace(passed.length);
      this.replyBytes += passed.length;
      await write(client, passed);
      if (!isCut) continue;
      close(client);
      return close(server);
    }
    close(client);
  }

  private next(line: string): Fault | null {
    const { rule } = this;
    if (rule === null || rule.times === 0 || rule.only?.test(line) === false) return null;
    if (rule.times !== undefined) rule.times--;
    return rule.fault;
  }

  private async pace(bytes: number) {
    const { bytesPerSecond } = this.options;
    if (bytesPerSecond === undefined) return;
    const nowMs = performance.now();
    this.freeAtMs = Math.max(nowMs, this.freeAtMs) + bytes * 1_000 / bytesPerSecond;
    await delay(this.freeAtMs - nowMs);
  }
}

/** To a HEAD it has no body, and so no reason. */
function answer([status, code]: readonly [string, string], line: string): Uint8Array {
  const reason = `<Error><Code>${code}</Code><Message>as told by a test</Message></Error>`;
  const body = line.startsWith("HEAD ") ? "" : reason;
  const head = [
    `HTTP/1.1 ${status}`,
    "Content-Type: application/xml",
    `Content-Length: ${body.length}`,
    "Connection: close",
  ];
  return new TextEncoder().encode(`${head.join("\r\n")}\r\n\r\n${body}`);
}

async function* chunks(connection: Deno.Conn): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(65_536);
  for (;;) {
    const length = await connection.read(buffer);
    if (length === null) return;
    yield buffer.slice(0, length);
  }
}

async function write(connection: Deno.Conn, bytes: Uint8Array) {
  for (let written = 0; written < bytes.length;) {
    written += await connection.write(bytes.subarray(written));
  }
}

async function delay(ms: number) {
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
}

function close(connection: Deno.Conn) {
  try {
    connection.close();
  } catch {
    // closed already
  }
}
