import assert from "node:assert/strict";
import { parseArchiveUrl } from "../../../../protocol/archive/archive_config.ts";
import { readAgentConfig } from "../../../../agent/config.ts";
import { LogvendError } from "../../../../protocol/errors.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";

async function configured(folder: TempFolder, archive: string) {
  const yaml = `data_dir: d\narchive: ${archive}\nstreams: [ { name: logs, files: [ a ] } ]\n`;
  return (await readAgentConfig(await folder.write("agent.yaml", yaml))).archive;
}

Deno.test("an archive's URL names a bucket and a prefix, or a folder", () => {
  const check = (url: string, expected: ReturnType<typeof parseArchiveUrl>) =>
    assert.deepEqual(parseArchiveUrl(url), expected, url);
  check("s3://acme-logs", { kind: "s3", bucket: "acme-logs", prefix: "" });
  check("s3://acme-logs/", { kind: "s3", bucket: "acme-logs", prefix: "" });
  check("s3://acme.logs/prod/eu/", { kind: "s3", bucket: "acme.logs", prefix: "prod/eu" });
  check("file:/srv/archive", { kind: "folder", path: "/srv/archive" });
  check("file:///srv/archive", { kind: "folder", path: "/srv/archive" });
  check("s3://Acme/prod", null);
  check("https://acme.blob.core.windows.net/logs", null);
  check("/srv/archive", null);
});

Deno.test("paths of an archive are relative to the file, its URL and defaults are kept", async () => {
  await using folder = await TempFolder.make();
  const s3 = await configured(
    folder,
    "{ url: 's3://acme-logs/prod', region: eu-west-1, ca: ca.pem, " +
      "credentials: { access_key_id: { env: ID }, secret_access_key: { file: keys/secret } } }",
  );
  assert.deepEqual(s3, {
    url: "s3://acme-logs/prod",
    region: "eu-west-1",
    path_style: false,
    ca: folder.join("ca.pem"),
    credentials: {
      access_key_id: { env: "ID" },
      secret_access_key: { file: folder.join("keys/secret") },
    },
    checksums: "full",
    sse: "none",
    every: 3_600_000,
    ask_first: 900_000,
    cache: 2_000_000_000,
    unarchived: "keep",
  });
  assert.equal(
    (await configured(folder, "{ url: 'file:old' }"))?.url,
    `file:${folder.join("old")}`,
  );
  assert.equal((await configured(folder, "{ url: 'file:///old' }"))?.url, "file:/old");
});

Deno.test("an archive that cannot be is refused with what is wanted", async () => {
  await using folder = await TempFolder.make();
  const check = async (archive: string, expected: RegExp) => {
    const error = await configured(folder, archive).then(() => null, (error) => error);
    assert.ok(error instanceof LogvendError && error.code === "bad_config", archive);
    assert.match(error.message.replace(/\s+/g, " "), expected);
  };
  await check("{ url: 'https://acme.blob.core.windows.net/logs' }", /wanted s3:\/\/BUCKET\/PREFIX/);
  await check("{ url: 's3://a-b-c', every: 1m }", /archive\.every: found "1m"; wanted 5m to 24h/);
  await check(
    "{ url: 's3://a-b-c', kms_key: my-key }",
    /archive\.kms_key: found "my-key"; wanted sse: aws:kms beside it/,
  );
  await check("{ url: 's3://a-b-c', bandwidth: 1KB }", /archive\.bandwidth: .*a size from 10KB/);
  await check(
    "{ url: 's3://a-b-c', credentials: { access_key_id: { env: A }, secret_access_key: {} } }",
    /secret_access_key: .*either file or env/,
  );
});
