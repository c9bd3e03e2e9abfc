/** A host that goes on under another name, with its data folder; the archive has its chunks too. */
import assert from "node:assert/strict";
import { eventually } from "../harness/eventually.ts";
import { TestFleet } from "../harness/fleet.ts";
import { combinedLineAt } from "../harness/lines.ts";

const LINES = 400;
const MORE = "archive: { url: 'file:$FOLDER/archive' }\nseal_after: 100ms\ndrain_timeout: 10m";
const SQL = "SELECT host, count(*) AS n, count(DISTINCT request) AS d FROM logs GROUP BY 1";
const HOUR_MS = 3_600_000;
const NOW_MS = Date.now();
/** To the end of the last hour with lines: of a host that nobody knows more is not sure to be there. */
const UNTIL_MS = Math.floor(NOW_MS / HOUR_MS - 3) * HOUR_MS;
const RANGE = ["--since", "12h", "--until", new Date(UNTIL_MS).toISOString()];

/** Of two hours that are over. */
function text(): string {
  const atMs = (i: number) => NOW_MS - (i < LINES / 2 ? 5 : 4) * HOUR_MS;
  return Array.from({ length: LINES }, (_, i) => combinedLineAt(atMs(i), i)).join("");
}

Deno.test("rows of a host that has another name now count once, whoever knows its former one", async () => {
  const hosts = { "web-1": "eu", "web-2": "eu" };
  await using fleet = await TestFleet.start({ hosts, broker: "embedded", more: MORE });
  await Deno.writeTextFile(fleet.logFile("web-1"), text());
  const whole = [{ host: "web-1", n: LINES, d: LINES }];
  const doubled: unknown[] = [];
  /** Soon: until hosts have said what they hold, rows may be missing, and never doubled. */
  const has = () =>
    eventually(async () => {
      const { answer, code } = await fleet.query(SQL, ...RANGE);
      doubled.push(...answer.rows.filter(({ n, d }) => n !== d));
      assert.deepEqual([answer.rows, code, answer.coverage.missing], [whole, 0, []]);
      return true;
    });
  await has();
  const program = fleet.agent("web-1");
  program.kill("SIGTERM"); // all is sealed and archived
  await program.ended();
  await fleet.online(1);
  const config = await Deno.readTextFile(fleet.configFile("web-1"));
  await Deno.writeTextFile(fleet.configFile("web-1"), config.replace("host: web-1", "host: web-9"));
  fleet.startAgent("web-1");
  await fleet.online(2);
  await has();

  await fleet.killOrchestrator();
  await Deno.remove(fleet.path("orchestrator"), { recursive: true });
  await fleet.startOrchestrator(); // it has never heard of web-1
  await fleet.online(2);
  await has();
  assert.deepEqual(doubled, []);
});
