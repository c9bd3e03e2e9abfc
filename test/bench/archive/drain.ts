/** A backlog is uploaded: how much faster than it came about, to S3 (Ceph, in memory) and a folder. */
import { AgentConfig } from "../../../agent/config.ts";
import { Archive } from "../../../agent/archive/archive.ts";
import { openStore } from "../../../agent/open_store.ts";
import { FolderStore } from "../../../protocol/archive/folder_store.ts";
import type { ObjectStore } from "../../../protocol/archive/object_store.ts";
import { startCeph } from "../../harness/ceph/cluster.ts";
import { ensureCeph } from "../../harness/ceph/root.ts";
import { ourProgram, runProgram } from "../../harness/program.ts";
import { makeBucket } from "../../harness/s3.ts";
import { TempFolder } from "../../harness/temp_folder.ts";
import { writeCorpus } from "../corpus.ts";

const LINES = 2_000_000;

/** Of a busy host. */
const LINES_PER_S = 10_000;

const IMPORT_MS = 600_000;

/** Prints its figures. */
export async function benchDrain(): Promise<void> {
  await using folder = await TempFolder.make();
  const log = folder.join("corpus.log");
  await writeCorpus(log, LINES);
  const yaml = "host: web-1\nregion: eu\ndata_dir: ./data\n" +
    "streams: [ { name: logs, files: [ ./none.log ] } ]\n";
  const path = await folder.write("agent.yaml", yaml);
  const args = ourProgram("agent/main.ts", "import", log, "-c", path);
  const { code, stderr } = await runProgram({ args }, IMPORT_MS);
  if (code !== 0) throw new Error(stderr);
  console.log(`a backlog of ${LINES} lines, ${LINES / LINES_PER_S} s at ${LINES_PER_S} lines/s`);
  await using toFolder = new FolderStore(folder.join("archive"));
  await drain("a folder", folder, toFolder);
  if (!await ensureCeph()) return console.log("  S3 left out: Ceph is not to be had here");
  await using ceph = await startCeph();
  const bucket = await makeBucket(ceph, folder);
  await using toS3 = await bucket.open();
  await drain("S3", folder, toS3);
}

async function drain(name: string, folder: TempFolder, objects: ObjectStore) {
  const end = new AbortController();
  const config = AgentConfig.parse({
    host: "web-1",
    region: "eu",
    data_dir: folder.join("data"),
    streams: [{ name: "logs", files: ["none.log"] }],
  });
  await using store = await openStore(config, end.signal);
  const archive = new Archive({
    objects,
    book: store.archiveBook,
    verified: (chunk) => store.keeper.verifyNow(chunk),
    renew: (chunk) => store.keeper.renew(chunk),
    dataDir: config.data_dir,
    host: config.host,
    everyMs: 3_600_000,
  });
  const { chunks, bytes } = store.archiveBook.backlog();
  const startedMs = performance.now();
  await archive.uploadAll(end.signal);
  const seconds = (performance.now() - startedMs) / 1_000;
  const rate = (bytes / 1e6 / seconds).toFixed(0);
  const times = Math.round(LINES / LINES_PER_S / seconds);
  console.log(
    `  to ${name.padEnd(8)} ${chunks} chunks, ${(bytes / 1e6).toFixed(1)} MB in ` +
      `${seconds.toFixed(2)} s: ${rate} MB/s, ${times} x real time`,
  );
  // The next store gets them too.
  for await (const { key } of objects.list("stream=", end.signal)) {
    store.archiveBook.forget(/\.([0-9a-f]{16})\.parquet$/.exec(key)?.[1] ?? "");
  }
}
