/**
 * An OpenSearch that takes bulk requests and nothing that is not exactly as its API has it.
 * https://docs.opensearch.org/latest/api-reference/document-apis/bulk/
 */
import { tlsOf } from "../tls.ts";
import { Moods } from "./moods.ts";

/** A document as it is indexed. */
export interface IndexedDocument {
  version: number;
  source: Record<string, unknown>;
}

export interface OpenSearchServerOptions {
  /** What `authorization` has to be. */
  authorization?: (request: Request, body: string) => boolean;
  /** Ids of documents that the mapping of the index does not fit. */
  poisoned?: ReadonlySet<string>;
  /** By `https`. @default false */
  tls?: boolean;
}

const INDEX = /^(?![._-])[a-z0-9._-]{1,255}$/;

export class OpenSearchServer implements AsyncDisposable {
  /** By index, then by id. */
  readonly indices = new Map<string, Map<string, IndexedDocument>>();
  /** What was wrong with requests. */
  readonly wrong: string[] = [];
  readonly moods = new Moods();
  requests = 0;
  /** Of the next request, the first so many items are answered with 429. */
  busyItems = 0;
  private readonly server;

  constructor(private readonly options: OpenSearchServerOptions = {}) {
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

  /** All documents. */
  documents(): { index: string; id: string; document: IndexedDocument }[] {
    return [...this.indices].flatMap(([index, documents]) =>
      [...documents].map(([id, document]) => ({ index, id, document }))
    );
  }

  private async work(request: Request): Promise<Response> {
    this.requests++;
    const body = await request.text();
    const { pathname } = new URL(request.url);
    if (request.method !== "POST" || pathname !== "/_bulk") {
      return this.refuse(`${request.method} ${pathname}`, 405);
    }
    if (!(this.options.authorization?.(request, body) ?? true)) {
      return new Response('{"status":401}', { status: 401 });
    }
    if (request.headers.get("content-type") !== "application/x-ndjson") {
      return this.refuse("content-type", 406);
    }
    if (!body.endsWith("\n")) {
      return this.refuse("The bulk request must be terminated by a newline", 400);
    }
    const lines = body.slice(0, -1).split("\n");
    if (lines.length % 2 !== 0) return this.refuse("an action without a document", 400);
    const items: unknown[] = [];
    for (let i = 0; i < lines.length; i += 2) {
      const action = actionOf(lines[i] ?? "");
      if (action === null) return this.refuse(`Malformed action: ${lines[i]}`, 400);
      items.push({ index: this.index(action, lines[i + 1] ?? "", i / 2) });
    }
    const errors = items.some((item) => JSON.stringify(item).includes('"error"'));
    this.busyItems = 0;
    return Response.json({ took: 1, errors, items });
  }

  private refuse(what: string, status: number): Response {
    this.wrong.push(what);
    return Response.json({ error: { type: "illegal_argument_exception", reason: what } }, {
      status,
    });
  }

  private index({ _index, _id, version }: Action, line: string, position: number) {
    const failed = (status: number, type: string, reason: string) => ({
      _index,
      _id,
      status,
      error: { type, reason },
    });
    if (position < this.busyItems) {
      return failed(
        429,
        "circuit_breaking_exception",
        "rejected execution of coordinating operation",
      );
    }
    let source: Record<string, unknown>;
    try {
      source = JSON.parse(line);
    } catch {
      this.wrong.push(`no document: ${line}`);
      return failed(400, "mapper_parsing_exception", "failed to parse");
    }
    if (this.options.poisoned?.has(_id)) {
      return failed(
        400,
        "mapper_parsing_exception",
        "failed to parse field [count] of type [long]",
      );
    }
    const documents = this.indices.get(_index) ?? new Map<string, IndexedDocument>();
    this.indices.set(_index, documents);
    const known = documents.get(_id);
    if (known !== undefined && known.version >= version) {
      return failed(409, "version_conflict_engine_exception", "current version is higher or equal");
    }
    documents.set(_id, { version, source });
    return { _index, _id, _version: version, status: known === undefined ? 201 : 200 };
  }

  async [Symbol.asyncDispose]() {
    await this.server.shutdown();
  }
}

interface Action {
  _index: string;
  _id: string;
  version: number;
}

/** Exactly `{"index":{"_index","_id","version","version_type":"external"}}`; null: it is not. */
function actionOf(line: string): Action | null {
  try {
    const { index, ...others } = JSON.parse(line);
    const { _index, _id, version, version_type, ...more } = index;
    const isRight = Object.keys(others).length + Object.keys(more).length === 0 &&
      INDEX.test(_index) && typeof _id === "string" && _id.length > 0 && _id.length <= 512 &&
      Number.isSafeInteger(version) && version > 0 && version_type === "external";
    return isRight ? { _index, _id, version } : null;
  } catch {
    return null;
  }
}
