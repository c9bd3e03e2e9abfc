/** The commands of the shell that are no SQL: each begins with a backslash. */
import { LogvendError } from "../../../protocol/errors.ts";
import { nearMiss } from "../../../protocol/config/near_miss.ts";
import { parseRange } from "../../../protocol/range.ts";
import { parseSelector } from "../../../protocol/selector/selector.ts";
import { identifier } from "../../../protocol/schema/table_sql.ts";
import { ROW_FORMATS } from "../../../queries/answer/format.ts";
import { hostsTable } from "../../output.ts";
import type { Shell } from "./shell.ts";

interface ShellCommand {
  name: string;
  argument?: string;
  does: string;
  run(shell: Shell, argument: string): Promise<void> | void;
}

const COMMANDS: readonly ShellCommand[] = [
  { name: "\\?", does: "show this", run: (shell) => shell.print(help()) },
  { name: "\\q", does: "leave; so does Ctrl-D", run: (shell) => shell.leave() },
  { name: "\\t", does: "list the tables", run: (shell) => shell.ask("SHOW TABLES") },
  {
    name: "\\d",
    argument: "[table]",
    does: "list the columns of a table; without one, the tables",
    run: (shell, table) =>
      shell.ask(table === "" ? "SHOW TABLES" : `DESCRIBE ${identifier(table)}`),
  },
  {
    name: "\\hosts",
    does: "list the hosts of the fleet",
    run: async (shell) => shell.print(hostsTable(await shell.hosts(), Date.now())),
  },
  {
    name: "\\on",
    argument: "[selector]",
    does: "ask these hosts from now on; without one, all",
    run: (shell, selector) => {
      parseSelector(selector);
      shell.set("on", selector);
    },
  },
  {
    name: "\\since",
    argument: "[when]",
    does: "ask about this range from now on: 15m, 2026-11-22, all; without one, 24h",
    run: (shell, since) => {
      if (since !== "") parseRange({ since }, Date.now());
      shell.set("since", since);
    },
  },
  {
    name: "\\o",
    argument: "format",
    does: `print rows as table, ${ROW_FORMATS.join(", ")}`,
    run: (shell, name) => {
      const format = (["table", ...ROW_FORMATS] as const).find((known) => known === name);
      if (format === undefined) throw wanted("\\o", `table, ${ROW_FORMATS.join(", ")}`);
      shell.options.output = format;
    },
  },
  {
    name: "\\i",
    argument: "file",
    does: "run the statements and commands of a file",
    run: (shell, file) => {
      if (file === "") throw wanted("\\i", "a file");
      return shell.include(file);
    },
  },
  {
    name: "\\timing",
    does: "say how long each statement takes, or no more",
    run: (shell) => {
      shell.timing = !shell.timing;
      shell.say(`timing is ${shell.timing ? "on" : "off"}`);
    },
  },
  {
    name: "\\refresh",
    does: "look again which tables and columns there are to complete",
    run: (shell) => shell.refresh(),
  },
];

/** Those that there are. */
export const COMMAND_NAMES: readonly string[] = COMMANDS.map(({ name }) => name);

/** Runs a line that begins with a backslash. @throws {LogvendError} usage, and the command's own */
export async function runCommand(shell: Shell, line: string): Promise<void> {
  const [, name = "", argument = ""] = /^(\S+)\s*([^]*)$/.exec(line.trim()) ?? [];
  const command = COMMANDS.find((known) => known.name === name);
  if (command === undefined) {
    const near = nearMiss(name, COMMAND_NAMES);
    const hint = near === null ? "" : `. Did you mean ${near}?`;
    throw new LogvendError("usage", `There is no command ${name}; \\? lists them${hint}`);
  }
  await command.run(shell, argument.replace(/\s*;?\s*$/, ""));
}

function help(): string {
  const lefts = COMMANDS.map(({ name, argument }) => argument ? `${name} ${argument}` : name);
  const width = Math.max(...lefts.map((left) => left.length));
  const lines = COMMANDS.map(({ does }, i) => `  ${(lefts[i] ?? "").padEnd(width)}  ${does}`);
  return [
    "SQL ends with a semicolon and may be of several lines; Tab completes.",
    "Ctrl-C cancels the running query on every host, or clears the line.",
    ...lines,
    "",
  ].join("\n");
}

function wanted(name: string, what: string): LogvendError {
  return new LogvendError("usage", `${name}: wanted ${what}`);
}
