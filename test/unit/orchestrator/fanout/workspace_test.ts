/** workspace.ts: one answer's DuckDB and folder, closed to everything else. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { Workspace, WorkspacePool } from "../../../../orchestrator/fanout/workspace.ts";
import { eventually } from "../../../harness/eventually.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";

Deno.test("SQL in a workspace reaches its own folder and nothing beside it", async () => {
  await using folder = await TempFolder.make();
  const secret = await folder.write("secret.csv", "a\n1\n");
  await using workspace = await Workspace.open(folder.join("w"));
  const { engine } = workspace;
  const own = `${workspace.folder()}/own.csv`;
  await engine.run(`COPY (SELECT 1 AS a) TO '${own}'`);
  assert.deepEqual((await engine.read(`SELECT a::INTEGER FROM '${own}'`)).rows, [[1]]);
  const refused = async (sql: string) => {
    await assert.rejects(engine.run(sql), /disabled by configuration|has been locked/);
  };
  await refused(`SELECT * FROM read_csv('${secret}')`);
  await refused(`SELECT * FROM read_csv('${folder.join("w")}/../secret.csv')`);
  await refused(`COPY (SELECT 1) TO '${folder.join("other.csv")}'`);
  await refused("SET allowed_directories = ['/']");
});

Deno.test("a workspace leaves nothing behind", async () => {
  await using folder = await TempFolder.make();
  {
    await using workspace = await Workspace.open(folder.join("w"));
    await Deno.writeTextFile(`${workspace.folder()}/a`, "");
  }
  await using _unused = await Workspace.open(folder.join("v"));
  assert.deepEqual([...Deno.readDirSync(folder.path)], []);
});

Deno.test("nobody gets the workspace of another", async () => {
  await using folder = await TempFolder.make();
  await using pool = new WorkspacePool(folder.path);
  const taken = await Promise.all([pool.take(), pool.take(), pool.take()]);
  assert.equal(new Set(taken.map((workspace) => workspace.folder())).size, 3);
  for (const workspace of taken) pool.giveBack(workspace);
});

Deno.test("a pool that ends waits for what is taken, and closes that too", async () => {
  await using folder = await TempFolder.make();
  const pool = new WorkspacePool(folder.path);
  const [workspace, other] = await Promise.all([pool.take(), pool.take()]);
  await Deno.writeTextFile(join(workspace.folder(), "a"), "");
  pool.giveBack(other);
  let hasEnded = false;
  const ending = pool[Symbol.asyncDispose]().then(() => hasEnded = true);
  const isClosed = () => other.engine.run("SELECT 1").then(() => false, () => true);
  await eventually(isClosed);
  await workspace.engine.run("SELECT 1");
  assert.equal(hasEnded, false);
  pool.giveBack(workspace);
  await ending;
  await assert.rejects(workspace.engine.run("SELECT 1"));
  assert.deepEqual([...Deno.readDirSync(folder.path)], []);
});

Deno.test("a merge that is larger than its memory spills, and leaves nothing behind", async () => {
  await using folder = await TempFolder.make();
  {
    await using workspace = await Workspace.open(folder.join("w"), 32 * 2 ** 20);
    const { engine } = workspace;
    await engine.run(
      "CREATE TABLE t AS SELECT range AS i, md5(range::VARCHAR) AS t FROM range(1e6::INT)",
    );
    const { rows } = await engine.read("SELECT count(DISTINCT t)::INT, count(*)::INT FROM t");
    assert.deepEqual(rows, [[1_000_000, 1_000_000]]);
  }
  assert.deepEqual([...Deno.readDirSync(folder.path)], []);
});
