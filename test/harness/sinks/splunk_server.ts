/**
 * A Splunk HTTP Event Collector with acknowledgements, as strict as its documentation.
 * https://docs.splunk.com/Documentation/Splunk/latest/RESTREF/RESTinput#services.2Fcollector.2Fevent
 */
import { tlsOf } from "../tls.ts";
import { Moods } from "./moods.ts";

export const TOKEN = "11111111-2222-3333-4444-555555555555";

const GUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/;

const KEYS = ["time", "host", "source", "sourcetype", "index", "event", "fields"];

/** An event as it is indexed. */
export type HecEvent = Record<string, unknown> & { event: Record<string, unknown> };

export class SplunkServer implements AsyncDisposable {
  /** What has been indexed: repetitions too. */
  readonly indexed: HecEvent[] = [];
  readonly wrong: string[] = [];
  readonly moods = new Moods();
  /** Whether what comes is indexed at once; otherwise never. */
  indexes = true;
  /** Ids of events whose format is refused. */
  poisoned: ReadonlySet<string> = new Set();
  private readonly waiting = new Map<string, Map<number, boolean>>();
  private ackCount = 0;
  private readonly server;

  constructor(
    private readonly options: { acknowledges: boolean; tls?: boolean } = { acknowledges: true },
  ) {
    this.server = Deno.serve({
      hostname: "127.0.0.1",
      port: 0,
      onListen: () => {},
      onError: () => new Response(null, { status: 500 }),
      ...tlsOf(options.tls ?? false),
    }, (request) => this.moods.answer(request, () => this.work(request)));
  }

  get url(): string {
    return `http${this.options.tls ? "s" : ""}://127.0.0.1:${this.server.addr.port}`;
  }

  private async work(request: Request): Promise<Response> {
    const text = await request.text();
    const { pathname, searchParams } = new URL(request.url);
    if (request.method !== "POST") return this.refuse(request.method, 405, 0);
    if (request.headers.get("authorization") !== `Splunk ${TOKEN}`) {
      return Response.json({ text: "Invalid token", code: 4 }, { status: 403 });
    }
    const channel = request.headers.get("x-splunk-request-channel") ?? "";
    if (!GUID.test(channel)) return this.refuse("Data channel is missing", 400, 10);
    if (pathname === "/services/collector/event") return this.take(text, channel);
    if (pathname !== "/services/collector/ack") return this.refuse(pathname, 404, 0);
    if (searchParams.get("channel") !== channel) return this.refuse("channel", 400, 11);
    const { acks, ...more } = JSON.parse(text);
    if (!Array.isArray(acks) || Object.keys(more).length > 0) return this.refuse(text, 400, 6);
    const known = this.waiting.get(channel);
    return Response.json({
      acks: Object.fromEntries(acks.map((id) => [id, known?.get(id) ?? false])),
    });
  }

  private take(text: string, channel: string): Response {
    const events = text.split("\n").map((line) => JSON.parse(line) as HecEvent);
    const isWrong = (event: HecEvent) =>
      Object.keys(event).some((key) => !KEYS.includes(key)) || typeof event["time"] !== "number" ||
      typeof event["host"] !== "string" || typeof event.event !== "object";
    const shape = events.find(isWrong);
    if (shape !== undefined) this.wrong.push(JSON.stringify(shape));
    const bad = events.findIndex((event) => this.poisoned.has(String(event.event["id"])));
    if (bad >= 0) {
      this.indexed.push(...events.slice(0, bad)); // those before it are in
      const body = { text: "Invalid data format", code: 6, "invalid-event-number": bad };
      return Response.json(body, { status: 400 });
    }
    if (this.indexes) this.indexed.push(...events);
    if (!this.options.acknowledges) return Response.json({ text: "Success", code: 0 });
    const ackId = this.ackCount++;
    const ofChannel = this.waiting.get(channel) ?? new Map<number, boolean>();
    this.waiting.set(channel, ofChannel.set(ackId, this.indexes));
    return Response.json({ text: "Success", code: 0, ackId });
  }

  private refuse(text: string, status: number, code: number): Response {
    this.wrong.push(text);
    return Response.json({ text, code }, { status });
  }

  async [Symbol.asyncDispose]() {
    await this.server.shutdown();
  }
}
