/** A host that has read logs and can erase: a store, query workers, and who may erase. */
import { join } from "node:path";
import { Eraser } from "../../../../agent/erase/eraser.ts";
import type { EraserOptions } from "../../../../agent/erase/eraser.ts";
import { plainLines } from "../../../../agent/ingest/line_form.ts";
import { readFile } from "../../../../agent/ingest/read_file.ts";
import { erasedRows } from "../../../../agent/query/erased_rows.ts";
import { WorkerPool } from "../../../../agent/query/worker_pool.ts";
import { Store } from "../../../../agent/store/store.ts";
import { signErasure } from "../../../../orchestrator/access/sign.ts";
import type { EraseSignRequest } from "../../../../orchestrator/access/sign.ts";
import { verifyErasure } from "../../../../protocol/signing/erasure.ts";
import type { Erasure } from "../../../../protocol/signing/erasure.ts";
import { newOperatorKey, readOperatorKey } from "../../../../protocol/signing/signature.ts";
import { DEFAULT_PREFIX } from "../../../../protocol/wire/topics.ts";
import { combinedLineAt } from "../../../harness/lines.ts";
import type { TempFolder } from "../../../harness/temp_folder.ts";

export const START_MS = Date.parse("2026-11-22T18:00:00Z");
export const HOUR_MS = 3_600_000;
const NOW_MS = START_MS + 24 * HOUR_MS;

/** Every seventh line of the addresses that these tests erase. */
export const ADDRESS = "203.0.113.9";
/** A line that no format reads, with that address in it. */
export const REJECTED = `${ADDRESS} is no line of an access log`;

/** Lines of one hour; each has its number. Some are of ADDRESS, one of them a reject, one more a reject. */
export function hourLines(hour: number, count = 50): string[] {
  const lines = Array.from({ length: count }, (_, i) => {
    const line = combinedLineAt(START_MS + hour * HOUR_MS + i * 1_000, hour * 1_000 + i).trimEnd();
    return i % 7 === 3 ? line.replace(/^\S+/, ADDRESS) : line;
  });
  return [...lines, REJECTED, `no line of hour ${hour}`];
}

/** As a fleet is called where no configuration says otherwise. */
export const FLEET = DEFAULT_PREFIX;

/** Signs with a key of its own. */
export async function eraseSigner() {
  const { pem, publicKey } = await newOperatorKey();
  const key = await readOperatorKey(pem);
  const sign = async (more: Partial<EraseSignRequest> = {}): Promise<Erasure> => {
    const { record } = await signErasure({
      fleet: FLEET,
      where: `remote_addr = '${ADDRESS}'`,
      stream: "logs",
      selector: "",
      since: "2026-11-22T18:00:00.000Z",
      until: "2026-11-22T20:00:00.000Z",
      columns: [{ name: "remote_addr", type: "VARCHAR" }],
      key,
      nowMs: NOW_MS,
      ...more,
    });
    return await verifyErasure(record, { fleet: FLEET, eraseTrust: [publicKey] });
  };
  return { key, pem, publicKey, sign };
}

/** What a test has of the host. */
export interface ErasingHost extends AsyncDisposable {
  dataDir: string;
  store: Store;
  workers: WorkerPool;
  eraser: Eraser;
  /** Appends lines to the one log file, and reads it on. */
  write(lines: readonly string[]): Promise<void>;
}

/** Opens the data folder of a test again and again. */
export async function erasingHost(
  folder: TempFolder,
  more: Partial<EraserOptions> = {},
  host = "web-1",
): Promise<ErasingHost> {
  await using stack = new AsyncDisposableStack();
  const dataDir = folder.join(`data-${host}`);
  const { signal } = new AbortController();
  const store = stack.use(
    await Store.open({
      dataDir,
      host,
      region: "eu",
      streams: ["logs"],
      sealAfterMs: 120_000,
      isBulk: true,
      keepsUnarchived: true,
      windowed: new Set(["logs"]),
      clock: () => NOW_MS,
      signal,
    }),
  );
  const workers = stack.use(await WorkerPool.open({ folder: join(dataDir, "query"), dataDir }));
  const eraser = new Eraser({
    store,
    labels: { host, region: "eu" },
    find: (erasure, chunk, until) =>
      erasedRows({ workers, dataDir, region: "eu" }, { erasure, chunk }, until),
    forget: () => Promise.resolve(),
    ...more,
  });
  const path = folder.join(`${host}.log`);
  const owned = stack.move();
  return {
    dataDir,
    store,
    workers,
    eraser,
    async write(lines) {
      await Deno.writeTextFile(path, lines.map((line) => `${line}\n`).join(""), { append: true });
      await readFile({ path, stream: "logs", form: plainLines("combined"), sink: store });
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
