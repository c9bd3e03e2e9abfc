import assert from "node:assert/strict";
import { combinedLine } from "../../../harness/lines.ts";
import { append, bench, text } from "./tail_scene.ts";

Deno.test("a line over the limit is a reject, and the file goes on", async () => {
  await using b = await bench();
  const half = "x".repeat(1_500_000);
  await append(b.path, text(10) + half);
  await using tail = await b.start();
  assert.equal(b.sink.lines, 10);
  await append(b.path, `${half}\n${text(10, 10)}`);
  await tail.idle();
  const reject = b.sink.batches.flatMap((batch) => batch.rejects)[0];
  assert.equal(reject?.reason, "too_long");
  assert.equal(reject?.length, 3_000_001);
  assert.equal(reject?.line.length, 2 ** 20);
  assert.equal(b.sink.kept().length, 21);
});

Deno.test("a hole left by a writer that does not append is skipped", async () => {
  await using b = await bench();
  await append(b.path, text(200));
  await using tail = await b.start();
  const { size } = await Deno.stat(b.path);
  {
    using writer = await Deno.open(b.path, { write: true });
    await writer.seek(size, Deno.SeekMode.Start);
    await Deno.truncate(b.path);
    await writer.write(new TextEncoder().encode(text(10, 200)));
  }
  await tail.idle();
  const rejects = b.sink.batches.flatMap((batch) => batch.rejects);
  assert.deepEqual(rejects.map(({ reason, length }) => [reason, length]), [["zero_bytes", size]]);
  assert.equal(new Set(b.sink.requests()).size, 210);
});

Deno.test("bytes that are no UTF-8 are kept beside the text", async () => {
  await using b = await bench();
  const bytes = new TextEncoder().encode(combinedLine(0).replace("test/1.0", "caf?"));
  bytes[bytes.indexOf(0x3f)] = 0xe9;
  await Deno.writeFile(b.path, bytes);
  await append(b.path, combinedLine(1));
  await using _tail = await b.start();
  const rows = b.sink.batches[0]?.rows;
  assert.deepEqual(rows?.http_user_agent, ["caf\ufffd", "test/1.0"]);
  assert.deepEqual(rows?.line_raw, [bytes.slice(0, -1), null]);
  assert.equal(rows?.line_text[0]?.includes("caf\ufffd"), true);
});

Deno.test("rejects take the time of the good line before them", async () => {
  await using b = await bench();
  await append(b.path, `first\n${combinedLine(0)}second\n`);
  const before = BigInt(Date.now()) * 1_000n;
  await using _tail = await b.start();
  const [first, second] = b.sink.batches.flatMap((batch) => batch.rejects);
  assert(first !== undefined && first.ts >= before);
  assert.equal(second?.ts, b.sink.batches[0]?.rows.ts[0]);
});
