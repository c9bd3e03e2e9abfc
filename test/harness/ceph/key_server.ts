/**
 * Keys for the gateway's AES256, which it asks a server for: as Vault's transit engine answers
 * (developer.hashicorp.com/vault/api-docs/secret/transit), for there is none in Debian.
 */

export class KeyServer implements AsyncDisposable {
  private readonly server: Deno.HttpServer<Deno.NetAddr>;

  private constructor() {
    this.server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.answer(request),
    );
  }

  static start(): KeyServer {
    return new KeyServer();
  }

  get url(): string {
    return `http://127.0.0.1:${this.server.addr.port}`;
  }

  async [Symbol.asyncDispose]() {
    await this.server.shutdown();
  }

  private async answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const [, action = ""] = /^\/v1\/transit\/(keys|datakey|decrypt)\b/.exec(pathname) ?? [];
    const body = await request.text();
    if (action === "datakey") {
      const plaintext = crypto.getRandomValues(new Uint8Array(32)).toBase64();
      return Response.json({ data: { plaintext, ciphertext: `vault:v1:${plaintext}` } });
    }
    if (action === "decrypt") {
      const { ciphertext } = JSON.parse(body) as { ciphertext: string };
      return Response.json({ data: { plaintext: ciphertext.replace("vault:v1:", "") } });
    }
    if (action === "keys") return Response.json({ data: {} });
    return Response.json({ errors: ["not found"] }, { status: 404 });
  }
}
