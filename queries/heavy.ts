/**
 * SQL that DuckDB may be at for long without looking whether it is to stop, or that makes much of
 * little: it is run in a process of its own, which can be killed.
 */
import { isFunctionCall, isNode, textOf, walk } from "./ast_nodes.ts";
import type { AstNode, AstValue, FunctionCall } from "./ast_nodes.ts";

/** At work on one row they take as long as their input is long, squared, or as they are told. */
const HEAVY = new Set([
  ..."levenshtein editdist3 damerau_levenshtein jaro_similarity jaro_winkler_similarity".split(" "),
  ..."jaccard mismatches hamming".split(" "),
  ..."repeat lpad rpad printf format bar generate_series range equi_width_bins".split(" "),
  ..."~~~ like_escape ilike_escape not_like_escape not_ilike_escape".split(" "),
]);

const LIKES = new Set(["~~", "!~~", "~~*", "!~~*"]);

/** What comes out is longer than what goes in: nested, it grows with every one. */
const GROWING = new Set(
  "|| concat concat_ws list_concat array_concat list_cat array_cat hex to_hex bin url_encode to_base64 base64 json_quote to_json regexp_escape array_to_string struct_pack list_value row"
    .split(" "),
);
const GROWING_MAX = 8;

const REPLACING = new Set(["replace", "regexp_replace", "translate"]);
const REPLACEMENT_LENGTH_MAX = 100;

/** Says whether SQL is better run where it can be killed. */
export function isHeavy(tree: AstValue): boolean {
  const inFrom = new Set<AstNode>();
  let growing = 0;
  let replacing = 0;
  for (const node of walk(tree)) {
    const { function: called } = node;
    // Rows are made as they are read: of these only the arguments matter.
    if (node["type"] === "TABLE_FUNCTION" && isNode(called)) inFrom.add(called);
    if (!isFunctionCall(node) || inFrom.has(node)) continue;
    const name = node.function_name.toLowerCase();
    if (HEAVY.has(name) || (LIKES.has(name) && !isPlainLike(node))) return true;
    if (GROWING.has(name) && ++growing > GROWING_MAX) return true;
    if (REPLACING.has(name) && (++replacing > 1 || !isShortened(node))) return true;
  }
  return false;
}

/** DuckDB goes through `%a_%b` by trying: each further `%` takes as many times as a text is long. */
function isPlainLike({ function_name: name, children }: FunctionCall): boolean {
  const pattern = textOf(children[1]);
  if (pattern === null) return false;
  const isSimple = !name.endsWith("*") && !pattern.includes("_");
  return isSimple || !pattern.replace(/^%/, "").replace(/%$/, "").includes("%");
}

function isShortened({ children }: FunctionCall): boolean {
  return (textOf(children[2])?.length ?? Infinity) <= REPLACEMENT_LENGTH_MAX;
}
