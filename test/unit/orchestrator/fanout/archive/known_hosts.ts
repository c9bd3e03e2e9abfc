/** A fleet and the catalog of its chunks without a broker: tests say what hosts would. */
import { ChunkCatalog } from "../../../../../orchestrator/fleet/chunk_catalog.ts";
import { Fleet } from "../../../../../orchestrator/fleet/fleet.ts";
import { openDatabase } from "../../../../../orchestrator/state/database.ts";
import { HostTable } from "../../../../../orchestrator/state/hosts.ts";
import { seal } from "../../../../../protocol/wire/envelope.ts";
import type { DayHoldings, HostHoldings } from "../../../../../protocol/wire/holdings.ts";
import type { Presence } from "../../../../../protocol/wire/messages.ts";
import { PLAN_VERSION } from "../../../../../queries/plan/planner.ts";
import { TempFolder } from "../../../../harness/temp_folder.ts";

export class KnownHosts implements AsyncDisposable {
  private constructor(
    private readonly stack: AsyncDisposableStack,
    readonly folder: TempFolder,
    readonly fleet: Fleet,
    readonly catalog: ChunkCatalog,
  ) {}

  static async open(): Promise<KnownHosts> {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(await TempFolder.make());
    const database = openDatabase(folder.path);
    stack.defer(() => database.close());
    const fleet = stack.use(new Fleet({ table: new HostTable(database) }));
    const catalog = stack.use(new ChunkCatalog({ ask: () => {}, isOnline: () => true }));
    return new KnownHosts(stack.move(), folder, fleet, catalog);
  }

  /** A host of the region eu is online, and reads its archive. */
  come(host: string, more: Partial<Presence> = {}) {
    const body = {
      ...{ host, region: "eu", labels: {}, version: "1", plan_versions: [PLAN_VERSION] },
      ...{ commands: ["archive"], streams: ["logs"], state: "online", lease_ms: 20_000 },
      ...{ boot: crypto.randomUUID(), ...more },
    };
    this.fleet.receive(host, seal({ type: "presence", body, issuedAtMs: Date.now() }), false);
  }

  /** What it holds by days. */
  hold(host: string, holdings: Omit<HostHoldings, "version">) {
    const body = { version: "v1", ...holdings };
    this.catalog.receiveHoldings(host, seal({ type: "holdings", body, issuedAtMs: 0 }));
  }

  /** Which chunks it holds of a day, in its order: id, rows, bytes, first and last µs. */
  holdDay(host: string, day: string, logs: NonNullable<DayHoldings["chunks"]>[string]) {
    const body: DayHoldings = { day, digest: "d1", chunks: { logs }, marks: [] };
    this.catalog.receiveDay(host, seal({ type: "day", body, issuedAtMs: 0 }));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stack.disposeAsync();
  }
}
