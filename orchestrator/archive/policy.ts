/** What an archive in S3 takes: the least rights of an agent, and where objects move with age. Pure. */
import { ENTRIES } from "../../protocol/archive/catalog/catalog_keys.ts";

export interface PolicyRequest {
  bucket: string;
  /** Without slashes at its ends; may be empty. */
  prefix: string;
  /** Of the agents; null: any. */
  region: string | null;
  /** Of the one agent; null: any. */
  host: string | null;
}

/** Days after which reads get dearer and storage cheaper; nothing expires. */
const INFREQUENT_AFTER_DAYS = 30;
const GLACIER_AFTER_DAYS = 90;
const ABORT_AFTER_DAYS = 7;
const ENTRIES_DAYS = 30;

/**
 * An IAM policy: an agent writes its own chunks, reads those of its region, and deletes nothing.
 * docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
 */
export function agentPolicy({ bucket, prefix, region, host }: PolicyRequest) {
  const base = prefix === "" ? "" : `${prefix.replaceAll("*", "${*}")}/`; // itself, not any text
  const arn = `arn:aws:s3:::${bucket}`;
  const regionFolder = `${base}stream=*/region=${region ?? "*"}/`;
  const own = chunksOf(`${arn}/${regionFolder}date=*/hour=*/${host ?? "*"}`);
  const ofRegion = `region=${region ?? "*"}`;
  const listed = [base, ...["stream=*", "catalog/*", "erasures/*"].map((key) => base + key)];
  return {
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "WriteOwnChunks",
        Effect: "Allow",
        Action: ["s3:PutObject", "s3:AbortMultipartUpload"],
        Resource: own,
      },
      keepCatalog(`${arn}/${base}catalog/`, { ofRegion, host }),
      {
        Sid: "ReadRegion",
        Effect: "Allow",
        Action: "s3:GetObject",
        Resource: [
          `${arn}/${regionFolder}*`,
          `${arn}/${base}catalog/*/${ofRegion}/*`,
          `${arn}/${base}catalog/leases/${ofRegion}.json`,
        ],
      },
      {
        Sid: "ReadErasures", // what must not be archived again
        Effect: "Allow",
        Action: "s3:GetObject",
        Resource: `${arn}/${base}erasures/*`,
      },
      {
        Sid: "ListArchive",
        Effect: "Allow",
        Action: "s3:ListBucket",
        Resource: arn,
        Condition: { StringLike: { "s3:prefix": listed } },
      },
      {
        Sid: "FindAbandonedParts", // S3 knows no prefix for this one
        Effect: "Allow",
        Action: "s3:ListBucketMultipartUploads",
        Resource: arn,
      },
    ],
  };
}

/** Ids of chunks (protocol/chunk/chunk_id.ts): `?` is one character to IAM. */
const IDS = ["?".repeat(16), `${"?".repeat(16)}_${"?".repeat(8)}_${"?".repeat(12)}`];

/** A `*` in place of the id would be chunks of `web-1.example` too, for an agent of `web-1`. */
function chunksOf(beginning: string): string[] {
  return IDS.map((id) => `${beginning}.${id}.parquet`);
}

/** Agents of a region make its manifests in turn. */
function keepCatalog(
  catalog: string,
  { ofRegion, host }: { ofRegion: string; host: string | null },
) {
  return {
    Sid: "KeepCatalog",
    Effect: "Allow",
    Action: ["s3:PutObject", "s3:AbortMultipartUpload"],
    Resource: [
      `${catalog}manifests/${ofRegion}/*`,
      ...chunksOf(`${catalog}entries/${ofRegion}/stream=*/date=*/??.${host ?? "*"}`),
      `${catalog}changed/${ofRegion}/host=${host ?? "*"}`,
      `${catalog}leases/${ofRegion}.json`,
    ],
  };
}

/** Rules for put-bucket-lifecycle-configuration. No chunk expires. */
export function lifecycle({ prefix }: Pick<PolicyRequest, "prefix">) {
  const base = prefix === "" ? "" : `${prefix}/`;
  const Filter = { Prefix: base };
  return {
    Rules: [
      {
        ID: "logvend-age", // of chunks: the catalog is read all the time
        Status: "Enabled",
        Filter: { Prefix: `${base}stream=` },
        Transitions: [
          { Days: INFREQUENT_AFTER_DAYS, StorageClass: "STANDARD_IA" },
          { Days: GLACIER_AFTER_DAYS, StorageClass: "GLACIER_IR" },
        ],
      },
      {
        ID: "logvend-entries", // what hosts noted for manifests, which have it by then
        Status: "Enabled",
        Filter: { Prefix: `${base}${ENTRIES}` },
        Expiration: { Days: ENTRIES_DAYS },
      },
      {
        ID: "logvend-parts",
        Status: "Enabled",
        Filter,
        AbortIncompleteMultipartUpload: { DaysAfterInitiation: ABORT_AFTER_DAYS },
      },
    ],
  };
}
