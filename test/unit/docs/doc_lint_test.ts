/** The doc lint: what Deno's own documentation of the sources lacks (docs/decisions/doc-comments.md). */
import assert from "node:assert/strict";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { readSources } from "../../harness/sources.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** The two programs and what they share. */
const PRODUCT = /^(protocol|queries|agent|orchestrator)\//;

/** As `deno doc --json` prints it, by file URL; lines count from 0. */
const Documentation = z.object({
  nodes: z.record(
    z.string(),
    z.object({
      symbols: z.array(z.object({
        name: z.string(),
        declarations: z.array(z.object({
          location: z.object({ line: z.number() }),
          declarationKind: z.enum(["export", "declare", "private"]),
          kind: z.string(),
          jsDoc: z.unknown().optional(),
        })),
      })),
    }),
  ),
});

interface Export {
  path: string;
  name: string;
  /** From 0. */
  line: number;
  kinds: string[];
  isDocumented: boolean;
}

const sources = await readSources();

async function exportsOf(paths: readonly string[]): Promise<Export[]> {
  const args = ["doc", "--json", "--quiet", ...paths];
  const output = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT }).output();
  assert.ok(output.success, new TextDecoder().decode(output.stderr));
  const { nodes } = Documentation.parse(JSON.parse(new TextDecoder().decode(output.stdout)));
  return Object.entries(nodes).flatMap(([url, { symbols }]) =>
    symbols.flatMap(({ name, declarations }) => {
      const exported = declarations.filter(({ declarationKind }) => declarationKind === "export");
      const [first] = exported;
      return first === undefined ? [] : [{
        path: relative(ROOT, fileURLToPath(url)),
        name,
        line: first.location.line,
        kinds: exported.map(({ kind }) => kind),
        isDocumented: exported.some(({ jsDoc }) => jsDoc !== undefined),
      }];
    })
  );
}

/** A function of one expression, as deno fmt lays it out, says itself what it does. */
function isOneExpression({ path, line, kinds }: Export): boolean {
  const lines = sources.get(path)?.text.split("\n") ?? [];
  return kinds.includes("function") && lines[line + 2] === "}";
}

const paths = [...sources.keys()].filter((path) => PRODUCT.test(path)).sort();
const undocumented = (await exportsOf(paths)).filter(({ isDocumented }) => !isDocumented);

function named(found: readonly Export[]): string[] {
  return found.map(({ path, line, name }) => `${path}:${line + 1} ${name}`);
}

Deno.test("everything that the wire contract exports is documented", () => {
  const found = undocumented.filter(({ path, kinds }) =>
    path.startsWith("protocol/") && !kinds.includes("reference")
  );
  assert.deepEqual(named(found), []);
});

Deno.test("every exported function and class is documented, but for the one its file's comment is about", () => {
  const found = undocumented.filter((one) =>
    one.kinds.some((kind) => kind === "function" || kind === "class") && !isOneExpression(one)
  );
  const byFile = Map.groupBy(found, ({ path }) => path);
  assert.deepEqual(named([...byFile.values()].filter((few) => few.length > 1).flat()), []);
});
