/** One orchestrator process: puts its parts together, serves until it is disposed. */
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { getLogger } from "@logtape/logtape";
import { BrokerConnection } from "../protocol/wire/broker_connection.ts";
import type { BrokerOptions, ReceivedMessage } from "../protocol/wire/broker_connection.ts";
import { LogvendError, messageOf } from "../protocol/errors.ts";
import { reasonOf } from "../protocol/file_error.ts";
import type { ListenAddress } from "../protocol/config/listen_address.ts";
import { orchestratorTopics, parseTopic } from "../protocol/wire/topics.ts";
import { WatchedPlanner } from "./fanout/watched_planner.ts";
import { Authority } from "./access/authority.ts";
import { createApp } from "./api/app.ts";
import { startEmbeddedBroker } from "./broker/embedded.ts";
import { EMBEDDED } from "./config.ts";
import type { OrchestratorConfig } from "./config.ts";
import { Exports } from "./export/exports.ts";
import { KeptPieces } from "./fanout/archive/kept/kept_pieces.ts";
import { Fanout } from "./fanout/fanout.ts";
import { Queries } from "./fanout/queries.ts";
import { Tails } from "./fanout/tails.ts";
import { WorkspacePool } from "./fanout/workspace.ts";
import { askForArchivedHosts } from "./fleet/archived_hosts.ts";
import type { ArchivedHosts } from "./fleet/archived_hosts.ts";
import { askForDays, ChunkCatalog } from "./fleet/chunk_catalog.ts";
import { Erasures, erasuresBefore } from "./fleet/erasures.ts";
import { Fleet } from "./fleet/fleet.ts";
import { openDatabase } from "./state/database.ts";
import { ErasureTable } from "./state/erasures.ts";
import { fleetOf } from "../protocol/signing/erasure.ts";
import { lockDataFolder } from "./state/lock.ts";
import { HostTable } from "./state/hosts.ts";
import { QueryTable } from "./state/queries.ts";

const log = getLogger(["orchestrator"]);

/** One process comes back, not a fleet: it need not wait for long. */
const RECONNECT_MAX_MS = 30_000;

export interface Orchestrator extends AsyncDisposable {
  /** Of the HTTP API. */
  url: string;
  brokerUrl: string;
}

/** Starts everything. @throws {LogvendError} bad_config or unavailable; nothing is left running then */
export async function startOrchestrator(config: OrchestratorConfig): Promise<Orchestrator> {
  await using stack = new AsyncDisposableStack();
  stack.use(await lockDataFolder(config.data_dir));
  const database = openDatabase(config.data_dir);
  stack.defer(() => database.close());
  const scratchFolder = await emptyFolder(join(config.data_dir, "scratch"));
  const pieces = stack.use(await openPieces(config));
  const planner = stack.use(await WatchedPlanner.open());
  const workspaces = stack.use(new WorkspacePool(scratchFolder));
  const brokerUrl = await brokerUrlOf(config, stack);
  // Two processes of one name would take each other's results: every start has its own.
  const name = `${config.name.slice(0, 100)}-${crypto.randomUUID().slice(0, 8)}`;
  const { topic_prefix: topicPrefix, trust, ack_timeout: ackTimeoutMs } = config;
  const authority = new Authority({ trust, now: Date.now });
  const onGone = (host: string) => [fanout, tails].forEach((asking) => asking.hostGone(host));
  const onCome = (host: string) =>
    [tails, erasures, archivedHosts].forEach((telling) => telling.hostCame(host));
  const erasing = await erasingOf(config, database, pieces);
  const fleet = stack.use(new Fleet({ table: new HostTable(database), onGone, onCome }));
  const broker = stack.use(
    connectBroker({ url: brokerUrl, name, topicPrefix }, {
      onMessage: (message) =>
        deliver(message, topicPrefix, { fleet, catalog, archivedHosts, tails, fanout, erasures }),
      onLost: (error) => {
        fanout.brokerLost(error);
        archivedHosts.brokerLost();
        tails.end(error);
      },
    }),
  );
  const connected = { broker, name, topicPrefix };
  const isOnline = (host: string) => fleet.get(host)?.state === "online";
  const catalog = stack.use(new ChunkCatalog({ ask: askForDays(connected), isOnline }));
  const archivedHosts = stack.use(askForArchivedHosts({ ...connected, fleet }));
  const asking = { ...connected, fleet, catalog, archivedHosts, ackTimeoutMs, now: Date.now };
  const fanout = new Fanout({
    ...asking,
    planner,
    workspaces,
    exports: new Exports(),
    prices: config.archive_prices,
    pieces,
    startedMs: Date.now(),
  });
  const table = new QueryTable(database);
  const queries = new Queries({ authority, fanout, table, now: Date.now });
  const tails = new Tails({ ...asking, authority });
  const erasures = stack.use(new Erasures({ ...asking, ...erasing, queries: table }));
  const brokerReady = () => broker.connected;
  const app = createApp({ authority, fleet, queries, tails, erasures, brokerReady });
  const server = listen(config.http, (request) => app.fetch(request));
  stack.defer(() => server.shutdown());
  stack.defer(() => endAll({ fanout, tails })); // first: the server waits for the answers under way
  const url = urlOf(server.addr);
  log.info("Serving {url}, broker {broker}.", { url, broker: brokerUrl });
  const running = stack.move();
  return { url, brokerUrl, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

function connectBroker(
  { url, name, topicPrefix }: { url: string; name: string; topicPrefix: string },
  events: Pick<BrokerOptions, "onMessage" | "onLost">,
): BrokerConnection {
  return new BrokerConnection({
    ...{ url, ...events },
    clientId: `logvend-${name}`,
    topics: Object.values(orchestratorTopics(topicPrefix, name)),
    reconnectMaxMs: RECONNECT_MAX_MS,
    logCategory: ["orchestrator", "broker"],
  });
}

async function openPieces({ data_dir: dataDir, kept_pieces: bytesMax }: OrchestratorConfig) {
  return await KeptPieces.open({ folder: join(dataDir, "pieces"), bytesMax });
}

/** Who may erase, and what has been taken so far. */
async function erasingOf(
  config: OrchestratorConfig,
  database: DatabaseSync,
  pieces: KeptPieces,
) {
  const forget = () => pieces.forget();
  const { trust_erase: eraseTrust } = config;
  const trusted = { fleet: fleetOf(config), eraseTrust };
  const erasing = { table: new ErasureTable(database), trusted };
  const authority = new Authority({ trust: eraseTrust, now: Date.now });
  return { ...erasing, now: Date.now, authority, forget, before: await erasuresBefore(erasing) };
}

/** Starts a broker where none is configured. */
async function brokerUrlOf(
  { broker, broker_listen: address }: OrchestratorConfig,
  stack: AsyncDisposableStack,
): Promise<string> {
  return broker === EMBEDDED ? stack.use(await startEmbeddedBroker(address)).url : broker;
}

function endAll({ fanout, tails }: { fanout: Fanout; tails: Tails }) {
  fanout.stop();
  tails.end(new LogvendError("unavailable", "The orchestrator is stopping"));
}

interface Receivers {
  fleet: Fleet;
  catalog: ChunkCatalog;
  archivedHosts: ArchivedHosts;
  tails: Tails;
  fanout: Fanout;
  erasures: Erasures;
}

/** Hands a message of a host to whom it concerns; what is none of ours is dropped. */
function deliver({ topic, payload, retained }: ReceivedMessage, prefix: string, to: Receivers) {
  const received = parseTopic(prefix, topic);
  switch (received?.kind) {
    case "state":
      return to.fleet.receive(received.host, payload, retained);
    case "tables":
      return to.fleet.receiveTables(received.host, payload);
    case "holdings":
      return to.catalog.receiveHoldings(received.host, payload);
    case "day":
      return to.catalog.receiveDay(received.host, payload);
    case "archived":
      return to.archivedHosts.receive(received.host, payload);
    case "erased":
      return to.erasures.receive(received.host, payload);
    case "tail":
      return to.tails.receive(received.host, received.request, payload);
    case "ack":
    case "result":
      return to.fanout.receive(topic, payload);
  }
}

function listen(
  address: ListenAddress,
  handler: (request: Request) => Response | Promise<Response>,
) {
  const { hostname, port } = address;
  try {
    return Deno.serve({ hostname, port, onListen: () => {} }, handler);
  } catch (cause) {
    const reason = cause instanceof Deno.errors.AddrInUse
      ? "the port is in use; stop what uses it or set another http"
      : messageOf(cause);
    throw new LogvendError("unavailable", `Cannot listen on ${hostname}:${port}: ${reason}`, {
      cause,
    });
  }
}

function urlOf({ hostname, port }: Deno.NetAddr): string {
  return `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}

/** Queries that a crash interrupted may have left files. @throws {LogvendError} bad_config */
async function emptyFolder(path: string): Promise<string> {
  try {
    await Deno.mkdir(path, { recursive: true, mode: 0o700 });
    await Deno.remove(path, { recursive: true });
    await Deno.mkdir(path, { mode: 0o700 });
    return path;
  } catch (cause) {
    const reason = reasonOf(cause);
    throw new LogvendError("bad_config", `Cannot empty ${path}: ${reason}; check data_dir`, {
      cause,
    });
  }
}
