/** Queries over HTTP as the command line sends them: signed, and read to the last byte. */
import { ApiClient } from "../../../orchestrator/cli/client.ts";
import { signQuestion } from "../../../orchestrator/access/sign.ts";
import { readOperatorKey } from "../../../protocol/signing/signature.ts";
import type { OperatorKey } from "../../../protocol/signing/signature.ts";
import type { TestFleet } from "../../harness/fleet.ts";

export interface Asked {
  id: string;
  /** From signing to the last byte. */
  elapsedMs: number;
  rows: Record<string, unknown>[];
}

export class HttpAsker {
  private constructor(private readonly client: ApiClient, private readonly key: OperatorKey) {}

  static async of(fleet: TestFleet): Promise<HttpAsker> {
    return new HttpAsker(new ApiClient(fleet.url), await readOperatorKey(fleet.pem));
  }

  /**
   * `sinceMs`: asks for what is newer, as --since does.
   * @throws when other than so many hosts are missing, none if nothing else is said
   */
  async ask(
    sql: string,
    { sinceMs, missing = 0 }: { sinceMs?: number; missing?: number } = {},
  ): Promise<Asked> {
    const startedMs = performance.now();
    const { token, claims } = await signQuestion({
      sql,
      selector: "",
      range: {
        since: sinceMs === undefined ? null : new Date(sinceMs).toISOString(),
        until: null,
        implied: false,
      },
      limits: { timeout_ms: 10_000, rows_max: 100_000, bytes_max: 64e6 },
      key: this.key,
      nowMs: Date.now(),
    });
    const signal = AbortSignal.timeout(20_000);
    const blocks: Uint8Array<ArrayBuffer>[] = [];
    for await (const event of this.client.query({ sql, token, format: "jsonl", signal })) {
      if (event.type === "data") blocks.push(event.bytes);
      if (event.type === "end" && event.coverage.missing.length !== missing) {
        throw new Error(JSON.stringify(event.coverage.missing).slice(0, 500));
      }
    }
    const lines = (await new Blob(blocks).text()).split("\n").filter((line) => line !== "");
    const rows = lines.map((line): Record<string, unknown> => JSON.parse(line));
    return { id: claims.id, elapsedMs: performance.now() - startedMs, rows };
  }
}
