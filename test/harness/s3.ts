/** Buckets in the tests' S3 store, and configurations that reach them. */
import { Agent } from "node:https";
import { CreateBucketCommand, PutBucketPolicyCommand, S3Client } from "@aws-sdk/client-s3";
import { AgentArchive, parseArchiveUrl } from "../../protocol/archive/archive_config.ts";
import { S3Store } from "../../protocol/archive/s3_store.ts";
import type { S3StoreOptions } from "../../protocol/archive/s3_store.ts";
import type { Ceph } from "./ceph/cluster.ts";
import type { TempFolder } from "./temp_folder.ts";

/** A bucket of its own for a test. */
export interface Bucket {
  name: string;
  /** Its files hold the keys, and may be changed. */
  keyFile: string;
  secretFile: string;
  /** The `archive` part of a configuration. */
  archive(more?: Readonly<Record<string, unknown>>): AgentArchive;
  /** Gives a user of the store, by name, the rights of an IAM policy on the bucket. */
  allow(user: string, policy: { Statement: readonly object[] }): Promise<void>;
  /** A store below the prefix `logs`. */
  open(
    more?: Readonly<Record<string, unknown>>,
    options?: S3StoreOptions,
  ): Promise<S3Store>;
}

/** As the AWS tools would make it. */
export function adminClient(
  { endpoint, accessKey, secretKey, authority }: Ceph,
  region = "us-east-1",
) {
  return new S3Client({
    endpoint,
    requestHandler: { httpsAgent: new Agent(authority === undefined ? {} : { ca: authority }) },
    region,
    forcePathStyle: true,
    credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
  });
}

/** Makes a bucket, and files with the keys in a folder. */
export async function makeBucket(
  ceph: Ceph,
  folder: TempFolder,
  region = "us-east-1",
): Promise<Bucket> {
  const name = `logs-${crypto.randomUUID()}`;
  const client = adminClient(ceph, region);
  await client.send(new CreateBucketCommand({ Bucket: name }));
  client.destroy();
  const keyFile = await folder.write(`${name}.key`, `${ceph.accessKey}\n`);
  const secretFile = await folder.write(`${name}.secret`, `${ceph.secretKey}\n`);
  const archive = (more: Readonly<Record<string, unknown>> = {}) =>
    AgentArchive.parse({
      url: `s3://${name}/logs`,
      endpoint: ceph.endpoint,
      region,
      path_style: true,
      credentials: { access_key_id: { file: keyFile }, secret_access_key: { file: secretFile } },
      ...more,
    });
  return {
    name,
    keyFile,
    secretFile,
    archive,
    async allow(user, { Statement }) {
      const Principal = { AWS: [`arn:aws:iam:::user/${user}`] };
      const statements = Statement.map((statement) => ({ ...statement, Principal }));
      const Policy = JSON.stringify({ Version: "2012-10-17", Statement: statements });
      const client = adminClient(ceph);
      await client.send(new PutBucketPolicyCommand({ Bucket: name, Policy }));
      client.destroy();
    },
    open: (more, options) => {
      const configured = archive(more);
      const place = parseArchiveUrl(configured.url);
      if (place?.kind !== "s3") throw new Error(`no bucket: ${configured.url}`);
      return S3Store.open(place, configured, options);
    },
  };
}
