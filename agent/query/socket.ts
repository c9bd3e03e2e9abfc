/**
 * data_dir/agent.sock: where a running agent lends its newest rows to `agent query`.
 *
 * The agent sends the names of its tables; the client asks once; the agent answers with files,
 * which stay until the connection ends.
 */
import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import { z } from "zod";
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import { GapTotal, LostTotal, Table, WireError } from "../../protocol/wire/messages.ts";
import { StreamShape } from "../../protocol/schema/stream_shape.ts";
import { fromWireError, toWireError } from "../../protocol/wire/wire_error.ts";
import { removeIfThere } from "../../protocol/durable_file.ts";
import type { Snapshot, SnapshotRequest, SnapshotSource } from "../store/snapshot.ts";
import { readJsonLines, writeJsonLine } from "../../protocol/wire/json_lines.ts";

/** sockaddr_un.sun_path on Linux, less its closing zero byte. */
const SOCKET_PATH_BYTES_MAX = 107;

/** More local queries than this at a time are turned away. */
const CONNECTIONS_MAX = 32;

const Hello = z.object({ tables: z.array(Table) });

const Ask = z.object({
  tables: z.array(z.string()),
  since: z.string().nullable(),
  until: z.string().nullable(),
  durable: z.boolean().optional(),
});

const TableFiles = z.object({
  files: z.array(z.string()),
  rows: z.number(),
  bytes: z.number(),
  shape: StreamShape.optional(),
});

const Lent = z.union([
  z.object({
    tables: z.array(z.tuple([z.string(), TableFiles])),
    rejects: z.number(),
    gaps: GapTotal,
    lost: LostTotal,
  }),
  z.object({ error: WireError }),
]);
type Lent = z.infer<typeof Lent>;

/** @throws {LogvendError} bad_config, when the path is longer than the system allows */
export function socketPath(dataDir: string): string {
  const path = join(dataDir, "agent.sock");
  const bytes = new TextEncoder().encode(path).length;
  if (bytes <= SOCKET_PATH_BYTES_MAX) return path;
  throw new LogvendError(
    "bad_config",
    `data_dir: the path of its socket has ${bytes} bytes; wanted ${SOCKET_PATH_BYTES_MAX} ` +
      `at most, so choose a shorter one: ${path}`,
  );
}

/** Serves snapshots until disposed. The caller holds the lock of the data folder. */
export async function serveSnapshots(
  dataDir: string,
  source: SnapshotSource,
): Promise<AsyncDisposable> {
  const path = socketPath(dataDir);
  await removeIfThere(path); // of an agent that was killed
  const listener = Deno.listen({ transport: "unix", path });
  Deno.chmodSync(path, 0o600);
  const open = new Set<Deno.Conn>();
  const accepting = (async () => {
    for await (const connection of listener) {
      if (open.size >= CONNECTIONS_MAX) {
        connection.close();
        continue;
      }
      open.add(connection);
      lend(connection, source).catch((error) => {
        getLogger(["agent", "socket"]).debug("A local query ended: {error}", {
          error: messageOf(error),
        });
      }).finally(() => {
        open.delete(connection);
        close(connection);
      });
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const connection of open) close(connection);
      await accepting;
      await removeIfThere(path);
    },
  };
}

async function lend(connection: Deno.Conn, source: SnapshotSource) {
  const writer = connection.writable.getWriter();
  await writeJsonLine(writer, { tables: source.tables() });
  const asks = readJsonLines(connection.readable);
  const { value, done } = await asks.next();
  if (done) return;
  let snapshot: Snapshot;
  try {
    snapshot = await source.snapshot(Ask.parse(value));
  } catch (error) {
    await writeJsonLine(writer, { error: toWireError(error) } satisfies Lent);
    return;
  }
  try {
    const { tables, rejects, gaps, lost } = snapshot;
    const lent: Lent = { tables: [...tables], rejects, gaps, lost };
    await writeJsonLine(writer, lent);
    await asks.next(); // the client holds the files until it hangs up
  } finally {
    await snapshot[Symbol.asyncDispose]();
  }
}

/** A running agent's store, for one snapshot; null when no agent runs on this data folder. */
export async function connectSnapshots(
  dataDir: string,
): Promise<(SnapshotSource & AsyncDisposable) | null> {
  let connection: Deno.Conn;
  try {
    connection = await Deno.connect({ transport: "unix", path: socketPath(dataDir) });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    if (error instanceof Deno.errors.ConnectionRefused) return null;
    throw error instanceof LogvendError ? error : unreachable(dataDir, error);
  }
  const lines = readJsonLines(connection.readable);
  const hangUp = () => Promise.resolve(close(connection));
  try {
    const hello = await lines.next();
    if (hello.done) throw new LogvendError("unavailable", "it is busy with other local queries");
    const { tables } = Hello.parse(hello.value);
    return {
      tables: () => tables,
      snapshot: (request) => borrow(connection, lines, request),
      [Symbol.asyncDispose]: hangUp,
    };
  } catch (error) {
    close(connection);
    throw unreachable(dataDir, error);
  }
}

async function borrow(
  connection: Deno.Conn,
  lines: AsyncGenerator<unknown, void, undefined>,
  request: SnapshotRequest,
): Promise<Snapshot> {
  const writer = connection.writable.getWriter();
  await writeJsonLine(writer, request);
  const lent = Lent.parse((await lines.next()).value);
  if ("error" in lent) throw fromWireError(lent.error);
  return {
    tables: new Map(lent.tables),
    rejects: lent.rejects,
    gaps: lent.gaps,
    lost: lent.lost,
    [Symbol.asyncDispose]: () => Promise.resolve(close(connection)),
  };
}

function unreachable(dataDir: string, cause: unknown): LogvendError {
  return new LogvendError(
    "unavailable",
    `Cannot ask the agent that runs on ${dataDir}: ${messageOf(cause)}`,
    { cause },
  );
}

/** Closes a connection that its peer may have closed already. */
function close(connection: Deno.Conn) {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
