import assert from "node:assert/strict";
import { Crew } from "../../../../../orchestrator/fanout/archive/crew.ts";
import type { CrewOptions } from "../../../../../orchestrator/fanout/archive/crew.ts";

const agents = ["a", "b", "c"];

function crewOf(loads: Record<string, number>, options: Partial<CrewOptions> = {}) {
  const load = (agent: string) => loads[agent] ?? 0;
  return new Crew({ agents, load, isReady: () => true, isLast: () => false, ...options });
}

Deno.test("pieces go to those with the least to do, until all are busy", () => {
  const loads: Record<string, number> = { a: 1 };
  const crew = crewOf(loads);
  const chosen = Array.from({ length: 6 }, () => {
    const choice = crew.choose(null, new Set());
    if (typeof choice === "string") return choice;
    loads[choice.agent] = (loads[choice.agent] ?? 0) + 1;
    return choice.agent;
  });
  assert.deepEqual(chosen.slice(0, 2), ["b", "c"]);
  assert.deepEqual(chosen.slice(2, 5).toSorted(), ["a", "b", "c"]);
  assert.equal(chosen[5], "busy");
});

Deno.test("a piece waits for the agent that holds it, unless that was tried", () => {
  const crew = crewOf({ b: 2 });
  assert.equal(crew.choose("b", new Set()), "busy");
  assert.deepEqual(crew.choose("c", new Set()), { agent: "c" });
  assert.deepEqual(crew.choose("b", new Set(["b"])), { agent: "a" });
  assert.deepEqual(crew.choose("elsewhere", new Set()), { agent: "a" });
});

Deno.test("nobody is left when all were tried; those that rest are busy", () => {
  assert.equal(crewOf({}).choose(null, new Set(agents)), "nobody");
  assert.equal(crewOf({}, { agents: [] }).choose("a", new Set()), "nobody");
  assert.equal(crewOf({}, { isReady: () => false }).choose("a", new Set()), "busy");
});

Deno.test("those that others were faster than come last", () => {
  const crew = crewOf({ b: 2, c: 2 }, { isLast: (agent) => agent === "a" });
  assert.equal(crew.choose("a", new Set()), "busy"); // for b and c
  assert.deepEqual(crew.choose(null, new Set(["b", "c"])), { agent: "a" });
  assert.equal(crew.idle(new Set()), "a");
  assert.equal(crew.idle(new Set(["a"])), null);
});
