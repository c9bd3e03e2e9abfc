/** The commands of logvend and their options. */
import { Argument, Command, Option } from "commander";
import { VERSION } from "../../protocol/version.ts";
import { ROW_FORMATS } from "../../queries/answer/format.ts";
import { TERMINAL_ROWS_MAX } from "../../queries/answer/table_look.ts";
import { createKeyFile } from "../access/key_file.ts";
import { ApiClient } from "./client.ts";
import { completionScript, SHELLS } from "./completion.ts";
import type { Shell } from "./completion.ts";
import { generateCommand, LINE_FORMATS } from "./generate.ts";
import type { GenerateFlags } from "./generate.ts";
import { hostsCommand, retireCommand } from "./hosts.ts";
import type { HostsOptions } from "./hosts.ts";
import { initFolder, initText } from "./init.ts";
import { queryCommand } from "./query.ts";
import type { QueryOptions } from "./query.ts";
import {
  addAudienceOptions,
  addQuestionOptions,
  addSettingOptions,
  keyOption,
  signedQuestion,
} from "./question.ts";
import type { QuestionOptions } from "./question.ts";
import { serveCommand } from "./serve.ts";
import { shellCommand } from "./shell.ts";
import { tailCommand } from "./tail.ts";
import type { TailOptions } from "./tail.ts";
import { processTerminal, stopSignal } from "./terminal.ts";

const EXIT_CODE_HELP = `
Exit codes:
  0    complete, or partial with --allow-partial
  75   partial: the rows of the hosts that answered
  64   bad SQL or usage, too many rows
  69   orchestrator, broker or every host out of reach
  77   not permitted
  124  no answer within --timeout
  130  Ctrl-C`;

/** More than its programs take when all have to be killed. */
const DEMO_CLEAN_UP_MAX_MS = 30_000;

/** Builds the command line. Commands set `Deno.exitCode`; errors they throw are the caller's. */
export function logvendProgram(): Command {
  const program = new Command("logvend")
    .description("Asks a fleet of hosts about their logs, with SQL that runs where the logs are.")
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError("(--help shows how)")
    .addHelpText(
      "after",
      examples(
        "logvend demo",
        "logvend init ./logvend",
        'logvend query "SELECT count(*) FROM logs"',
      ),
    );
  addQuery(program);
  addShell(program);
  addTail(program);
  addHosts(program);
  addServe(program);
  addInit(program);
  addKey(program);
  addGenerate(program);
  addDemo(program);
  addCompletion(program);
  return program;
}

function addQuery(program: Command) {
  const query = program.command("query")
    .description("ask the fleet one SELECT; rows on stdout, what they cover on stderr")
    .argument("[sql]", "one SELECT statement; - reads it from standard input");
  addQuestionOptions(query)
    .addOption(outputOption())
    .addOption(
      new Option("--source <source>", "live: what hosts hold; auto: that and the archive")
        .choices(["auto", "live", "archive"]).default("auto"),
    )
    .option("--watch <interval>", "ask again and again, e.g. every 10s")
    .option("--explain", "show what would run where, and run nothing")
    .option("--allow-partial", "exit 0 although hosts are missing")
    .option("-q, --quiet", "no progress and no summary")
    .addOption(urlOption())
    .addHelpText(
      "after",
      examples(
        'logvend query "SELECT status, count(*) FROM logs GROUP BY 1 ORDER BY 2 DESC"',
        'logvend query "DESCRIBE logs"    # or SHOW TABLES; asks no host',
        "logvend query -f errors.sql --on 'region = eu-west-1' --since 15m -o csv > errors.csv",
      ),
    )
    .addHelpText("after", EXIT_CODE_HELP)
    .action(async (sql: string | undefined, options: QueryOptions & { url: string }) => {
      const client = new ApiClient(options.url);
      Deno.exitCode = await queryCommand({ sql, options, client, terminal: processTerminal() });
    });
}

function addShell(program: Command) {
  const shell = program.command("shell")
    .description("ask the fleet one statement after the other; \\? in it helps");
  addSettingOptions(shell)
    .addOption(outputOption())
    .addOption(urlOption())
    .addHelpText("after", examples("logvend shell", "logvend shell < report.sql"))
    .action(async (options: Omit<QueryOptions, "source"> & { url: string }) => {
      const client = new ApiClient(options.url);
      Deno.exitCode = await shellCommand({ options, client, terminal: processTerminal() });
    });
}

function addTail(program: Command) {
  const tail = program.command("tail")
    .description("show new lines of the fleet as they are read, until Ctrl-C")
    .argument("[condition]", "SQL over the stream's columns; without it, every line");
  addAudienceOptions(tail)
    .option("--stream <name>", "whose lines", "logs")
    .option("--rate <lines>", "lines a second shown of all hosts; the rest is counted", "500")
    .addOption(
      new Option("-o, --output <format>", "how lines are printed")
        .choices(["text", "json"]).default("text"),
    )
    .option("-q, --quiet", "lines alone, nothing about hosts or what is left out")
    .addOption(urlOption())
    .addHelpText(
      "after",
      examples(
        "logvend tail",
        "logvend tail 'status >= 500' --on 'region = eu-west-1'",
        `logvend tail "request LIKE '/api/%'" -o json | jq .line`,
      ),
    )
    .action(async (condition: string | undefined, options: TailOptions & { url: string }) => {
      const client = new ApiClient(options.url);
      const terminal = processTerminal();
      Deno.exitCode = await tailCommand({ condition, options, client, terminal });
    });
}

function addHosts(program: Command) {
  const hosts = program.command("hosts")
    .description("list the hosts of the fleet: there or not, and since when")
    .addOption(
      new Option("-o, --output <format>", "how they are printed")
        .choices(["table", "json"]).default("table"),
    )
    .option("--retired", "those that are counted out too")
    .addOption(urlOption())
    .addHelpText("after", examples("logvend hosts", "logvend hosts -o json"))
    .action(async ({ url, ...options }: HostsOptions & { url: string }) => {
      await hostsCommand(options, new ApiClient(url), processTerminal());
    });
  hosts.command("retire")
    .description("count hosts out that are gone for good; happens by itself after 7 days")
    .argument("<hosts...>", "their names")
    .addOption(keyOption())
    .addOption(urlOption())
    .addHelpText("after", examples("logvend hosts retire web-17 web-18"))
    .action(async (names: string[], _: unknown, command: Command) => {
      const { url, ...options } = command.optsWithGlobals<{ url: string; key?: string }>();
      await retireCommand(names, options, new ApiClient(url), processTerminal());
    });
}

function addServe(program: Command) {
  program.command("serve")
    .description("run an orchestrator until SIGTERM or Ctrl-C")
    .addOption(
      new Option("-c, --config <file>", "its configuration")
        .env("LOGVEND_CONFIG").default("orchestrator.yaml"),
    )
    .addHelpText("after", examples("logvend serve -c orchestrator.yaml"))
    .action((options: { config: string }) => serveCommand(options.config));
}

function addInit(program: Command) {
  program.command("init")
    .description("write orchestrator.yaml, operator.key and an agent.yaml to copy to hosts")
    .argument("<folder>", "where to")
    .addHelpText("after", examples("logvend init ./logvend"))
    .action(async (folder: string) => {
      console.log(initText(await initFolder(folder)));
    });
}

function addKey(program: Command) {
  const key = program.command("key").description("make operator keys, and sign with them")
    .addHelpText("after", examples("logvend key new operator.key"));
  key.command("new")
    .description("write a new operator key and print its public half, for trust: in the YAMLs")
    .argument("<file>", "where to; never overwritten")
    .addHelpText("after", examples("logvend key new operator.key"))
    .action(async (file: string) => console.log(await createKeyFile(file)));
  const sign = key.command("sign")
    .description("print the signature of a query, for curl; good for 5 minutes and one request")
    .argument("[sql]", "one SELECT statement; - reads it from standard input");
  addQuestionOptions(sign)
    .addHelpText(
      "after",
      examples(
        'curl --data-binary @q.sql -H "Logvend-Signature: $(logvend key sign -f q.sql)" \\',
        "    'http://127.0.0.1:8080/v1/query?format=csv'",
      ),
    )
    .action(async (sql: string | undefined, options: QuestionOptions) => {
      console.log((await signedQuestion(sql, options, Date.now())).token);
    });
}

function addGenerate(program: Command) {
  program.command("generate")
    .description("write access logs as a web server would, to try things out")
    .requiredOption("--out <file>", "appended to; opened anew after a rotation")
    .addOption(
      new Option("--format <format>", "combined_time: with a request time at the end")
        .choices(LINE_FORMATS).default("combined"),
    )
    .option("--rate <lines>", "live lines a second; 0: the backlog alone", "10")
    .option("--backlog <lines>", "lines written first", "0")
    .option("--hours <hours>", "how far back the backlog goes", "24")
    .option("--seed <number>", "the same seed writes the same traffic", "1")
    .addHelpText(
      "after",
      examples(
        "logvend generate --out access.log --rate 100",
        "logvend generate --out access.log --backlog 1000000 --hours 24 --rate 0",
      ),
    )
    .action((flags: GenerateFlags) => generateCommand(flags));
}

function addDemo(program: Command) {
  program.command("demo")
    .description("a fleet on this machine: one question, one killed host, the proof")
    .option("--once", "end after the proof instead of staying up")
    .addHelpText("after", examples("logvend demo", "logvend demo --once"))
    .action(async ({ once = false }: { once?: boolean }) => {
      const { demo } = await import("../demo/demo.ts");
      const signal = stopSignal({
        signals: ["SIGINT", "SIGTERM", "SIGHUP"],
        cleanUpMaxMs: DEMO_CLEAN_UP_MAX_MS,
      });
      await demo({ once, print: (line) => console.log(line), signal });
    });
}

function addCompletion(program: Command) {
  program.command("completion")
    .description("print a shell's completion script")
    .addArgument(new Argument("<shell>", "which one").choices(SHELLS))
    .addHelpText("after", examples('eval "$(logvend completion bash)"'))
    .action((shell: Shell) => console.log(completionScript(program, shell)));
}

function outputOption(): Option {
  return new Option(
    "-o, --output <format>",
    `how rows are printed; a table at a terminal ends after ${TERMINAL_ROWS_MAX} rows`,
  ).choices(["table", ...ROW_FORMATS]).default("table");
}

function urlOption(): Option {
  return new Option("--url <url>", "the orchestrator").env("LOGVEND_URL")
    .default("http://127.0.0.1:8080");
}

function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}
