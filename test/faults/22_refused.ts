/** Sinks that refuse one event for good: it alone is put aside, with the reason, and the rest goes on. */
import { join } from "node:path";
import { eventId } from "../../agent/window/event.ts";
import { eventually } from "../harness/eventually.ts";
import { OpenSearchServer } from "../harness/sinks/opensearch_server.ts";
import { SplunkServer, TOKEN } from "../harness/sinks/splunk_server.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { HOST } from "./agent_process.ts";
import type { Form, Outcome, Scenario } from "./scenario.ts";
import { fileOf } from "./sink_farm.ts";
import type { FarmSink } from "./sink_farm.ts";
import { EVERY_MS } from "./sink_truth.ts";
import { WindowScene } from "./window_scene.ts";

export const scenario: Scenario = { name: "22 one event refused", isQuick: true, run };

async function run({ random, short }: Form): Promise<Outcome> {
  await using folder = await TempFolder.make();
  await using stack = new AsyncDisposableStack();
  // Half of all windows to come have an event that no sink but the first takes.
  const nowMs = Math.floor(Date.now() / EVERY_MS) * EVERY_MS;
  const poisoned = new Set<string>();
  for (let startMs = nowMs - 60_000; startMs < nowMs + 600_000; startMs += 2 * EVERY_MS) {
    const subject = { host: HOST, stream: "logs", startMs, everyMs: EVERY_MS };
    poisoned.add(eventId({ ...subject, group: "status", value: "404" }));
  }
  const sinks = [fileOf(folder), ...await refusing(folder, stack, poisoned)];
  await using scene = await WindowScene.make({ folder, sinks, random });
  await scene.agent.start();
  for (let round = 0; round < (short ? 2 : 12); round++) {
    scene.write(random.between(100, 300), 20);
    await scene.counted();
    if (random.chance(0.7)) continue;
    await scene.agent.kill();
    await scene.agent.start();
  }
  const [, ...strict] = sinks;
  const counts = await scene.assertTruth(new Map(strict.map(({ name }) => [name, poisoned])));
  const [first] = sinks;
  const sent = new Set((await first?.contents() ?? []).map(({ id }) => id));
  const wanted = [...poisoned].filter((id) => sent.has(id)).sort();
  for (const { name } of strict) {
    await eventually(async () => {
      const path = join(scene.agent.dataDir, "windows", "refused", `${name}.jsonl`);
      const lines = (await Deno.readTextFile(path)).trimEnd().split("\n").map((line) =>
        JSON.parse(line)
      );
      const found = [...new Set(lines.map(({ id }) => String(id)))].sort();
      if (found.join() === wanted.join() && lines.every(({ reason }) => reason !== "")) return true;
      throw new Error(`${name} put aside ${found.length} events, not ${wanted.length}`);
    });
  }
  if (wanted.length === 0) throw new Error("No event was to be refused");
  return { caused: `${wanted.length} events refused by each of ${strict.length} sinks`, counts };
}

async function refusing(
  folder: TempFolder,
  stack: AsyncDisposableStack,
  poisoned: ReadonlySet<string>,
): Promise<FarmSink[]> {
  const search = stack.use(new OpenSearchServer({ poisoned }));
  const splunk = stack.use(new SplunkServer());
  splunk.poisoned = poisoned;
  const got: string[] = [];
  const hook = stack.use(Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const lines = (await request.text()).trimEnd().split("\n");
      const isBad = lines.some((line) => poisoned.has(JSON.parse(line).id));
      if (isBad) return new Response("one of them is malformed", { status: 422 });
      got.push(...lines);
      return new Response();
    },
  ));
  const token = await folder.write("token", TOKEN);
  const well = { trouble: () => Promise.resolve(""), heal: () => Promise.resolve() };
  return [
    {
      name: "search",
      yaml: `{ name: search, type: opensearch, url: '${search.url}' }`,
      ...well,
      contents: () =>
        Promise.resolve(
          search.documents().map(({ document }) => JSON.parse(JSON.stringify(document.source))),
        ),
    },
    {
      name: "splunk",
      yaml: `{ name: splunk, type: splunk, url: '${splunk.url}', token: { file: ${token} } }`,
      ...well,
      contents: () =>
        Promise.resolve(splunk.indexed.map(({ event }) => JSON.parse(JSON.stringify(event)))),
    },
    {
      name: "hook",
      yaml: `{ name: hook, type: webhook, url: 'http://127.0.0.1:${hook.addr.port}/' }`,
      ...well,
      contents: () => Promise.resolve(got.map((line) => JSON.parse(line))),
    },
  ];
}
