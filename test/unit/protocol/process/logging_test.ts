/** logging.ts: where records go, in which form, and from which level on. */
import assert from "node:assert/strict";

const PROGRAM = `
  import { configureLogging } from ${
  JSON.stringify(import.meta.resolve("../../../../protocol/process/logging.ts"))
};
  import { getLogger } from ${JSON.stringify(import.meta.resolve("@logtape/logtape"))};
  configureLogging({ level: "warning" });
  const log = getLogger(["agent", "tail"]);
  log.info("Following {path}.", { path: "a.log" });
  log.warning("Cannot read {path}.", { path: "b.log" });
`;

async function run(env: Record<string, string>) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--quiet", PROGRAM],
    env,
    cwd: new URL("../../../", import.meta.url),
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

Deno.test("logs are JSON lines on stderr, from the program's own level on", async () => {
  const { stdout, stderr } = await run({});
  assert.equal(stdout, "");
  const lines = stderr.trimEnd().split("\n");
  assert.equal(lines.length, 1);
  const { level, logger, message, properties } = JSON.parse(lines[0] ?? "");
  assert.deepEqual({ level, logger, message, properties }, {
    level: "WARN",
    logger: "agent.tail",
    message: 'Cannot read "b.log".',
    properties: { path: "b.log" },
  });
});

Deno.test("LOGVEND_LOG sets the level", async () => {
  const { stderr } = await run({ LOGVEND_LOG: "debug" });
  assert.equal(stderr.trimEnd().split("\n").length, 2);
});

Deno.test("a LOGVEND_LOG that is no level is an error that says so", async () => {
  const { code, stderr } = await run({ LOGVEND_LOG: "loud" });
  assert.notEqual(code, 0);
  assert.match(stderr, /LOGVEND_LOG: found "loud"; wanted trace, debug, info/);
});
