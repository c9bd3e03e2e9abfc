/** The `archive` part of a configuration: which object store, and how it is spoken to. */
import { z } from "zod";
import { Bytes, Duration } from "../config/config_file.ts";

const URL_WANTED = "s3://BUCKET/PREFIX, or file:FOLDER; stores without an S3 API are not supported";

/** Bucket names: docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
const S3_URL = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([A-Za-z0-9!_.*'()=/-]*))?$/;

/** A slower line would not bring an hour of a busy host away within the hour. */
const BANDWIDTH_MIN_BYTES = 10_000;

/** Less would not hold what one question reads at once. */
const CACHE_MIN_BYTES = 16e6;

const Reference = z.strictObject({
  file: z.string().min(1).optional().describe("a file that holds it; read again when it changes"),
  env: z.string().min(1).optional().describe("an environment variable that holds it"),
}).refine(({ file, env }) => (file === undefined) !== (env === undefined), "either file or env");

/** Where a secret is. */
export type SecretReference = z.infer<typeof Reference>;

const Credentials = z.strictObject({
  access_key_id: Reference,
  secret_access_key: Reference,
  session_token: Reference.optional(),
}).describe("none: as the AWS tools find them (environment, profile, role of the machine)");

/** How a store is reached: the same for agents and operators. */
export const ArchiveStore = z.strictObject({
  url: z.string(URL_WANTED).refine((url) => parseArchiveUrl(url) !== null, URL_WANTED)
    .describe("`s3://BUCKET/PREFIX`, or `file:FOLDER`"),
  endpoint: z.string().refine(
    (text) => /^https?:$/.test(URL.parse(text)?.protocol ?? ""),
    "a URL, e.g. https://s3.example:9000",
  ).optional().describe("of a store that is not Amazon's"),
  region: z.string().regex(/^[a-z0-9-]{1,40}$/, "a region's name, e.g. eu-west-1")
    .default(() => Deno.env.get("AWS_REGION") ?? "us-east-1")
    .meta({
      description: "that requests are signed for",
      default_text: "`AWS_REGION`, else `us-east-1`",
    }),
  path_style: z.boolean().default(false)
    .describe("the bucket is in the path, not in the host name; most stores of one's own want it"),
  credentials: Credentials.optional(),
  ca: z.string().min(1).optional()
    .describe("a PEM file with the authority that signed the endpoint's certificate"),
  checksums: z.enum(["full", "required"]).default("full").describe(
    "required: for older stores that do not know the checksum headers of 2022; every body is signed either way",
  ),
});

export type ArchiveStore = z.infer<typeof ArchiveStore>;

/** Of an archive and others that store: a store refuses what names a key, and does not encrypt by keys. */
export function checkKey(
  { sse, kms_key }: { sse: string; kms_key?: string | undefined },
  found: z.RefinementCtx,
) {
  if (kms_key === undefined || sse === "aws:kms") return;
  const message = "sse: aws:kms beside it";
  found.addIssue({ code: "custom", path: ["kms_key"], input: kms_key, message });
}

/** The same, and how an agent stores what it sealed. */
export const AgentArchive = z.strictObject({
  ...ArchiveStore.shape,
  sse: z.enum(["none", "AES256", "aws:kms"]).default("none")
    .describe("how the store encrypts objects; none: as the bucket says"),
  kms_key: z.string().min(1).optional().describe("with aws:kms; none: the account's own"),
  storage_class: z.string().regex(/^[A-Z_]{1,40}$/, "a class, e.g. STANDARD_IA").optional()
    .describe("of new objects; none: the bucket's. Classes that must be thawed cannot be queried"),
  bandwidth: Bytes.refine((bytes) => bytes >= BANDWIDTH_MIN_BYTES, "a size from 10KB").optional()
    .describe("how much is sent in a second at most; none: as much as goes"),
  every: Duration.refine((ms) => ms >= 300_000 && ms <= 86_400_000, "5m to 24h").prefault("1h")
    .describe("how often sealed chunks are sent, each host at a moment of its own"),
  ask_first: Duration.prefault("15m").describe(
    "how long the first start on a new data folder waits for the archive before it reads log files: " +
      "it may have lines of them; 0s: not at all",
  ),
  unarchived: z.enum(["keep", "remove"]).default("keep").describe(
    "what retention and quota do with chunks that the archive does not have yet",
  ),
  cache: Bytes.refine((bytes) => bytes >= CACHE_MIN_BYTES, "a size from 16MB").prefault("2GB")
    .describe("how much of archived chunks is kept in data_dir for queries to come"),
}).superRefine(checkKey);

export type AgentArchive = z.infer<typeof AgentArchive>;

/** Keys that hold paths, of an archive that stands under `keys`. */
export function archivePaths(...keys: readonly string[]): string[][] {
  return [["url"], ["ca"], ["credentials", "*", "file"]].map((path) => [...keys, ...path]);
}

/** The parts of an archive's URL. */
export type ArchivePlace =
  | { kind: "s3"; bucket: string; prefix: string }
  | { kind: "folder"; path: string };

/** Null: it is none. A prefix has no slash at its ends. */
export function parseArchiveUrl(url: string): ArchivePlace | null {
  const folder = /^file:(?:\/\/(?=\/))?(.+)$/.exec(url)?.[1];
  if (folder !== undefined) return { kind: "folder", path: folder };
  const [, bucket, prefix = ""] = S3_URL.exec(url) ?? [];
  if (bucket === undefined) return null;
  return { kind: "s3", bucket, prefix: prefix.replace(/^\/+|\/+$/g, "") };
}
