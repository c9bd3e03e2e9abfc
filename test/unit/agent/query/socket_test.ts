/** The socket over which a running agent lends its files. */
import { accessTables } from "../../../harness/tables.ts";
import assert from "node:assert/strict";
import { connectSnapshots, serveSnapshots, socketPath } from "../../../../agent/query/socket.ts";
import type { SnapshotRequest, SnapshotSource } from "../../../../agent/store/snapshot.ts";
import { LogvendError } from "../../../../protocol/errors.ts";
import { eventually } from "../../../harness/eventually.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";

/** A store that notes what is lent at the moment. */
class Lender implements SnapshotSource {
  lent = 0;
  asked: SnapshotRequest | null = null;

  tables() {
    return accessTables("logs");
  }

  snapshot(request: SnapshotRequest) {
    this.asked = request;
    this.lent++;
    return Promise.resolve({
      tables: new Map([["logs", { files: ["/a.parquet"], rows: 3, bytes: 70 }]]),
      rejects: 2,
      gaps: { count: 1, bytes: 9 },
      lost: { files: 0, rows: 0 },
      [Symbol.asyncDispose]: () => Promise.resolve(void this.lent--),
    });
  }
}

const REQUEST = { tables: ["logs"], since: "2026-11-22T19:00:00Z", until: null };

Deno.test("an agent lends files for as long as the client is connected", async () => {
  await using folder = await TempFolder.make();
  const lender = new Lender();
  await using _server = await serveSnapshots(folder.path, lender);
  {
    await using source = await connectSnapshots(folder.path);
    assert.deepEqual(source?.tables(), accessTables("logs"));
    await using snapshot = await source?.snapshot(REQUEST);
    assert.deepEqual(lender.asked, REQUEST);
    assert.deepEqual(snapshot?.tables.get("logs"), { files: ["/a.parquet"], rows: 3, bytes: 70 });
    assert.equal(snapshot?.rejects, 2);
    assert.deepEqual(snapshot?.gaps, { count: 1, bytes: 9 });
    assert.equal(lender.lent, 1);
  }
  await eventually(() => lender.lent === 0);
});

Deno.test("the end of the agent gives every lent file back", async () => {
  await using folder = await TempFolder.make();
  const lender = new Lender();
  const server = await serveSnapshots(folder.path, lender);
  await using source = await connectSnapshots(folder.path);
  await source?.snapshot(REQUEST);
  await server[Symbol.asyncDispose]();
  await eventually(() => lender.lent === 0);
  assert.equal(await connectSnapshots(folder.path), null);
});

Deno.test("an error of the store reaches the client", async () => {
  await using folder = await TempFolder.make();
  await using _server = await serveSnapshots(folder.path, {
    tables: () => [],
    snapshot: () => Promise.reject(new LogvendError("unavailable", "The disk is gone")),
  });
  await using source = await connectSnapshots(folder.path);
  assert(source !== null);
  await assert.rejects(source.snapshot(REQUEST), { code: "unavailable", message: /disk is gone/ });
});

Deno.test("without an agent there is nobody to ask, even when one was killed", async () => {
  await using folder = await TempFolder.make();
  assert.equal(await connectSnapshots(folder.path), null);
  const path = socketPath(folder.path);
  const lender = new Lender();
  {
    using listener = Deno.listen({ transport: "unix", path: `${path}.dead` });
    assert.equal(listener.addr.transport, "unix");
    await Deno.rename(`${path}.dead`, path); // stays when its listener ends
  }
  assert.equal(await connectSnapshots(folder.path), null);
  await using _server = await serveSnapshots(folder.path, lender);
  await using source = await connectSnapshots(folder.path);
  assert.deepEqual(source?.tables(), accessTables("logs"));
});

Deno.test("only the agent's user may use the socket, and a path that is too long is named", async () => {
  await using folder = await TempFolder.make();
  await using _server = await serveSnapshots(folder.path, new Lender());
  const { mode } = await Deno.stat(socketPath(folder.path));
  assert.equal((mode ?? 0) & 0o777, 0o600);
  assert.throws(() => socketPath(`/${"long".repeat(30)}`), { code: "bad_config" });
});
