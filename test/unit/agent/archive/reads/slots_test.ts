import assert from "node:assert/strict";
import { Slots } from "../../../../../agent/archive/reads/slots.ts";

Deno.test("tasks take slots in their order, and what wants more than there are runs alone", async () => {
  const slots = new Slots(10);
  const steps: string[] = [];
  const ends: (() => void)[] = [];
  const run = (name: string, weight: number, fails = false) =>
    slots.run(async () => {
      steps.push(name);
      await new Promise<void>((resolve) => ends.push(resolve));
      if (fails) throw new Error(name);
    }, weight);
  const next = async () => {
    ends.shift()?.();
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    return steps.splice(0).join(" ");
  };
  const all = [run("a", 4), run("b", 6, true), run("huge", 1_000), run("c", 1), run("d", 9)];
  const settled = Promise.allSettled(all);
  assert.equal(steps.splice(0).join(" "), "a b");
  assert.equal(await next(), "");
  assert.equal(await next(), "huge");
  assert.equal(await next(), "c d");
  await next();
  await next();
  const states = (await settled).map(({ status }) => status);
  assert.deepEqual(states.filter((state) => state === "rejected").length, 1);
  assert.equal(await slots.run(() => Promise.resolve("free"), 10), "free");
});
