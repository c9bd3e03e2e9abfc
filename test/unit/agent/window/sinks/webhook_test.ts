/** The webhook against a server that checks every byte of it. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { SinkError } from "../../../../../agent/window/sinks/sink.ts";
import { webhookSink } from "../../../../../agent/window/sinks/webhook.ts";
import { freePort } from "../../../../harness/ports.ts";
import { NO_END, outgoing, POST } from "./documents.ts";
import { holdsTheTruth } from "./scenario.ts";

const SECRET = "a secret of both sides";

/** Answers as it is told, and says what is wrong with a request. */
function receiver() {
  const got: string[] = [];
  const wrong: string[] = [];
  let answer: () => Response | Promise<Response> = () => new Response(null, { status: 204 });
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const body = await request.text();
      const check = (holds: boolean, what: string) => holds || wrong.push(what);
      check(request.method === "POST", request.method);
      check(request.headers.get("content-type") === "application/x-ndjson", "content-type");
      check(request.headers.get("x-team") === "ops", "x-team");
      const [, seconds = "", digits] =
        /^t=(\d+),v1=([0-9a-f]{64})$/.exec(request.headers.get("x-logvend-signature") ?? "") ?? [];
      check(Math.abs(Date.now() / 1_000 - Number(seconds)) < 60, "time");
      check(
        createHmac("sha256", SECRET).update(`${seconds}.${body}`).digest("hex") === digits,
        "hmac",
      );
      check(body.endsWith("\n"), "last line");
      const given = await answer();
      if (given.ok) got.push(...body.trimEnd().split("\n"));
      return given;
    },
  );
  const url = `http://127.0.0.1:${server.addr.port}/in`;
  return {
    url,
    got,
    wrong,
    answers: (next: typeof answer) => answer = next,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function sinkTo(url: string) {
  return webhookSink({
    url,
    headers: { "x-team": "ops" },
    secret: new TextEncoder().encode(SECRET),
    post: POST,
  });
}

Deno.test("lines, headers and signature arrive as they are documented", async () => {
  await using server = await receiver();
  const events = outgoing(3);
  assert.deepEqual(await sinkTo(server.url).send(events, NO_END), { rejected: [], again: [] });
  assert.deepEqual(server.wrong, []);
  assert.deepEqual(server.got, events.map(({ body }) => body));
});

Deno.test("what an answer means: a document at fault, or the server's own trouble", async () => {
  await using server = await receiver();
  const check = async (answer: Response, blames: boolean, retryAfterMs?: number) => {
    server.answers(() => answer);
    await assert.rejects(sinkTo(server.url).send(outgoing(1), NO_END), (error) => {
      assert.ok(error instanceof SinkError);
      assert.deepEqual([error.facts.blames, error.facts.retryAfterMs], [blames, retryAfterMs]);
      assert.match(error.message, new RegExp(`answered ${answer.status}: so`));
      return true;
    });
  };
  await check(new Response("so", { status: 422 }), true);
  await check(new Response("so", { status: 413 }), true);
  await check(new Response("so", { status: 401 }), false);
  await check(new Response("so", { status: 503, headers: { "retry-after": "7" } }), false, 7_000);
  await check(new Response("so", { status: 429 }), false);
});

Deno.test("a server that does not answer, or is not there, is an error within the time given", async () => {
  const open = Promise.withResolvers<Response>();
  await using server = await receiver();
  server.answers(() => open.promise);
  await assert.rejects(sinkTo(server.url).send(outgoing(1), AbortSignal.timeout(100)), /time/i);
  open.resolve(new Response());
  await assert.rejects(
    sinkTo(`http://127.0.0.1:${freePort()}/`).send(outgoing(1), NO_END),
    /^SinkError: 127\.0\.0\.1:\d+: tcp connect error: Connection refused$/,
  );
});

Deno.test("after late rows, refusals, lost answers and restarts the newest of each id is the truth", async () => {
  await using server = await receiver();
  let plan: number[] = [];
  server.answers(() => new Response("", { status: plan.shift() ?? 200 }));
  await holdsTheTruth({
    open: () => sinkTo(server.url),
    disturb: (round) => {
      if (round === 0) plan = [503, 500];
      if (round === 2) plan = [413, 413];
      if (round === 4) plan = [502, 429];
    },
    contents: () => server.got.map((line) => JSON.parse(line)),
  });
  assert.deepEqual(server.wrong, []);
});
