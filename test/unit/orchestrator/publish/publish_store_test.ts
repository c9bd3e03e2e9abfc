import assert from "node:assert/strict";
import { ArchiveStore } from "../../../../protocol/archive/archive_config.ts";
import { openPublishStore, PublishStore } from "../../../../orchestrator/publish/publish_store.ts";

const NONE = { publish: [], archives: [] };

Deno.test("what is no place for a result is refused, with what is", async () => {
  const check = async (url: string, expected: RegExp) =>
    await assert.rejects(openPublishStore(url, NONE), expected);
  await check("acme", /--publish acme: wanted s3:\/\/BUCKET\/PREFIX\/ or file:FOLDER/);
  await check("s3://acme-results", /a result needs a prefix of its own/);
  await check("s3://acme-results/", /a result needs a prefix of its own/);
  await check("s3://acme-logs/prod/stream=logs/x", /an archive's chunks lie below stream=/);
});

Deno.test("a bucket is reached as it is configured; slashes at the ends mean nothing", async () => {
  const known = {
    publish: [PublishStore.parse({ url: "s3://acme-results/a", storage_class: "STANDARD_IA" })],
    archives: [
      ArchiveStore.parse({
        url: "s3://acme-logs/prod",
        endpoint: "http://127.0.0.1:1",
        path_style: true,
        credentials: { access_key_id: { env: "PATH" }, secret_access_key: { env: "PATH" } },
      }),
    ],
  };
  const urlOf = async (url: string) => {
    await using store = await openPublishStore(url, known);
    return store.url;
  };
  assert.equal(await urlOf("s3://acme-results/2026/"), "s3://acme-results/2026");
  assert.equal(await urlOf("file:/srv/results/"), "file:/srv/results");
  await using store = await openPublishStore("s3://acme-logs/reports/1", known);
  await assert.rejects(
    Array.fromAsync(store.list("", AbortSignal.timeout(60_000))),
    /no answer from http:\/\/127\.0\.0\.1:1 .*its endpoint \(publish: in orchestrator\.yaml\) right/,
  );
});

Deno.test("a certificate that cannot be read is named by the key it stands under", async () => {
  const url = "s3://acme-results/a";
  const publish = [PublishStore.parse({ url, ca: "/nowhere/ca.pem" })];
  await assert.rejects(
    openPublishStore(url, { ...NONE, publish }),
    /Cannot read its ca \(publish: in orchestrator\.yaml\) \/nowhere\/ca\.pem: /,
  );
});
