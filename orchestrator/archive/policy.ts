/** What an archive in S3 takes: the least rights of an agent, and where objects move with age. Pure. */

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

/**
 * An IAM policy: an agent writes its own chunks, reads those of its region, and deletes nothing.
 * docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
 */
export function agentPolicy({ bucket, prefix, region, host }: PolicyRequest) {
  const base = prefix === "" ? "" : `${prefix}/`;
  const arn = `arn:aws:s3:::${bucket}`;
  const regionFolder = `${base}stream=*/region=${region ?? "*"}/`;
  const own = `${arn}/${regionFolder}date=*/hour=*/${host ?? "*"}.*.parquet`;
  return {
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "WriteOwnChunks",
        Effect: "Allow",
        Action: ["s3:PutObject", "s3:AbortMultipartUpload"],
        Resource: own,
      },
      {
        Sid: "ReadRegion",
        Effect: "Allow",
        Action: "s3:GetObject",
        Resource: `${arn}/${regionFolder}*`,
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
        Condition: { StringLike: { "s3:prefix": [base, `${base}stream=*`, `${base}erasures/*`] } },
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

/** Rules for put-bucket-lifecycle-configuration. */
export function lifecycle({ prefix }: Pick<PolicyRequest, "prefix">) {
  const Filter = { Prefix: prefix === "" ? "" : `${prefix}/` };
  return {
    Rules: [
      {
        ID: "logvend-age",
        Status: "Enabled",
        Filter,
        Transitions: [
          { Days: INFREQUENT_AFTER_DAYS, StorageClass: "STANDARD_IA" },
          { Days: GLACIER_AFTER_DAYS, StorageClass: "GLACIER_IR" },
        ],
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
