import assert from "node:assert/strict";
import { askPiece } from "../../../../../orchestrator/fanout/archive/ask_piece.ts";
import {
  BUSY_REST_MS,
  PieceRunner,
} from "../../../../../orchestrator/fanout/archive/piece_runner.ts";
import type {
  PieceOutcome,
  PieceRunnerOptions,
} from "../../../../../orchestrator/fanout/archive/piece_runner.ts";
import type { Piece } from "../../../../../orchestrator/fanout/archive/pieces.ts";
import type { Collector, Outcome } from "../../../../../orchestrator/fanout/collector.ts";

const NO_COVERAGE = {
  chunks: 0,
  rows_scanned: 0,
  bytes_read: 0,
  rejects: 0,
  gaps: { count: 0, bytes: 0 },
  lost: { files: 0, rows: 0 },
  behind_bytes: 0,
};

function answered(host: string): Outcome {
  return {
    kind: "answered",
    answer: { host, parts: [], rows: {}, coverage: NO_COVERAGE, byteCount: 1 },
  };
}

function missing(host: string, code?: string): Outcome {
  const error = code === undefined ? {} : { error: { code, message: "no" } };
  return { kind: "missing", host, why: "failed", reason: "no", ...error };
}

function pieces(count: number, host: string | null = null): Piece[] {
  return Array.from({ length: count }, (_, bytes) => ({ region: "eu", host, chunks: [], bytes }));
}

async function run(options: PieceRunnerOptions): Promise<PieceOutcome[]> {
  const outcomes: PieceOutcome[] = [];
  for await (const some of new PieceRunner(options).run(new AbortController().signal)) {
    outcomes.push(...some);
  }
  return outcomes;
}

const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 1));

Deno.test("each piece is answered once, and both agents work", async () => {
  const asked: string[] = [];
  const outcomes = await run({
    pieces: pieces(20),
    agents: () => ["a", "b"],
    ask: async (agent) => {
      asked.push(agent);
      await turn();
      return answered(agent);
    },
  });
  assert.equal(outcomes.length, 20);
  assert.equal(new Set(outcomes.map(({ piece }) => piece)).size, 20);
  assert(asked.filter((agent) => agent === "a").length >= 8);
  assert(asked.filter((agent) => agent === "b").length >= 8);
});

Deno.test("chunks of a host that is there go to it, and to others when it cannot", async () => {
  const asked: string[] = [];
  const outcomes = await run({
    pieces: pieces(2, "b"),
    agents: () => ["a", "b", "c"],
    ask: async (agent, { bytes }) => {
      asked.push(`${bytes}${agent}`);
      await turn();
      return agent === "b" && bytes === 1 ? missing("b") : answered(agent);
    },
  });
  assert.deepEqual(asked.slice(0, 2), ["0b", "1b"]);
  assert.match(asked[2] ?? "", /^1[ac]$/);
  assert(outcomes.every(({ kind }) => kind === "answered"));
});

Deno.test("an agent that dies is not asked again, and its pieces go elsewhere", async () => {
  let dead = false;
  const outcomes = await run({
    pieces: pieces(10),
    agents: () => dead ? ["b"] : ["a", "b"],
    ask: async (agent) => {
      await turn();
      if (agent === "b") return answered(agent);
      dead = true;
      return { kind: "missing", host: "a", why: "lost", reason: "went away while the query ran" };
    },
  });
  assert.deepEqual(outcomes.map(({ kind }) => kind), Array(10).fill("answered"));
});

Deno.test("what no agent can is missing, with a reason, after three of them", async () => {
  const asked: string[] = [];
  const refusing = (agents: string[], code?: string) =>
    run({
      pieces: pieces(1),
      agents: () => agents,
      ask: (agent) => {
        asked.push(agent);
        return Promise.resolve(missing(agent, code));
      },
    });
  const [given] = await refusing(["a", "b", "c", "d"]);
  assert(given?.kind === "missing");
  assert.equal(asked.length, 3);
  asked.length = 0;
  await refusing(["a", "b"], "bad_sql");
  assert.equal(asked.length, 1);
  const [nobody] = await refusing([]);
  assert(nobody?.kind === "missing");
  assert.match(nobody.outcome.reason, /no agent of eu that reads its archive is online/);
  const [alone] = await refusing(["a"]);
  assert(alone?.kind === "missing");
  assert.deepEqual([alone.outcome.host, alone.outcome.reason], ["a", "no"]);
});

Deno.test("a piece that takes much longer than usual is asked of an idle agent too", async () => {
  const stopped: string[] = [];
  const outcomes = await run({
    pieces: pieces(5),
    agents: () => ["slow", "quick"],
    now: () => 100 * performance.now(),
    ask: async (agent, { bytes }, signal) => {
      if (agent === "slow") {
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
        stopped.push(`${bytes}`);
        return missing("slow");
      }
      await turn();
      return answered(agent);
    },
  });
  assert.equal(outcomes.length, 5);
  assert(outcomes.every(({ kind }) => kind === "answered"));
  assert.equal(stopped.length, 2);
});

/** Asks as fanout does: of two agents `stuck` takes pieces, and never answers them. */
function oneIsStuck() {
  const running = new Map<string, Collector>();
  const asked: string[] = [];
  const ask: PieceRunnerOptions["ask"] = (agent, { bytes }, signal) =>
    askPiece({
      ...{ agent, signal, running, timeoutMs: 60_000, bytesMax: 1e9, ackTimeoutMs: 60_000 },
      folder: () => assert.fail("no files come"),
      overflow: () => assert.fail("nothing comes"),
      acknowledge: () => {},
      cancel: () => {},
      send: (request) => {
        asked.push(`${bytes} ${agent}`);
        queueMicrotask(() => {
          const collector = running.get(request);
          collector?.receiveAck(agent, { request, accepted: true });
          if (agent === "stuck") return;
          const sums = { sql_ms: 1, total_ms: 1, coverage: NO_COVERAGE, rows: {} };
          const end = { ok: true, ...sums } as const;
          collector?.receiveResult(agent, { request, seq: 0, parts: [], end }, 1);
        });
      },
    });
  const agents = () => ["stuck", "quick"];
  return { asked, options: { agents, ask, now: () => 100 * performance.now() } };
}

Deno.test("an agent that another one was faster than ends nothing, and gets no more", async () => {
  const { asked, options } = oneIsStuck();
  const outcomes = await run({ pieces: pieces(9), ...options });
  assert.deepEqual(outcomes.map(({ kind }) => kind), Array(9).fill("answered"));
  const stuck = asked.filter((one) => one.endsWith(" stuck"));
  assert.ok(stuck.length >= 1 && stuck.length <= 2, asked.join());
});

Deno.test("pieces that wait for the host whose they are go elsewhere when it does not get on", async () => {
  const { asked, options } = oneIsStuck();
  const outcomes = await run({ pieces: pieces(9, "stuck"), ...options });
  assert.deepEqual(outcomes.map(({ kind }) => kind), Array(9).fill("answered"));
  const [first, second, ...others] = asked;
  assert.deepEqual([first, second], ["0 stuck", "1 stuck"]);
  assert.ok(others.filter((one) => one.endsWith(" stuck")).length <= 1, asked.join());
});

Deno.test("an agent that has too much to do is asked again later", async () => {
  const asked = new Map<string, number>();
  let [running, passedMs] = [0, 0];
  const outcomes = await run({
    pieces: pieces(4),
    agents: () => ["a", "b"],
    now: () => running === 0 ? passedMs += BUSY_REST_MS : passedMs, // nothing is slow
    ask: async (agent, { bytes }) => {
      running++;
      await turn();
      running--;
      const times = (asked.get(`${bytes}`) ?? 0) + 1;
      asked.set(`${bytes}`, times);
      if (times > 3) return answered(agent);
      const error = { code: "unavailable", message: "Busy", rule: "waiting" };
      return { kind: "missing", host: agent, why: "failed", reason: "Busy", error };
    },
  });
  assert.deepEqual(outcomes.map(({ kind }) => kind), Array(4).fill("answered"));
  assert.deepEqual([...asked.values()], [4, 4, 4, 4]);
});

Deno.test("a fleet is looked at once for all pieces that wait, and whoever has them may read them", async () => {
  const hosts = Array.from({ length: 50 }, (_, i) => `h${i}`);
  let looks = 0;
  const asked = new Map<string, number>();
  const outcomes = await run({
    pieces: [...pieces(1_000), ...hosts.flatMap((host) => pieces(2, host))],
    agents: () => {
      looks++;
      return ["compute"];
    },
    isHolder: ({ host }) => host !== "h0",
    now: () => 0, // nothing is slow
    ask: async (agent) => {
      asked.set(agent, (asked.get(agent) ?? 0) + 1);
      await turn();
      return answered(agent);
    },
  });
  assert.equal(outcomes.length, 1_100);
  assert.equal(asked.get("compute"), 1_002); // with those of the host that has them no more
  assert(hosts.slice(1).every((host) => asked.get(host) === 2));
  const ticks = 1_000; // of a machine that is slow
  assert(looks <= outcomes.length + ticks, `${looks} looks`);
});

Deno.test("an abort ends it", async () => {
  const stop = new AbortController();
  const runner = new PieceRunner({
    pieces: pieces(1),
    agents: () => ["a"],
    ask: (_, __, signal) => {
      stop.abort(new Error("enough"));
      return new Promise((resolve) => {
        signal.addEventListener("abort", () => resolve(missing("a")));
      });
    },
  });
  await assert.rejects(Array.fromAsync(runner.run(stop.signal)), /enough/);
});
