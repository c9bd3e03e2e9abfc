/** A sink through bad days: late rows, faults, restarts; at the end it has to hold the truth. */
import assert from "node:assert/strict";
import { DeadLetters } from "../../../../../agent/window/dead_letters.ts";
import { Delivery } from "../../../../../agent/window/delivery.ts";
import type { WindowEvent } from "../../../../../agent/window/event.ts";
import type { Sink } from "../../../../../agent/window/sinks/sink.ts";
import { eventually } from "../../../../harness/eventually.ts";
import { TempFolder } from "../../../../harness/temp_folder.ts";
import { START_MS } from "../../store/scene.ts";
import { countsOf, EVERY_MS, scene, sorted, truthOf } from "../scene.ts";
import type { Hit, Scene } from "../scene.ts";

const ROUNDS = 6;

export interface Scenario {
  /** Opens the sink, anew after each restart of the agent. */
  open(): Sink;
  /** What goes wrong in a round, while events come. */
  disturb(round: number): void | Promise<void>;
  /** Every event that the sink holds, as often as it has it. */
  contents(): WindowEvent[] | Promise<WindowEvent[]>;
  /** One try, where faults are a matter of time. @default 1 s */
  timeoutMs?: number;
}

/** Runs it, and compares. Returns how often each id and revision was there at most. */
export async function holdsTheTruth(scenario: Scenario): Promise<number> {
  await using folder = await TempFolder.make();
  const written: Hit[] = [];
  for (let round = 0; round < ROUNDS;) {
    await using host = await scene(folder.path);
    host.setClock(START_MS + 600_000);
    await using _delivery = deliver(host, folder, scenario);
    for (const end = round + 2; round < end; round++) { // then the agent starts anew
      const hits = hitsOf(round);
      written.push(...hits);
      await host.write(hits);
      await scenario.disturb(round);
      await host.count();
    }
    if (round < ROUNDS) continue;
    await eventually(() => _delivery.delivery.waiting().events === 0);
  }
  return await eventually(async () => {
    const contents = await scenario.contents(); // which may take its time to show
    const newest = new Map<string, WindowEvent>();
    const copies = new Map<string, number>();
    for (const event of contents) {
      const { id, revision } = event;
      if ((newest.get(id)?.revision ?? 0) < revision) newest.set(id, event);
      copies.set(`${id} ${revision}`, (copies.get(`${id} ${revision}`) ?? 0) + 1);
    }
    assert.deepEqual(sorted(countsOf(newest.values())), sorted(truthOf(written)));
    return Math.max(...copies.values());
  });
}

function deliver(host: Scene, folder: TempFolder, { open, timeoutMs = 1_000 }: Scenario) {
  const sink = open();
  const end = new AbortController();
  const delivery = new Delivery({
    name: "sink",
    feed: "windows",
    schema: "logvend",
    queue: host.queue,
    sink,
    deadLetters: new DeadLetters(folder.join("refused"), "sink"),
    cursor: host.store.windowBook.cursor("sink") ?? host.queue.beginning,
    setCursor: (seq) => host.store.windowBook.setCursor("sink", seq),
    batchMax: 40,
    retryMs: { first: 5, last: 100 },
    timeoutMs,
  });
  const run = delivery.run(end.signal);
  return {
    delivery,
    async [Symbol.asyncDispose]() {
      end.abort();
      await run;
      await sink[Symbol.asyncDispose]();
    },
  };
}

/** Requests of two windows, and late ones of all windows before. */
function hitsOf(round: number): Hit[] {
  return Array.from({ length: 120 }, (_, i) => ({
    atMs: START_MS + (i % 10 === 0 ? i % (round + 1) : round) * EVERY_MS + i * 7,
    address: `10.0.${round}.${i % 9}`,
    status: i % 11 === 0 ? 404 : 200,
  }));
}
