/** cli/shell: lines into statements, words that complete, what is kept of a session. */
import assert from "node:assert/strict";
import { completions } from "../../../../../orchestrator/cli/shell/complete.ts";
import { History, historyPath } from "../../../../../orchestrator/cli/shell/history.ts";
import { Statements } from "../../../../../orchestrator/cli/shell/statements.ts";
import { TempFolder } from "../../../../harness/temp_folder.ts";

Deno.test("a semicolon ends a statement, unless it stands in a text, a name or a comment", () => {
  const check = (text: string, statements: string[], pending = "") => {
    const typed = new Statements();
    assert.deepEqual(text.split("\n").flatMap((line) => typed.add(line)), statements, text);
    assert.equal(typed.pending.trim(), pending);
  };
  check("SELECT 1;", ["SELECT 1"]);
  check("SELECT\n  1\n;", ["SELECT\n  1"]);
  check("SELECT 1; SELECT 2;SELECT", ["SELECT 1", "SELECT 2"], "SELECT");
  check("SELECT ';', ';''' AS \";\";", [`SELECT ';', ';''' AS ";"`]);
  check("SELECT 'two\nlines;' ;", ["SELECT 'two\nlines;'"]);
  check("SELECT E'it\\'s;' ; ", ["SELECT E'it\\'s;'"]);
  check("SELECT $$;$$, $a$ $$; $a$;", ["SELECT $$;$$, $a$ $$; $a$"]);
  check("SELECT 1 -- one;\n+ 1;", ["SELECT 1 -- one;\n+ 1"]);
  check("SELECT /* ;\n; */ 1;", ["SELECT /* ;\n; */ 1"]);
  check(";; -- nothing;\n/* at all; */", []);
  check("SELECT 'open;", [], "SELECT 'open;");
  check("SELECT 1 /", [], "SELECT 1 /");
});

Deno.test("what has no semicolon is a statement at the end, and gone after that", () => {
  const typed = new Statements();
  typed.add("SELECT 1");
  assert.deepEqual(typed.end(), ["SELECT 1"]);
  assert.deepEqual([typed.pending, typed.end()], ["", []]);
});

Deno.test("words are completed by where they stand: tables, their columns, the rest, commands", () => {
  const tables = new Map([["logs", ["status", "line"]], ["rejects", ["reason", "line"]]]);
  const commands = ["\\o", "\\on", "\\q"];
  const check = (line: string, wanted: string[], word: string, before = "") =>
    assert.deepEqual(completions({ before, line, tables, commands }), [wanted, word], line);
  check("SELECT * FROM ", ["logs ", "rejects "], "");
  check("SELECT * FROM lo", ["logs "], "lo");
  check("  \\d re", ["rejects "], "re");
  check("SELECT rea", ["reason "], "rea");
  check("SELECT ", ["reason ", "line "], "", "WITH a AS (SELECT * FROM rejects)\n");
  check("WHERE LIN", ["line "], "LIN", "FROM logs\n");
  check("WHERE LIK", ["LIKE ", "like_escape("], "LIK", "FROM logs\n");
  check("where lik", ["like ", "like_escape("], "lik", "from logs\n");
  check("SELECT approx_c", ["approx_count_distinct("], "approx_c");
  check("\\o", ["\\o", "\\on"], "\\o");
  check("SELECT xyz", [], "xyz");
});

Deno.test("lines are kept for the user alone, and come back", async () => {
  await using folder = await TempFolder.make();
  const path = folder.join("state", "logvend", "shell_history");
  const environment: Record<string, string> = { HOME: "/home/a" };
  const of = () => historyPath((name) => environment[name]);
  assert.equal(of(), "/home/a/.local/state/logvend/shell_history");
  environment.XDG_STATE_HOME = folder.join("state");
  assert.equal(of(), path);
  assert.equal(historyPath(() => undefined), null);
  const first = await History.open(path);
  assert.deepEqual(first.lines, []);
  for (const line of ["SELECT 1;", "", "SELECT é;"]) await first.add(line);
  assert.deepEqual((await History.open(path)).lines, ["SELECT 1;", "SELECT é;"]);
  assert.equal(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
  await Deno.writeTextFile(path, Array.from({ length: 2_500 }, (_, i) => `line ${i}\n`).join(""));
  assert.equal((await History.open(path)).lines.at(0), "line 1500");
  assert.equal((await Deno.readTextFile(path)).split("\n").length, 1_001);
  assert.equal(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
});
