/** The catalog in S3: two agents at once, at a store that fails, with rights of an agent's. */
import assert from "node:assert/strict";
import { manifestKey } from "../../protocol/archive/catalog/catalog_keys.ts";
import { agentPolicy } from "../../orchestrator/archive/policy.ts";
import { startCeph } from "../harness/ceph/cluster.ts";
import { CEPH_IS_MISSING } from "../harness/ceph/root.ts";
import { FaultProxy } from "../harness/fault_proxy.ts";
import { makeBucket } from "../harness/s3.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import {
  addressOf,
  agentOf,
  countRows,
  dateOf,
  foundKeys,
  keyOf,
  putChunk,
  scopeOf,
  signal,
} from "../unit/agent/archive/catalog/scene.ts";
import { foldDay } from "../../agent/archive/catalog/fold_day.ts";

const DAYS = 3;

Deno.test({
  name:
    "a needle in S3: manifests of two agents, with an agent's rights, and requests that are counted",
  ignore: CEPH_IS_MISSING,
  async fn() {
    await using folder = await TempFolder.make();
    await using ceph = await startCeph();
    const bucket = await makeBucket(ceph, folder);
    await using admin = await bucket.open();
    const chunks = Array.from(
      { length: DAYS },
      (_, day) => [1, 2].map((i) => ({ day, host: `web-${i}` })),
    )
      .flat();
    for (const chunk of chunks) await putChunk(admin, folder, chunk);
    await ceph.admin(
      ...["user", "create", "--uid=agent", "--display-name=agent"],
      ...["--access-key=agent-key", "--secret=agent-secret"],
    );
    const place = { bucket: bucket.name, prefix: "logs", region: "eu", host: null };
    await bucket.allow("agent", agentPolicy(place));
    await Deno.writeTextFile(bucket.keyFile, "agent-key");
    await Deno.writeTextFile(bucket.secretFile, "agent-secret");
    await using proxy = FaultProxy.start({ port: ceph.port });
    await using store = await bucket.open({ endpoint: proxy.endpoint }, { attemptsMax: 1 });
    const agents = await Promise.all(
      ["web-1", "web-2"].map((host) => agentOf(store, folder, { host })),
    );
    const [first, second] = agents;
    assert.ok(first && second);

    // Both, without waiting for their turn.
    const outcomes = await Promise.all(
      agents.flatMap(({ catalog }, i) =>
        Array.from({ length: DAYS }, (_, day) =>
          foldDay(
            {
              ...catalog,
              folder: folder.join(`fold-${i}`),
              clock: Date.parse.bind(null, "2027-01-01"),
            },
            { stream: "logs", region: "eu", date: dateOf(day) },
            ["remote_addr"],
            signal,
          ))
      ),
    );
    assert.ok(outcomes.filter((outcome) => outcome === "stored").length >= DAYS, outcomes.join());
    await first.catalog.keeper.round(signal);

    proxy.requests.length = 0;
    const needle = { day: 1, host: "web-2" };
    const scope = scopeOf([addressOf(needle)]);
    assert.deepEqual(await countRows(await agentOf(store, folder), scope), [
      { address: addressOf(needle), rows: 1 },
    ]);
    const read = proxy.requests.map(decodeURIComponent).filter((line) => /^GET .*hour=/.test(line));
    assert.ok(read.length > 0, proxy.requests.join("\n"));
    for (const line of read) assert.ok(line.includes(keyOf(needle)), line);

    // 503, a cut reply, a reset: asked again, or the day is listed.
    for (
      const fault of [
        { kind: "busy" },
        { kind: "truncated", afterBytes: 500 },
        { kind: "reset", afterBytes: 10 },
      ] as const
    ) {
      proxy.rule = { fault, only: /^GET/, times: 2 };
      const reader = await agentOf(store, folder, { host: "web-2" });
      assert.deepEqual(await foundKeys(reader, scope), [keyOf(needle)], fault.kind);
      proxy.rule = null;
    }

    // Two that change the same day late, at once.
    const late = [1, 2].map((i) => ({ day: 0, host: `web-${i}`, chunk: 9 }));
    await Promise.all(agents.map(async (agent, i) => {
      await agent.catalog.own.open([{ stream: "logs", date: dateOf(0) }], signal);
      await putChunk(admin, folder, late[i] ?? needle);
      await agent.catalog.own.close(signal);
      await agent.catalog.keeper.round(signal);
    }));
    for (const chunk of late) {
      assert.deepEqual(
        await foundKeys(second, scopeOf([addressOf(chunk)])).then((keys) =>
          keys.filter((key) => key === keyOf(chunk))
        ),
        [keyOf(chunk)],
      );
    }
    const all = [...chunks, ...late].map(keyOf).sort();
    assert.deepEqual(await foundKeys(first, scopeOf()), all);
    const key = manifestKey({ stream: "logs", region: "eu", date: dateOf(0) });
    await assert.rejects(store.remove(key, signal), /access denied/);
  },
});
