/** What an operator sees live: new lines of the fleet as they are written. */
import assert from "node:assert/strict";
import { connectAsync } from "mqtt";
import { open, parseBody } from "../../protocol/envelope.ts";
import { TailMessage } from "../../protocol/messages.ts";
import { eventually } from "../harness/eventually.ts";
import { TestFleet } from "../harness/fleet.ts";
import { combinedLine } from "../harness/lines.ts";

const HOSTS = { "web-1": "eu-west-1", "web-2": "us-east-1" };

async function write(fleet: TestFleet, host: string, ...numbers: number[]) {
  const text = numbers.map(combinedLine).join("");
  await Deno.writeTextFile(fleet.logFile(host), text, { append: true });
}

Deno.test("tail shows new lines of all hosts by time, as many as it may, until Ctrl-C", async () => {
  await using fleet = await TestFleet.start({ hosts: HOSTS, broker: "embedded" });
  await using broker = await spy(fleet.brokerUrl);
  await write(fleet, "web-1", 0);
  await eventually(async () =>
    (await fleet.query("SELECT count(*) AS n FROM logs")).answer.rows[0]?.n === 1
  );

  await using tail = fleet.startCli("tail", "status >= 500", "--rate", "20");
  await tail.waitForLine(/^tailing logs · 2\/2 hosts · q-/);
  await write(fleet, "web-2", 3_000);
  await write(fleet, "web-1", 1_000, 1_001, 4_000);
  await write(fleet, "web-2", 2_000);
  await tail.waitForLine(/item.4000/);
  const shown = tail.stdout.trimEnd().split("\n").map((line) =>
    line.replace(/ .* (\d+) "-".*/, " $1")
  );
  assert.deepEqual(shown, ["web-1 1000", "web-2 2000", "web-2 3000", "web-1 4000"]);

  await write(fleet, "web-1", ...Array.from({ length: 1_000 }, (_, i) => 10 * i));
  await tail.waitForLine(/^… 980 lines left out: over --rate 20$/);
  await eventually(() => tail.stdout.split("\n").length === 4 + 20 + 1);
  tail.kill("SIGINT");
  await eventually(() => broker.ends.length === 2, 500);
  assert.deepEqual(new Set(broker.ends), new Set(["web-1 cancelled", "web-2 cancelled"]));
  assert.equal((await tail.ended()).code, 130);

  const wrong = await fleet.cli("tail", "statuss = 500");
  assert.equal(wrong.code, 64);
  assert.match(wrong.stderr, /statuss/);
});

/** Hears the last words of tails. */
async function spy(url: string) {
  const client = await connectAsync(url);
  const ends: string[] = [];
  client.on("message", (topic, payload) => {
    const { end } = parseBody(TailMessage, open(payload).body, "tail");
    if (end !== undefined) ends.push(`${topic.split("/")[2]} ${end.code}`);
  });
  await client.subscribeAsync("logvend/a/+/tail/#", { qos: 1 });
  return {
    ends,
    async [Symbol.asyncDispose]() {
      await client.endAsync(true);
    },
  };
}
