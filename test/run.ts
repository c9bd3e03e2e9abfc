/**
 * Runs the tests: `deno task test [PATH or deno test flag …]`. Its last line is plain, for machines:
 * `N passed, N failed`, and `, N skipped` when a program that some tests need is missing.
 */
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { ensureDebianPackage, findProgram } from "../deploy/build/debian_package.ts";
import { hasKafkaHeader } from "./harness/sinks/kafka_cluster.ts";
import { faketimeLibrary } from "./faults/faketime.ts";
import { ensureCeph } from "./harness/ceph/root.ts";
import { SEED } from "./harness/seed.ts";

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

/** deno test ends with the failed tests' errors, their names, and its summary. */
const TAIL_LENGTH = 60_000;
const FAILURES = /^ (?:ERRORS|FAILURES) \n/m;

/** Run side by side: both wait more than they compute, and they are about as long. */
const HALVES = [["test/unit", "test/faults"], ["test", "--ignore=test/unit,test/faults"]] as const;

if (import.meta.main) Deno.exit(await main());

async function main(): Promise<number> {
  const hasMosquitto = () => Promise.resolve(findProgram("mosquitto") !== null);
  if (!await ensureDebianPackage("mosquitto", hasMosquitto)) {
    console.log("Mosquitto is missing: the tests that need it are skipped");
  }
  const hasFaketime = () => Promise.resolve(faketimeLibrary() !== null);
  if (!await ensureDebianPackage("libfaketime", hasFaketime)) {
    console.log("libfaketime is missing: the tests that need it are skipped");
  }
  if (!await ensureCeph()) console.log("Ceph is missing: the tests that need it are skipped");
  if (!await ensureDebianPackage("librdkafka-dev", () => Promise.resolve(hasKafkaHeader()))) {
    console.log("librdkafka-dev is missing: the tests that need Kafka are skipped");
  }
  const hasPrometheus = () =>
    Promise.resolve(["prometheus", "promtool"].every((name) => findProgram(name) !== null));
  if (!await ensureDebianPackage("prometheus", hasPrometheus)) {
    console.log("Prometheus is missing: the tests that need it are skipped");
  }
  const args = Deno.args.filter((arg) => arg !== "--");
  console.log(`seed ${SEED} (LOGVEND_SEED makes it another, deno task random a new one)`);
  const isAll = args.every((arg) => arg.startsWith("-"));
  const runs = (isAll ? HALVES : [[]]).map((paths) => denoTest([...args, ...paths]));
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  let isFailed = false;
  const failures: string[] = [];
  for (const run of runs) { // the first one's output as it comes, then the other's
    const { code, tail } = await run.shown();
    const found = readCounts(tail, code);
    if (code !== 0) {
      isFailed = true;
      failures.push(failuresIn(tail));
    }
    counts.passed += found.passed;
    counts.failed += found.failed;
    counts.skipped += found.skipped;
  }
  for (const text of failures) console.log(text); // once more: the other half's output came between
  const isSkipFailure = Deno.env.get("CI") === "true" && counts.skipped > 0;
  if (isSkipFailure) console.log("With CI=true, a skipped test is a failure");
  console.log(closingLine(counts));
  return isFailed || isSkipFailure ? 1 : 0;
}

/** Starts `deno test`; `shown` writes what it printed and prints, and returns the output's end. */
function denoTest(args: readonly string[]) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "--allow-all", ...FREE_NATIVE, ...args],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const waiting: Uint8Array[] = [];
  let write = (bytes: Uint8Array) => void waiting.push(bytes);
  let tail = "";
  const decoder = new TextDecoder();
  const reading = async () => {
    for await (const bytes of child.stdout) {
      write(bytes);
      tail = (tail + decoder.decode(bytes, { stream: true })).slice(-TAIL_LENGTH);
    }
  };
  const readingErrors = async () => {
    for await (const bytes of child.stderr) write(bytes);
  };
  const ended = Promise.all([child.status, reading(), readingErrors()]);
  return {
    async shown(): Promise<{ code: number; tail: string }> {
      write = (bytes) => void Deno.stdout.writeSync(bytes);
      for (const bytes of waiting.splice(0)) write(bytes);
      const [{ code }] = await ended;
      return { code, tail };
    },
  };
}

/** The end of what a failed run printed: the errors of its tests, else its last lines. */
function failuresIn(tail: string): string {
  const text = stripVTControlCharacters(tail);
  const at = text.search(FAILURES);
  return at >= 0 ? text.slice(at) : text.slice(-2_000);
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
