/** The style of the sources that no linter checks: who imports whom, sizes, comments, dead files. */
import assert from "node:assert/strict";
import { readSources } from "./harness/sources.ts";
import type { SourceFile } from "./harness/sources.ts";

/** Two screens' worth of these are all that one can hold in mind. */
const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 60;

/** Folder by folder, what its files may import; docs, deploy and test stand above all. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  protocol: ["protocol"],
  queries: ["protocol", "queries"],
  agent: ["protocol", "queries", "agent"],
  orchestrator: ["protocol", "queries", "orchestrator"],
};

/** These parts of the agent meet at agent/store only. */
const AGENT_PARTS: ReadonlySet<string> = new Set([
  "archive",
  "ingest",
  "job",
  "link",
  "query",
  "window",
]);

/** The programs: what none of them uses is dead. */
const ENTRIES = [
  "agent/main.ts",
  "orchestrator/main.ts",
  "deploy/archive/generate.ts",
  "deploy/build/main.ts",
  "deploy/dashboards/generate.ts",
  "docs/generate.ts",
  "test/random.ts",
  "test/run.ts",
  "test/bench/main.ts",
  "test/faults/main.ts",
];

const sources = await readSources();

/** Checks every file and shows all that is wrong at once. */
function each(isChecked: (path: string) => boolean, problems: (file: SourceFile) => string[]) {
  const found = [...sources.values()].filter((file) => isChecked(file.path)).flatMap(problems);
  assert.deepEqual(found, []);
}

const isAny = () => true;
const isProduct = (path: string) => !path.startsWith("test/");

Deno.test("imports go protocol <- queries <- agent and orchestrator, and never back or across", () => {
  each(isAny, ({ path, imports }) => {
    const allowed = MAY_IMPORT[folderOf(path)];
    return imports.filter((used) => allowed?.includes(folderOf(used)) === false)
      .map((used) => `${path} imports ${used}`);
  });
});

Deno.test("the parts of the agent do not import each other, nor the file that composes them", () => {
  each((path) => path.startsWith("agent/"), ({ path, imports }) => {
    const part = partOf(path);
    if (part === undefined || !AGENT_PARTS.has(part)) return [];
    return imports.filter((used) => {
      const other = partOf(used);
      if (other === undefined) return /^agent\/(agent|main)\.ts$/.test(used);
      return AGENT_PARTS.has(other) && part !== other;
    }).map((used) => `${path} imports ${used}`);
  });
});

Deno.test("no file loads itself in a circle: in what order its constants are made would be chance", () => {
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, above: readonly string[]) => {
    if (above.includes(path)) circles.push([...above.slice(above.indexOf(path)), path].join(" > "));
    if (done.has(path) || above.includes(path)) return;
    for (const used of sources.get(path)?.loads ?? []) visit(used, [...above, path]);
    done.add(path);
  };
  for (const path of sources.keys()) visit(path, []);
  assert.deepEqual(circles, []);
});

Deno.test("DuckDB is imported in queries/duckdb only", () => {
  each(
    (path) => isProduct(path) && !path.startsWith("queries/duckdb/"),
    ({ path, packages }) =>
      packages.filter((name) => name.startsWith("@duckdb/")).map((name) => `${path}: ${name}`),
  );
});

Deno.test("tests have fast-check with our seed: chance alone makes none of them fail", () => {
  each(
    (path) => path !== "test/harness/properties.ts",
    ({ path, packages }) => packages.includes("fast-check") ? [`${path} imports fast-check`] : [],
  );
  each(
    (path) => path.startsWith("test/") && path !== "test/harness/seed.ts",
    ({ path, text }) =>
      /Deno\.env\.get\("LOGVEND_(SEED|TIMES)/.test(text) ? [`${path} reads it`] : [],
  );
});

Deno.test("every file is used by a program or a test", () => {
  const alive = new Set<string>();
  const visit = (path: string) => {
    if (alive.has(path)) return;
    alive.add(path);
    const file = sources.get(path);
    [...file?.imports ?? [], ...file?.names ?? []].forEach(visit);
  };
  ENTRIES.forEach(visit);
  each(isProduct, ({ path }) => alive.has(path) ? [] : [`${path}: no program uses it`]);
  [...sources.keys()].filter((path) => path.endsWith("_test.ts")).forEach(visit);
  each(isAny, ({ path }) => alive.has(path) ? [] : [`${path}: no test uses it`]);
});

Deno.test("every file but a test, which says its promises, says its job first", () => {
  each(
    (path) => !path.endsWith("_test.ts"),
    ({ path, text }) => text.startsWith("/**") ? [] : [`${path}: no comment`],
  );
});

Deno.test("files and functions are short", () => {
  each(isAny, ({ path, text }) => {
    const lines = text.trimEnd().split("\n");
    const long = lines.length > FILE_LINES_MAX ? [`${path}: ${lines.length} lines`] : [];
    return isProduct(path) ? [...long, ...longFunctions(path, lines)] : long;
  });
});

Deno.test("nothing is left to do, left out or waved through", () => {
  const forbidden = [/\bTODO\b|\bFIXME\b/, /\.only\(/, /\bas any[;,)\]]/, /@ts-(ignore|nocheck)/];
  each(
    (path) => path !== "test/style_test.ts",
    ({ path, text }) =>
      text.split("\n").flatMap((line, i) =>
        forbidden.some((pattern) => pattern.test(line)) ? [`${path}:${i + 1}: ${line.trim()}`] : []
      ),
  );
});

function folderOf(path: string): string {
  return path.split("/")[0] ?? "";
}

/** `ingest` of `agent/ingest/tail.ts`; undefined for files outside of the agent's folders. */
function partOf(path: string): string | undefined {
  const [folder, part, file] = path.split("/");
  return folder === "agent" && file !== undefined ? part : undefined;
}

const FUNCTION_START =
  /^(\s*)(?:export |default |private |static |override |async )*(?:function\b.*|[\w#]+\(.*|const \w+ = (?:async )?\(.*)[({]$/;

/** As deno fmt lays code out, a function ends at the first `}` as far in as its start. */
function longFunctions(path: string, lines: readonly string[]): string[] {
  return lines.flatMap((line, start) => {
    const indent = FUNCTION_START.exec(line)?.[1];
    if (indent === undefined) return [];
    const next = lines.slice(start + 1).find((other) =>
      /^\s*\S/.exec(other)?.[0].length === indent.length + 1
    );
    const isCall = line.endsWith("(") && next?.endsWith("{") !== true;
    if (isCall) return [];
    const end = lines.findIndex((other, i) => i > start && other.startsWith(`${indent}}`));
    const length = end - start + 1;
    return length > FUNCTION_LINES_MAX ? [`${path}:${start + 1}: ${length} lines`] : [];
  });
}
