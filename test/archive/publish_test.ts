/** `logvend query --publish` into a real S3 store: whole results, and whatever may go wrong. */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { ApiClient } from "../../orchestrator/cli/client.ts";
import { publishAnswer } from "../../orchestrator/cli/publish.ts";
import type { PublishCommand } from "../../orchestrator/cli/publish.ts";
import { ResultManifest } from "../../orchestrator/publish/manifest.ts";
import { hashObject, readObject } from "../../protocol/archive/object_store.ts";
import { literal } from "../../protocol/schema/table_sql.ts";
import { Engine } from "../../queries/duckdb/engine.ts";
import { CapturedTerminal } from "../harness/captured_terminal.ts";
import { startCeph } from "../harness/ceph/cluster.ts";
import { CEPH_IS_MISSING } from "../harness/ceph/root.ts";
import { eventually } from "../harness/eventually.ts";
import { FaultProxy } from "../harness/fault_proxy.ts";
import { ourProgram, runProgram, startProgram } from "../harness/program.ts";
import { makeBucket } from "../harness/s3.ts";
import type { Bucket } from "../harness/s3.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { logsWith, Scene } from "../unit/orchestrator/scene.ts";
import type { Script } from "../unit/orchestrator/scripted_agent.ts";

const { signal } = new AbortController();

/** Hosts say only once that they are there: that is believed for as long as the file takes. */
const presence = { lease_ms: 3_600_000 };

/** Says so at once: nobody waits for it. */
const failing: Script = ({ ack, send }) => {
  ack();
  const error = { code: "internal", message: "as told by a test" } as const;
  send({ seq: 0, parts: [], end: { ok: false, error } });
};

/** No table: the orchestrator answers it alone. Rows that do not pack well. */
const SQL = `SELECT i, 1::HUGEINT AS wide, hash(i)::VARCHAR || hash(-i) || hash(i * 1000003) AS text
  FROM (SELECT unnest(range(400000)) AS i)`;

/** An orchestrator, a key to ask it with, a bucket and an orchestrator.yaml that names it. */
async function begin(stack: AsyncDisposableStack) {
  const folder = stack.use(await TempFolder.make());
  const [ceph, scene] = await Promise.all([startCeph(), Scene.start()]);
  stack.use(ceph);
  stack.use(scene);
  const bucket = await makeBucket(ceph, folder);
  const key = await folder.write("operator.key", await scene.pem());
  const configure = (changed: { endpoint?: string; name?: string } = {}) =>
    folder.write(
      "orchestrator.yaml",
      configuration({ ...bucket, endpoint: ceph.endpoint, ...changed }),
    );
  const config = await configure();
  // What is killed leaves its answer where temporary files go.
  const env = { LOGVEND_URL: scene.orchestrator.url, LOGVEND_KEY: key, TMPDIR: folder.path };
  await scene.agent({ host: "web-2", script: failing, presence });
  const args = (place: string, more: readonly string[], sql = SQL) =>
    ourProgram(
      "orchestrator/main.ts",
      ...["query", sql, "--max-bytes", "1GB", "-c", config],
      ...["--publish", place, ...more],
    );
  return {
    ...{ folder, ceph, scene, bucket, configure, config, key },
    url: `s3://${bucket.name}/results/one/`,
    store: stack.use(await bucket.open({ url: `s3://${bucket.name}/results/one` })),
    run: (place: string, ...more: string[]) => runProgram({ args: args(place, more), env }),
    start: (place: string, ...more: string[]) => startProgram({ args: args(place, more), env }),
    ask: (sql: string, place: string, ...more: string[]) =>
      runProgram({ args: args(place, more, sql), env }),
  };
}

function configuration(
  { name, keyFile, secretFile, endpoint }: Pick<Bucket, "name" | "keyFile" | "secretFile"> & {
    endpoint: string;
  },
) {
  return `data_dir: ./o
publish:
  - url: s3://${name}/any
    endpoint: ${endpoint}
    path_style: true
    credentials: { access_key_id: { file: ${keyFile} }, secret_access_key: { file: ${secretFile} } }
`;
}

type World = Awaited<ReturnType<typeof begin>>;

/** What the manifest names, as it lies there: checked by sums, and read by DuckDB. */
async function published({ store, folder }: World) {
  const text = new TextDecoder().decode(await readObject(store, "_manifest.json", {}, signal));
  const manifest = ResultManifest.parse(JSON.parse(text));
  const keys = (await Array.fromAsync(store.list("", signal))).map(({ key }) => key);
  const named = [...manifest.files.map(({ key }) => key), "_manifest.json"];
  assert.deepEqual(keys.toSorted(), named.toSorted(), "nothing else is there");
  const files: string[] = [];
  for (const { key, sha256, bytes } of manifest.files) {
    assert.equal(await hashObject(store, key, {}, signal), sha256);
    const facts = await store.head(key, signal);
    assert.deepEqual([facts?.bytes, facts?.sha256], [bytes, sha256]);
    files.push(await folder.write(`read/${key}`, await readObject(store, key, {}, signal)));
  }
  await using engine = await Engine.open();
  const { rows } = await engine.read(
    `SELECT count(*), count(DISTINCT i), sum(i)::BIGINT FROM read_parquet([${
      files.map(literal).join(", ")
    }])`,
  );
  return { manifest, sums: rows[0] };
}

const SUMS = [400_000n, 400_000n, 79_999_800_000n];

Deno.test({
  name: "a result is published to S3 whole or not at all",
  ignore: CEPH_IS_MISSING,
  fn: async (t) => {
    await using stack = new AsyncDisposableStack();
    const world = await begin(stack);
    const { bucket, store, url, ceph } = world;

    await t.step("in parts of a multipart upload, with a manifest that says all", async () => {
      const ended = await world.run(url);
      assert.equal(ended.code, 0, ended.stderr);
      assert.equal(ended.stdout, `s3://${bucket.name}/results/one/_manifest.json\n`);
      assert.match(ended.stderr, /^published 400000 rows in 1 file, .* MB$/m);
      const { manifest, sums } = await published(world);
      assert.deepEqual(sums, SUMS);
      assert.deepEqual([manifest.sql, manifest.rows, manifest.complete], [SQL, 400_000, true]);
      assert.ok((manifest.files[0]?.bytes ?? 0) > 8_388_608, "larger than one part");
      assert.deepEqual(manifest.columns, [
        { name: "i", type: "BIGINT" },
        { name: "wide", type: "DECIMAL(38,0)" }, // as it is in the file
        { name: "text", type: "VARCHAR" },
      ]);
    });

    await t.step("a place that is taken is refused before anything is asked", async () => {
      const again = await world.run(url);
      assert.equal(again.code, 64, again.stderr);
      assert.match(again.stderr, /is taken: q-[0-9a-f]{6} was published there at 20.*--replace it/);
      const { queries } = await (await world.scene.get("/v1/queries")).json();
      assert.equal(queries.length, 1);
    });

    await t.step(
      "killed in the middle: the old result stays, the next one has it all",
      async () => {
        await using proxy = FaultProxy.start({ port: ceph.port });
        await world.configure({ endpoint: proxy.endpoint });
        proxy.rule = { fault: { kind: "silence" }, only: /partNumber=2/ };
        const killed = world.start(url, "--replace");
        await eventually(() => Promise.resolve(proxy.count(/partNumber=2/) > 0));
        killed.kill("SIGKILL");
        await killed.ended();
        await world.configure();
        const refused = await world.run(url);
        assert.equal(refused.code, 64);
        const before = await readObject(store, "_manifest.json", {}, signal);
        const ended = await world.run(url, "--replace", "-o", "json");
        assert.equal(ended.code, 0, ended.stderr);
        const { manifest, sums } = await published(world);
        assert.deepEqual(sums, SUMS);
        assert.deepEqual(JSON.parse(ended.stdout), manifest);
        assert.notDeepEqual(await readObject(store, "_manifest.json", {}, signal), before);
      },
    );

    await t.step("Ctrl-C in the middle leaves nothing there", async () => {
      await using proxy = FaultProxy.start({ port: ceph.port });
      await world.configure({ endpoint: proxy.endpoint });
      proxy.rule = { fault: { kind: "silence" }, only: /partNumber=2/ };
      const stopped = world.start(`s3://${bucket.name}/results/stopped/`);
      await eventually(() => Promise.resolve(proxy.count(/partNumber=2/) > 0));
      stopped.kill("SIGINT");
      assert.equal((await stopped.ended()).code, 130);
      await using place = await bucket.open({ url: `s3://${bucket.name}/results/stopped` });
      assert.deepEqual(await Array.fromAsync(place.list("", signal)), []);
      await world.configure();
    });

    const command = (terminal: CapturedTerminal): PublishCommand => {
      const options = { timeout: "3m", maxBytes: "1GB", output: "table", replace: true } as const;
      return {
        sql: SQL,
        options: { ...options, key: world.key, config: world.config },
        client: new ApiClient(world.scene.orchestrator.url),
        terminal,
        url,
        partBytesMax: 8e6,
      };
    };

    await t.step(
      "the store takes no files: the old result stays, and the answer is kept",
      async () => {
        await using proxy = FaultProxy.start({ port: ceph.port });
        await world.configure({ endpoint: proxy.endpoint });
        proxy.rule = { fault: { kind: "unknown" }, only: /^(PUT|POST) .*\.parquet/ };
        const before = await published(world);
        const terminal = new CapturedTerminal();
        await assert.rejects(publishAnswer(command(terminal), () => 0), /does not know a header/);
        assert.deepEqual(await published(world), before);
        const [, kept = ""] = /the answer is kept in (.*)$/m.exec(terminal.stderr) ?? [];
        await using engine = await Engine.open();
        const { rows } = await engine.read(`SELECT count(*) FROM ${literal(kept)}`);
        assert.deepEqual(rows, [[400_000n]]);
        await Deno.remove(dirname(kept), { recursive: true });
        await world.configure();
      },
    );

    await t.step("in several files when it is large", async () => {
      const terminal = new CapturedTerminal();
      assert.equal(await publishAnswer(command(terminal), () => 0), 0);
      const { manifest, sums } = await published(world);
      assert.deepEqual(sums, SUMS);
      assert.ok(manifest.files.length > 1, terminal.stderr);
      const names = manifest.files.map(({ key }) => key.slice(8));
      assert.deepEqual(names.slice(0, 2), ["-00000.parquet", "-00001.parquet"]);
    });

    await t.step("what is wrong with the store is said, and nothing is asked", async () => {
      const check = async (place: string, code: number, expected: RegExp) => {
        const ended = await world.run(place);
        assert.equal(ended.code, code, ended.stderr);
        assert.match(ended.stderr, expected);
      };
      const asked = async () =>
        (await (await world.scene.get("/v1/queries")).json()).queries.length;
      const before = await asked();
      await ceph.admin(
        ...["user", "create", "--uid=reader", "--display-name=reader"],
        ...["--access-key=reader-key", "--secret=reader-secret"],
      );
      const Resource = [`arn:aws:s3:::${bucket.name}`, `arn:aws:s3:::${bucket.name}/*`];
      const Action = ["s3:ListBucket", "s3:GetObject"];
      await bucket.allow("reader", { Statement: [{ Effect: "Allow", Action, Resource }] });
      await Deno.writeTextFile(bucket.keyFile, "reader-key");
      await Deno.writeTextFile(bucket.secretFile, "reader-secret");
      const other = `s3://${bucket.name}/results/two`;
      await check(other, 77, /access denied .*s3:PutObject/);
      await Deno.writeTextFile(bucket.secretFile, "wrong");
      await check(other, 77, /the credentials are wrong .*renew its keys \(publish: in orch/);
      const none = bucket.name.replace("logs", "none");
      await world.configure({ name: none });
      await Deno.writeTextFile(bucket.keyFile, ceph.accessKey);
      await Deno.writeTextFile(bucket.secretFile, ceph.secretKey);
      await check(
        `s3://${none}/x`,
        78,
        /there is no bucket none-.*; make it, or correct --publish/,
      );
      assert.equal(await asked(), before);
    });

    await t.step("hosts are missing: it is published only where that is allowed", async () => {
      await world.configure();
      await world.scene.agent({ host: "web-1", logs: logsWith([200, 404]), presence });
      const sql = "SELECT status FROM logs";
      const partial = await world.ask(sql, url, "--replace");
      assert.equal(partial.code, 75, partial.stderr);
      assert.match(partial.stderr, /not published: hosts are missing from it; --allow-partial/);
      assert.equal((await published(world)).manifest.sql, SQL, "the older one stays");
      const allowed = await world.ask(sql, url, "--replace", "--allow-partial", "-o", "json");
      assert.equal(allowed.code, 0, allowed.stderr);
      const { complete, rows, coverage } = ResultManifest.parse(JSON.parse(allowed.stdout));
      assert.deepEqual([complete, rows, coverage.missing.map(({ host }) => host)], [
        false,
        2,
        ["web-2"],
      ]);
    });
  },
});
