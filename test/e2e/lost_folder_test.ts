/** A host whose chunks the archive has too, and then alone: its data folder is lost. */
import assert from "node:assert/strict";
import { eventually } from "../harness/eventually.ts";
import { TestFleet } from "../harness/fleet.ts";
import { combinedLineAt } from "../harness/lines.ts";

const LINES = 400;
const MORE = "archive: { url: 'file:$FOLDER/archive' }\nseal_after: 100ms\ndrain_timeout: 10m";
const SQL = "SELECT host, count(*) AS n, count(DISTINCT request) AS d FROM logs GROUP BY 1";
const RANGE = ["--since", "12h", "--until", "3h"];

/** Lines of two hours that are over, and one that is none. */
function text(): string {
  const atMs = (i: number) => Date.now() - (i < LINES / 2 ? 5 : 4) * 3_600_000;
  const lines = Array.from({ length: LINES }, (_, i) => combinedLineAt(atMs(i), i));
  return [...lines.slice(0, 50), "no line of a log\n", ...lines.slice(50)].join("");
}

Deno.test("a chunk that host and archive have counts once; a host that lost its folder is read there", async () => {
  const hosts = { "web-1": "eu", "web-2": "eu" };
  await using fleet = await TestFleet.start({ hosts, broker: "embedded", more: MORE });
  await Deno.writeTextFile(fleet.logFile("web-1"), text());
  const whole = [{ host: "web-1", n: LINES, d: LINES }];
  /** Soon: hosts say what they hold, and read their logs, as they come to it. */
  const has = (...flags: string[]) =>
    eventually(async () => {
      const { answer, code } = await fleet.query(SQL, ...RANGE, ...flags);
      assert.deepEqual([answer.rows, code, answer.coverage.missing], [whole, 0, []]);
      return answer.coverage;
    });
  await has();
  const restart = async (signal: "SIGTERM" | "SIGKILL", meanwhile: () => Promise<void>) => {
    const program = fleet.agent("web-1");
    program.kill(signal); // SIGTERM: all is sealed and archived
    await program.ended();
    await fleet.online(1);
    await meanwhile();
    fleet.startAgent("web-1");
    await fleet.online(2);
  };
  await restart("SIGTERM", async () => void await has()); // the neighbour reads it in the archive
  // From its own disk, as soon as it has said what is there.
  await eventually(async () => {
    const { archive } = await has("--source", "archive");
    return archive?.requests === 0;
  });
  await has();

  const lose = () => Deno.remove(fleet.path("web-1", "data"), { recursive: true });
  await restart("SIGKILL", lose);
  const again = await has(); // it reads its log files again, from their beginning
  assert.equal(again.rows_scanned, LINES);

  await restart("SIGKILL", async () => {
    await lose();
    await Deno.remove(fleet.logFile("web-1"));
  });
  await has();
  await has("--source", "archive");
  const rejects = "SELECT count(*) AS n FROM rejects";
  await eventually(async () => {
    const { answer } = await fleet.query(rejects, ...RANGE, "--source", "archive");
    assert.deepEqual(answer.rows, [{ n: 1 }]);
    return true;
  });
});
