/** Reads a shell's lines: edited at a terminal, with history and completion, or from a pipe. */
import process from "node:process";
import { setImmediate } from "node:timers";
import { createInterface } from "node:readline";
import type { Interface } from "node:readline";
import { messageOf } from "../../../protocol/errors.ts";
import { completions } from "./complete.ts";
import { History, historyPath } from "./history.ts";
import type { Shell } from "./shell.ts";

const PROMPT = "logvend> ";
const PROMPT_MORE = "    ...> ";

/** Runs what is typed until Ctrl-D or \q; an error ends nothing. */
export async function runTyped(shell: Shell): Promise<void> {
  const history = await History.open(historyPath((name) => Deno.env.get(name)));
  const lines = createInterface({
    input: process.stdin,
    output: process.stdout,
    terminal: true,
    history: history.lines.toReversed(),
    historySize: 1_000,
    removeHistoryDuplicates: true,
    completer: (line: string) =>
      completions({
        before: shell.typed.pending,
        line,
        tables: shell.tables,
        commands: shell.commands,
      }),
  });
  // Later: the statement that was entered right before it must have begun, or nothing is cancelled.
  const interrupt = () => {
    if (!shell.cancel()) clearLine(lines, shell);
  };
  lines.on("SIGINT", () => setImmediate(interrupt));
  using _ended = whenEnded(() => {
    shell.cancel();
    shell.leave();
    lines.close(); // gives the terminal back as it was
  });
  shell.refresh().catch((error) => {
    shell.say(`\nTables are not completed: ${messageOf(error)}`); // below the prompt that is there
    prompt(lines, shell);
  });
  let keep = (line: string) => history.add(line);
  await eachLine(lines, async (line) => {
    const taken = shell.take(line).catch((error) => shell.fail(error)); // Ctrl-C is for it at once
    await keep(line).catch((error) => {
      shell.say(`History is not kept: ${messageOf(error)}`);
      keep = () => Promise.resolve();
    });
    await taken;
    return !shell.isOver;
  }, () => prompt(lines, shell));
}

/** What ends a program that is asked to: the terminal was closed, the machine goes down. */
const END_SIGNALS = ["SIGTERM", "SIGHUP"] as const;

function whenEnded(end: () => void): Disposable {
  for (const signal of END_SIGNALS) Deno.addSignalListener(signal, end);
  return {
    [Symbol.dispose]: () => {
      for (const signal of END_SIGNALS) Deno.removeSignalListener(signal, end);
    },
  };
}

/** Runs what comes from a pipe; the first error ends it. */
export async function runPiped(shell: Shell): Promise<void> {
  const lines = createInterface({ input: process.stdin });
  await eachLine(lines, async (line) => {
    await shell.take(line);
    return !shell.isOver;
  });
  if (!shell.isOver) await shell.takeRest();
}

/** One at a time: more may come while one is at work. @param take false: the last */
async function eachLine(
  lines: Interface,
  take: (line: string) => Promise<boolean>,
  ready: () => void = () => {},
): Promise<void> {
  const waiting: string[] = [];
  let isClosed = false;
  let wake = () => {};
  lines.on("line", (line) => {
    waiting.push(line);
    wake();
  });
  lines.on("close", () => {
    isClosed = true;
    wake();
  });
  try {
    for (;;) {
      if (waiting.length === 0) {
        if (isClosed) return;
        ready();
        await new Promise<void>((resolve) => wake = resolve);
      }
      const line = waiting.shift();
      if (line !== undefined && !await take(line)) return;
    }
  } finally {
    lines.close();
  }
}

function prompt(lines: Interface, shell: Shell) {
  lines.setPrompt(shell.typed.pending === "" ? PROMPT : PROMPT_MORE);
  lines.prompt();
}

/** Forgets what is typed, and what of a statement was typed before. */
function clearLine(lines: Interface, shell: Shell) {
  shell.typed.end();
  lines.write(null, { ctrl: true, name: "e" });
  lines.write(null, { ctrl: true, name: "u" });
  process.stdout.write("^C\n");
  prompt(lines, shell);
}
