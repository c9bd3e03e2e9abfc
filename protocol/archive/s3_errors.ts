/** Why a request to S3 failed, and what to do about it. */
import { messageOf } from "../errors.ts";
import { LogvendError } from "../errors.ts";
import { ObjectStoreError } from "./object_store.ts";
import type { StoreProblem } from "./object_store.ts";

/** By error code: docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
const PROBLEMS: Readonly<Record<string, StoreProblem>> = {
  NoSuchKey: "missing",
  NotFound: "missing",
  PreconditionFailed: "changed",
  NoSuchBucket: "no_bucket",
  PermanentRedirect: "wrong_region",
  AuthorizationHeaderMalformed: "wrong_region",
  IllegalLocationConstraintException: "wrong_region",
  InvalidAccessKeyId: "credentials",
  SignatureDoesNotMatch: "credentials",
  ExpiredToken: "credentials",
  InvalidToken: "credentials",
  TokenRefreshRequired: "credentials",
  CredentialsProviderError: "credentials",
  AccessDenied: "denied",
  Forbidden: "denied",
  RequestTimeTooSkewed: "clock",
  BadDigest: "corrupt",
  XAmzContentSHA256Mismatch: "corrupt",
  SlowDown: "busy",
  ConditionalRequestConflict: "busy",
  ConcurrentModification: "busy",
  RequestTimeout: "busy",
  NotImplemented: "refused",
  InvalidObjectState: "refused",
};

/** By status, where there is no code: HEAD has no body. */
const BY_STATUS: Readonly<Record<number, StoreProblem>> = {
  301: "wrong_region",
  403: "denied",
  404: "missing",
  412: "changed",
  429: "busy",
  501: "refused",
};

/** What a store is used for: `operator` by `logvend archive`. */
export type StoreUse = "archive" | "operator" | "publish";

/** Where what a request needs is set, and which rights it takes. */
export const SETTINGS = {
  archive: {
    url: "archive.url",
    region: "archive.region",
    keys: "what archive.credentials names",
    noKeys: "name them under archive.credentials",
    endpoint: "archive.endpoint",
    ca: "archive.ca",
    checksums: "archive.checksums",
    rights: "the rights it takes: logvend archive policy",
  },
  operator: {
    url: "its url (archives: in orchestrator.yaml)",
    region: "its region (archives: in orchestrator.yaml)",
    keys: "its credentials (archives: in orchestrator.yaml)",
    noKeys: "name them under its credentials (archives: in orchestrator.yaml)",
    endpoint: "its endpoint (archives: in orchestrator.yaml)",
    ca: "its ca (archives: in orchestrator.yaml)",
    checksums: "its checksums (archives: in orchestrator.yaml)",
    rights: "to read takes s3:ListBucket and s3:GetObject, to erase also s3:PutObject, " +
      "s3:DeleteObject, s3:DeleteObjectVersion, s3:ListBucketVersions, " +
      "s3:ListBucketMultipartUploads and s3:AbortMultipartUpload",
  },
  publish: {
    url: "--publish",
    region: "its region (publish: in orchestrator.yaml, else AWS_REGION)",
    keys: "its keys (publish: in orchestrator.yaml, else those of the AWS tools)",
    noKeys: "name the bucket and its credentials under publish: in orchestrator.yaml",
    endpoint: "its endpoint (publish: in orchestrator.yaml)",
    ca: "its ca (publish: in orchestrator.yaml)",
    checksums: "its checksums (publish: in orchestrator.yaml)",
    rights: "it takes s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject, " +
      "s3:AbortMultipartUpload and s3:ListBucketMultipartUploads",
  },
} as const;

/** Where a request went. */
export interface S3Target {
  /** @default archive */
  use?: StoreUse;
  url: string;
  bucket: string;
  region: string;
  endpoint: string | undefined;
}

/** What was thrown by the SDK, in our words. */
export function s3Error(what: string, error: unknown, target: S3Target): Error {
  if (error instanceof LogvendError) return error;
  const { name, status, region } = factsOf(error);
  const problem = PROBLEMS[name] ?? BY_STATUS[status ?? 0] ??
    (status === undefined ? "unreachable" : status >= 500 ? "busy" : "refused");
  const short = status === undefined
    ? problem === "credentials" ? "no credentials" : "no answer"
    : `S3 ${status}`;
  const reason = reasonOf(problem, { name, error, region, target });
  return new ObjectStoreError(problem, `Cannot ${what} in ${target.url}: ${reason}`, short, {
    cause: error,
  });
}

interface Reason {
  name: string;
  error: unknown;
  region: string | undefined;
  target: S3Target;
}

function reasonOf(problem: StoreProblem, { name, error, region, target }: Reason): string {
  const said = messageOf(error).split("\n")[0] ?? "";
  const set = SETTINGS[target.use ?? "archive"];
  switch (problem) {
    case "missing":
      return "no such object";
    case "changed":
      return "it changed; ask again";
    case "corrupt":
      return "the bytes that arrived are not those that were sent";
    case "truncated":
      return "the reply ended early";
    case "no_bucket":
      return `there is no bucket ${target.bucket}; make it, or correct ${set.url}`;
    case "wrong_region": {
      const right = region === undefined ? "that of the bucket" : region;
      return `the bucket is not in ${target.region}; set ${set.region} to ${right}`;
    }
    case "credentials":
      if (name === "CredentialsProviderError") {
        return `no credentials were found; ${set.noKeys}, or give them as the AWS tools take them ` +
          "(environment, profile, role of the machine)";
      }
      return `${credentialsText(name)} (${name}); renew ${set.keys}`;
    case "denied":
      return `access denied (${name}); ${set.rights}`;
    case "clock":
      return "the clock of this machine is too far off; set it (NTP)";
    case "full":
      return "it is full";
    case "busy":
      return `the store is busy (${name})`;
    case "unreachable": {
      const where = target.endpoint ?? `S3 in ${target.region}`;
      return `no answer from ${where} (${said}); is it up, and ${set.endpoint} right?`;
    }
    case "refused":
      if (name === "NotImplemented") {
        return `the store does not know a header of the request; try ${set.checksums}: required`;
      }
      if (name === "InvalidObjectState") {
        return "its storage class has to be thawed first: restore it in the store, or keep chunks in a " +
          "class that is read at once";
      }
      return name === "Unknown" || said.includes(name) ? said : `${name}: ${said}`;
    default:
      return problem satisfies never;
  }
}

function credentialsText(name: string): string {
  if (name === "ExpiredToken" || name === "TokenRefreshRequired") return "the credentials expired";
  return "the credentials are wrong";
}

/** Whether a request was refused without a reason: those that have no body (HEAD) never have one. */
export function isUnexplained(error: unknown): boolean {
  const { name, status } = factsOf(error);
  return (status === 400 || status === 403) &&
    (PROBLEMS[name] === undefined || name === "Forbidden");
}

/** Whether the store does not know a header that it was sent. */
export function isNotImplemented(error: unknown): boolean {
  return factsOf(error).status === 501;
}

/** Whether a condition of the request did not hold. */
export function isPrecondition(error: unknown): boolean {
  return factsOf(error).status === 412;
}

/** Whether a version that was to be replaced is gone, or being replaced by somebody else. */
export function isOtherVersion(error: unknown): boolean {
  const { name, status } = factsOf(error);
  return name === "NoSuchKey" || status === 409;
}

function factsOf(error: unknown) {
  const { name, $metadata, $response, BucketRegion, Region } = Object(error) as {
    name?: unknown;
    $metadata?: { httpStatusCode?: number };
    $response?: { headers?: Record<string, string> };
    BucketRegion?: string;
    Region?: string;
  }; // as the SDK's service exceptions have them
  return {
    name: typeof name === "string" ? name : "Unknown",
    status: $metadata?.httpStatusCode,
    region: BucketRegion ?? Region ?? $response?.headers?.["x-amz-bucket-region"],
  };
}
