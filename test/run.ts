/**
 * Runs the tests: `deno task test [PATH or deno test flag …]`. Its last line is plain, for machines:
 * `N passed, N failed`, and `, N skipped` when a program that some tests need is missing.
 */
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { ensureDebianPackage, findProgram } from "../deploy/build/debian_package.ts";
import { hasKafkaHeader } from "./harness/sinks/kafka_cluster.ts";
import { ensureCeph } from "./harness/ceph/root.ts";

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const SUMMARY = /^(?:ok|FAILED) \| (\d+) passed.*? \| (\d+) failed(?:.*? \| (\d+) ignored)?/gm;

/** See free_native.ts. */
const FREE_NATIVE = [
  "--v8-flags=--expose-gc",
  `--preload=${fileURLToPath(new URL("./harness/free_native.ts", import.meta.url))}`,
];

/** The summary is deno test's last line but for an empty one. */
const TAIL_LENGTH = 2_000;

if (import.meta.main) Deno.exit(await main());

async function main(): Promise<number> {
  const hasMosquitto = () => Promise.resolve(findProgram("mosquitto") !== null);
  if (!await ensureDebianPackage("mosquitto", hasMosquitto)) {
    console.log("Mosquitto is missing: the tests that need it are skipped");
  }
  if (!await ensureCeph()) console.log("Ceph is missing: the tests that need it are skipped");
  if (!await ensureDebianPackage("librdkafka-dev", () => Promise.resolve(hasKafkaHeader()))) {
    console.log("librdkafka-dev is missing: the tests that need Kafka are skipped");
  }
  const args = Deno.args.filter((arg) => arg !== "--");
  const paths = args.some((arg) => !arg.startsWith("-")) ? [] : ["test"];
  const { code, tail } = await denoTest([...args, ...paths]);
  const counts = readCounts(tail, code);
  const isSkipFailure = Deno.env.get("CI") === "true" && counts.skipped > 0;
  if (isSkipFailure) console.log("With CI=true, a skipped test is a failure");
  console.log(closingLine(counts));
  return code === 0 && !isSkipFailure ? 0 : 1;
}

/** Runs `deno test` with its output shown as it comes; returns the output's end. */
async function denoTest(args: readonly string[]): Promise<{ code: number; tail: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "--allow-all", ...FREE_NATIVE, ...args],
    stdout: "piped",
  }).spawn();
  let tail = "";
  const decoder = new TextDecoder();
  for await (const bytes of child.stdout) {
    Deno.stdout.writeSync(bytes);
    tail = (tail + decoder.decode(bytes, { stream: true })).slice(-TAIL_LENGTH);
  }
  return { code: (await child.status).code, tail };
}

/** A run that failed without a failed test (a type error, say) counts as one failure. */
function readCounts(output: string, code: number): Counts {
  const summary = [...stripVTControlCharacters(output).matchAll(SUMMARY)].at(-1);
  const [passed = 0, failed = 0, skipped = 0] = (summary ?? []).slice(1).map((n) => Number(n ?? 0));
  return { passed, failed: code === 0 ? failed : Math.max(failed, 1), skipped };
}

function closingLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}
