/** The connection to a store with an S3 API: keys, certificates, checksums. */
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { S3Client } from "@aws-sdk/client-s3";
import type { S3ClientConfig } from "@aws-sdk/client-s3";
import { LogvendError } from "../errors.ts";
import { reasonOf } from "../file_error.ts";
import type { AgentArchive, ArchiveStore } from "./archive_config.ts";
import { credentialsOf } from "./credentials.ts";
import { SETTINGS } from "./s3_errors.ts";
import type { StoreUse } from "./s3_errors.ts";
import { signBodies } from "./signed_body.ts";

const CONNECT_MS = 10_000;

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * Connects at the first request.
 * @param options attempts at one request, and what the store is for: errors say where that is set
 * @throws {LogvendError} bad_config
 */
export async function openClient(
  archive: ArchiveStore & Partial<AgentArchive>,
  { attemptsMax, use }: { attemptsMax: number; use: StoreUse },
): Promise<S3Client> {
  // Deno 2.9.5: what follows on a stream on the same TLS connection is never answered.
  const keepAlive = archive.bandwidth === undefined;
  const client = new S3Client({
    region: archive.region,
    forcePathStyle: archive.path_style,
    credentials: credentialsOf(archive.credentials),
    maxAttempts: attemptsMax,
    expectContinueHeader: false,
    logger: SILENT, // what goes wrong is thrown, and said by who catches it
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      httpAgent: new HttpAgent({ keepAlive }),
      httpsAgent: new HttpsAgent({ keepAlive, ...await authorityOf(archive.ca, use) }),
    },
    ...checksumsOf(archive.checksums),
    ...(archive.endpoint === undefined ? {} : { endpoint: archive.endpoint }),
  });
  signBodies(client);
  return client;
}

function checksumsOf(mode: ArchiveStore["checksums"]): Partial<S3ClientConfig> {
  const when = mode === "full" ? "WHEN_SUPPORTED" : "WHEN_REQUIRED";
  return { requestChecksumCalculation: when, responseChecksumValidation: when };
}

async function authorityOf(path: string | undefined, use: StoreUse): Promise<{ ca?: string }> {
  if (path === undefined) return {};
  try {
    return { ca: await Deno.readTextFile(path) };
  } catch (cause) {
    const text = `Cannot read ${SETTINGS[use].ca} ${path}: ${reasonOf(cause)}`;
    throw new LogvendError("bad_config", text, { cause });
  }
}
