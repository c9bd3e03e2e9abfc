import assert from "node:assert/strict";
import { configureSync, resetSync } from "@logtape/logtape";
import type { LogRecord } from "@logtape/logtape";
import { append, assertAll, bench, text } from "./tail_scene.ts";

/** What the tail warns of, by path; `lines` counts them all. */
function warnings(): Disposable & { lines: number; reasons: Map<unknown, unknown> } {
  const heard = {
    lines: 0,
    reasons: new Map<unknown, unknown>(),
    [Symbol.dispose]: resetSync,
  };
  const hear = ({ properties }: LogRecord) => {
    heard.lines++;
    heard.reasons.set(properties["path"], properties["reason"]);
  };
  configureSync({
    reset: true,
    sinks: { hear },
    loggers: [
      { category: ["agent", "tail"], sinks: ["hear"], lowestLevel: "warning" },
      { category: ["logtape", "meta"], lowestLevel: "warning" },
    ],
  });
  return heard;
}

Deno.test("what matches and is no file is named once with the reason, and the others are read", async () => {
  using heard = warnings();
  await using b = await bench();
  await append(b.path, text(10));
  const at = (name: string) => b.folder.join(name);
  await Deno.mkdir(at("folder"));
  assert.ok((await new Deno.Command("mkfifo", { args: [at("pipe")] }).output()).success);
  using _socket = Deno.listen({ transport: "unix", path: at("socket") });
  await Deno.symlink("/dev/zero", at("device"));
  await Deno.symlink(at("circle"), at("circle"));
  await append(at("file"), text(10, 10));
  const names = ["access.log*", "folder", "pipe", "socket", "device", "circle", "missing", "none*"];
  const files = [...names, "file/below", "file"].map(at);
  await using tail = await b.start({ files });
  await tail.idle();
  assertAll(b.sink, 20);
  assert.deepEqual(
    heard.reasons,
    new Map([
      [at("folder"), "it is a folder"],
      [at("pipe"), "it is a pipe"],
      [at("socket"), "it is a socket"],
      [at("device"), "it is a device"],
      [at("circle"), "its symbolic links lead in a circle"],
      [at("missing"), "no such file"],
      [at("none*"), "no file matches"],
      [at("file/below"), "a folder of its path is a file"],
    ]),
  );
  assert.equal(heard.lines, heard.reasons.size, "once each");
});

Deno.test("what becomes a readable file is read, and named again when it is none once more", async () => {
  using heard = warnings();
  await using b = await bench();
  await Deno.mkdir(b.path);
  await using tail = await b.start({ files: [b.path] });
  await Deno.remove(b.path);
  await tail.idle();
  await append(b.path, text(10));
  await tail.idle();
  assertAll(b.sink, 10);
  await Deno.remove(b.path);
  await tail.idle();
  await tail.idle();
  assert.deepEqual(heard.reasons, new Map([[b.path, "no such file"]]));
  assert.equal(heard.lines, 3);
});

Deno.test({
  name: "files of the kernel, which say that they are empty, hold nobody up",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using b = await bench();
    await append(b.path, text(10));
    const files = [b.path, "/proc/kmsg", "/proc/self/mem", "/proc/self/pagemap"];
    await using _tail = await b.start({ files });
    assertAll(b.sink, 10);
  },
});
