/** Reads an archive as any other engine does: the objects, and one DuckDB over them. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { GetObjectCommand, paginateListObjectsV2 } from "@aws-sdk/client-s3";
import type { S3Client } from "@aws-sdk/client-s3";
import { DuckDBInstance } from "@duckdb/node-api";
import { copyFolder, TempFolder } from "../harness/temp_folder.ts";
import { LINE_NUMBER } from "../faults/writer.ts";

/** Writes all objects of an archive into a folder, by their keys. */
export type ArchivedObjects = (folder: string) => Promise<void>;

/** One line as its columns say it. Of a reject only the number is known. */
export interface PlainLine {
  host: string;
  number: number;
  address: string | null;
  atMs: number | null;
}

export function folderObjects(path: string): ArchivedObjects {
  return async (folder) => {
    if (await Deno.stat(path).then(() => true, () => false)) await copyFolder(path, folder);
  };
}

export function bucketObjects(client: S3Client, Bucket: string, Prefix: string): ArchivedObjects {
  return async (folder) => {
    for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket, Prefix })) {
      for (const { Key = "" } of Contents) {
        const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
        const path = join(folder, Key.slice(Prefix.length));
        await Deno.mkdir(dirname(path), { recursive: true });
        await Deno.writeFile(path, await Body?.transformToByteArray() ?? new Uint8Array());
      }
    }
  };
}

const KEY =
  /^stream=(\w+)\/region=\w+\/date=[\d-]{10}\/hour=\d\d\/(.+)\.([0-9a-f]{16})(?:_\w+)?\.parquet$/;

/** The archive at this moment. @throws when an object is no chunk, or a chunk has two objects */
export async function readArchive(objects: ArchivedObjects) {
  await using folder = await TempFolder.make();
  await objects(folder.path);
  const keys = [...filesBelow(folder.path)].filter((key) => key.startsWith("stream="));
  const chunks = Map.groupBy(keys, (key) => {
    const [, stream, host, origin] = KEY.exec(key) ?? [];
    if (origin === undefined) throw new Error(`${key} is in the archive`);
    return `${stream} ${dirname(key)} ${host} ${origin}`;
  });
  const doubled = [...chunks.values()].filter(({ length }) => length > 1);
  if (doubled.length > 0) throw new Error(`Objects of one chunk: ${doubled.flat().join(", ")}`);
  return {
    lines: [
      ...await linesOf(folder.path, keys.filter((key) => key.startsWith("stream=logs/")), LOGS),
      ...await linesOf(folder.path, keys.filter((key) => !key.startsWith("stream=logs/")), REJECTS),
    ],
    chunks: hashesBelow(folder.path),
  };
}

/** SHA-256 of each chunk below a folder, by key. */
export function hashesBelow(folder: string): Map<string, string> {
  const keys = [...filesBelow(folder)].filter((key) => key.startsWith("stream="));
  return new Map(keys.map((key) => [key, sha256(Deno.readFileSync(join(folder, key)))]));
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

const NUMBER = `regexp_extract($text, '${LINE_NUMBER.replace('[ "?]', "")}', 1)::INTEGER`;
const LOGS = `host, ${NUMBER.replace("$text", "request")}, remote_addr, epoch_ms(ts)`;
const REJECTS = `host, ${NUMBER.replace("$text", "decode(line)")}, NULL, NULL`;

async function linesOf(
  folder: string,
  keys: readonly string[],
  select: string,
): Promise<PlainLine[]> {
  if (keys.length === 0) return [];
  const files = keys.map((key) => `'${join(folder, key)}'`).join(", ");
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  try {
    const reader = await connection.runAndReadAll(
      `SELECT ${select} FROM read_parquet([${files}], union_by_name = true)`,
    );
    return reader.getRows().map(([host, number, address, atMs]) => ({
      host: String(host),
      number: Number(number),
      address: address === null ? null : String(address),
      atMs: atMs === null ? null : Number(atMs),
    }));
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** Paths within it; none where there is no folder. */
export function* filesBelow(folder: string, below = ""): Generator<string> {
  if (!existsSync(join(folder, below))) return;
  for (const { name, isDirectory } of Deno.readDirSync(join(folder, below))) {
    if (isDirectory) yield* filesBelow(folder, join(below, name));
    else yield join(below, name);
  }
}
