/** Hosts that the orchestrator has never heard of, and of which an archive has chunks: whole processes. */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { chunkPath } from "../../protocol/chunk/chunk_path.ts";
import { TestFleet } from "../harness/fleet.ts";
import { freePorts } from "../harness/ports.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { writeChunk } from "../unit/agent/archive/reads/objects.ts";

/** One row a second, 19:00 to 22:00. */
const HOUR_ROWS = 3_600;
const HOURS = [19, 20, 21];
const ALL = ["--since", "2026-11-22", "--until", "2026-11-22T22:00:00Z", "--timeout", "10m"];

const SQL = "SELECT host, count(*)::INTEGER AS n FROM logs GROUP BY 1 ORDER BY 1";

/** A new orchestrator and one agent; and an archive with what hosts have left that are gone. */
async function scene(gone: readonly { host: string; region: string }[]) {
  await using stack = new AsyncDisposableStack();
  const archive = stack.use(await TempFolder.make());
  for (const { host, region } of gone) {
    for (const hour of HOURS) {
      const place = { stream: "logs", region, host, hour: `2026-11-22T${hour}` };
      const path = archive.join(chunkPath({ ...place, chunk: String(hour).padStart(16, "0") }));
      await Deno.mkdir(dirname(path), { recursive: true });
      await writeChunk(path, { rows: HOUR_ROWS, fromSecond: (hour - 19) * HOUR_ROWS, host });
    }
  }
  const more = `archive: { url: 'file:${archive.path}', every: $QUIET }`;
  const hosts = { "web-1": "eu-west-1" };
  const fleet = stack.use(await TestFleet.start({ hosts, broker: "embedded", more }));
  const owned = stack.move();
  return { fleet, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

Deno.test("hosts that nobody has heard of are in the answer as far as an archive has them", async () => {
  await using owned = await scene([
    { host: "web-2", region: "eu-west-1" },
    { host: "web-3", region: "us-east-1" }, // nobody there could read it
  ]);
  const { fleet } = owned;
  const whole = [{ host: "web-2", n: 3 * HOUR_ROWS }];
  const past = await fleet.query(SQL, ...ALL);
  assert.deepEqual(past.answer.rows, whole);
  const { asked, answered, missing, archive } = past.answer.coverage;
  assert.deepEqual([past.code, asked, answered, missing], [0, 2, 2, []]);
  assert.equal(archive?.chunks, 3);
  const named = await fleet.query(SQL, ...ALL, "--host", "web-2");
  assert.deepEqual([named.code, named.answer.rows], [0, whole]);
  const explained = await fleet.cli("query", SQL, ...ALL, "--explain");
  assert.match(explained.stdout, /^archive {2}3 objects, 6 requests/m);

  const open = await fleet.cli("query", SQL, "--since", "2026-11-22T21:00:00Z");
  assert.equal(open.code, 75);
  const said =
    /offline 1 {2}web-2 {2}never heard by this orchestrator {2}archive used to 2026-11-22 22:00$/m;
  assert.match(open.stderr, said);

  const notThere = [
    ["--since", "2026-11-22T22:00:00Z"],
    [...ALL, "--host", "web-1"],
    [...ALL, "--on", "service = web-server"], // whose labels nobody knows
  ];
  for (const flags of notThere) {
    const { code, answer } = await fleet.query(SQL, ...flags);
    assert.deepEqual(
      [code, answer.rows, answer.coverage.archive],
      [0, [], undefined],
      flags.join(" "),
    );
  }
});

Deno.test("where nobody can say whom an archive has, no answer is called complete", async () => {
  const [port = 0] = freePorts(1); // nobody listens there
  const key = "{ file: $FOLDER/web-1.yaml }"; // any text
  const keys = `credentials: { access_key_id: ${key}, secret_access_key: ${key} }`;
  await using fleet = await TestFleet.start({
    hosts: { "web-1": "eu-west-1" },
    broker: "embedded",
    more: `archive: { url: s3://logs, endpoint: 'http://127.0.0.1:${port}', ${keys} }`,
  });
  const heardSince = new Date().toISOString();
  const { code, answer } = await fleet.query(SQL, ...ALL);
  assert.deepEqual([code, answer.rows], [75, []]);
  const missing = answer.coverage.missing.find(({ host }) => host === "others of eu-west-1");
  // That it is still looking, or what is wrong with the store.
  const reason = /^who else has archived chunks there is not known: web-1/;
  assert.match(missing?.reason ?? "", reason);
  const now = await fleet.query(SQL, "--since", heardSince);
  assert.deepEqual([now.code, now.answer.coverage.missing], [0, []]); // whoever lives is heard
});
