/** Tails on a host: what they show, how little they hold, and that they never stop ingest. */
import assert from "node:assert/strict";
import { BatchMaker } from "../../../../agent/ingest/batches.ts";
import { lineForm } from "../../../../agent/ingest/line_form.ts";
import { LiveRows } from "../../../../agent/live/live_rows.ts";
import type { LiveLines } from "../../../../agent/live/live_tail.ts";
import type { RedactRule } from "../../../../agent/rules/redact.ts";
import { LogvendError } from "../../../../protocol/errors.ts";
import { ACCESS_SHAPE, uniteShapes } from "../../../../protocol/schema/stream_shape.ts";
import { eventually } from "../../../harness/eventually.ts";
import { combinedLine, manyLines } from "../../../harness/lines.ts";

/** Access logs, and tails over them. */
class Host {
  readonly told: LiveLines[] = [];
  readonly errors: LogvendError[] = [];
  private readonly maker: BatchMaker;
  private shape = ACCESS_SHAPE;
  readonly live = new LiveRows({
    streams: [{ name: "logs", format: "combined" }],
    place: { host: "web-1", region: "eu" },
    shape: () => this.shape,
  });

  constructor(...redact: RedactRule[]) {
    const form = lineForm({ format: "combined", redact, geo: undefined }, ACCESS_SHAPE, null);
    this.maker = new BatchMaker("00000000000000aa", form, () => 0);
  }

  tail(condition: string, rate = 1_000) {
    return this.live.open({ stream: "logs", condition, rate }, {
      tell: (lines) => this.told.push(lines),
      fail: (error) => this.errors.push(error),
    });
  }

  /** As the store does it. */
  write(text: string) {
    const bytes = new TextEncoder().encode(text);
    const cut = { kind: "lines", consumed: bytes.length, offset: 0 } as const;
    for (const batch of this.maker.batches({ cut, window: bytes, before: new Uint8Array() })) {
      this.live.added("logs", batch, this.shape);
    }
  }

  /** From here on rows may have another column. */
  widen() {
    const fields = [{ name: "place", type: "VARCHAR" }];
    this.shape = uniteShapes(this.shape, { access: true, fields, layouts: [] });
  }

  /** The requests of the lines so far. */
  get requests(): string[] {
    return this.told.flatMap(({ lines }) => lines.map(({ line }) => line.split('"')[1] ?? ""));
  }

  sum(count: "leftOut" | "unchecked"): number {
    return this.told.reduce((sum, lines) => sum + lines[count], 0);
  }
}

Deno.test("a tail shows the lines that match from now on, and what cannot be computed does not", async () => {
  const host = new Host();
  host.write(combinedLine(10));
  await using _tail = await host.tail(
    "status = 500 AND split_part(request, '/', 3)::INTEGER <> 30",
  );
  host.write(combinedLine(10).replace("/item/10", "/item/none"));
  host.write(manyLines(combinedLine, 20, 31));
  await eventually(() => host.told.length > 0);
  assert.deepEqual(
    host.requests,
    ["/item/20", "/item/40", "/item/50"].map((path) => `GET ${path} HTTP/1.1`),
  );
  assert.equal(host.told[0]?.lines[0]?.line, combinedLine(20).trimEnd());
  host.widen();
  host.write(combinedLine(60));
  await eventually(() => host.requests.includes("GET /item/60 HTTP/1.1"));
  assert.deepEqual(host.errors, []);
});

Deno.test("lines over the rate are counted, and so are those that are too many to look at", async () => {
  const host = new Host();
  await using _tail = await host.tail("status = 500", 5);
  for (let round = 0; round < 10; round++) host.write(manyLines(combinedLine, 0, 2_000));
  await eventually(() => host.told.length > 0);
  assert.equal(host.requests.length, 5);
  const looked = 20_000 - host.sum("unchecked");
  assert.ok(looked > 10_000 && looked < 20_000, `looked at ${looked}`);
  assert.equal(host.sum("leftOut"), looked / 10 - 5);
});

Deno.test("what is ended is told nothing more; a host runs so many tails and no others", async () => {
  const host = new Host();
  const tails = await Promise.all(Array.from({ length: 8 }, () => host.tail("true")));
  const refused = (work: Promise<unknown>, message: RegExp) =>
    assert.rejects(work, (error) => error instanceof LogvendError && message.test(error.message));
  await refused(host.tail("true"), /8 tails are running here/);
  for (const tail of tails) await tail[Symbol.asyncDispose]();
  await refused(host.tail("statuss = 1"), /statuss/);
  await refused(host.tail("true; DROP TABLE logs"), /./);
  await refused(host.tail("ts > now()"), /now\(\)/);
  await using _tail = await host.tail("status = 200");
  host.write(combinedLine(1));
  await eventually(() => host.told.length > 0);
  assert.equal(host.told.length, 1);
});

Deno.test("what a rule took out of a line is not in a tail either", async () => {
  const host = new Host({ field: "remote_addr", by: "mask" });
  await using _tail = await host.tail("remote_addr LIKE '10.%' OR status = 500");
  host.write(manyLines(combinedLine, 9, 2));
  await eventually(() => host.told.length > 0);
  assert.deepEqual(host.told.flatMap(({ lines }) => lines.map(({ line }) => line)), [
    combinedLine(10).trimEnd().replace("10.0.0.10", "***"),
  ]);
});
