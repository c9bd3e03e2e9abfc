/** The commands of logvend and their options. */
import { Argument, Command, Option } from "commander";
import { LogvendError } from "../../protocol/errors.ts";
import { VERSION } from "../../protocol/version.ts";
import { ROW_FORMATS } from "../../queries/answer/format.ts";
import { TERMINAL_ROWS_MAX } from "../../queries/answer/table_look.ts";
import { createKeyFile } from "../access/key_file.ts";
import { signAction } from "../access/sign.ts";
import { hostsTable } from "../output.ts";
import { addArchive } from "./archive_program.ts";
import { ApiClient } from "./client.ts";
import { completionScript, SHELLS } from "./completion.ts";
import type { Shell } from "./completion.ts";
import { generateCommand, LINE_FORMATS } from "./generate.ts";
import type { GenerateFlags } from "./generate.ts";
import { LIBRARY_FORMATS, libraryList, libraryShow } from "./library.ts";
import type { LibraryFormat } from "./library.ts";
import { initFolder, initText } from "./init.ts";
import { queriesCommand } from "./queries.ts";
import type { QueriesOptions } from "./queries.ts";
import { queryCommand } from "./query.ts";
import type { QueryOptions } from "./ask.ts";
import {
  addQuestionOptions,
  addSettingOptions,
  keyOf,
  keyOption,
  signedQuestion,
  urlOption,
} from "./question.ts";
import type { QuestionOptions } from "./question.ts";
import { serveCommand } from "./serve.ts";
import { shellCommand } from "./shell.ts";
import { TABLE_ROWS_MAX } from "./table_rows.ts";
import { addTailOptions, EVERY_LINE, tailCommand, tailToken } from "./tail.ts";
import type { TailOptions, TailSignOptions } from "./tail.ts";
import { processTerminal, stopSignal } from "./terminal.ts";

const HOSTS_TIMEOUT_MS = 10_000;

const EXIT_CODE_HELP = `
Exit codes:
  0    complete, or partial with --allow-partial
  75   partial: the rows of the hosts that answered; with --explain, an archive that did not
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
  addLibrary(program);
  addQueries(program);
  addHosts(program);
  addArchive(program);
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
    .argument("[sql]", "one SELECT; @NAME of the library; - reads it from standard input");
  addQuestionOptions(query)
    .option(
      "--param <name=value>",
      "a parameter of @NAME; may be repeated",
      (value: string, others: string[] = []) => [...others, value],
    )
    .addOption(outputOption())
    .option("--watch <interval>", "ask again and again, e.g. every 10s")
    .option("--explain", "show what would run where, and run nothing")
    .option("--allow-partial", "exit 0 although hosts are missing")
    .option("--resume <id>", "ask again what was asked before: what was read for it counts still")
    .option("--publish <url>", "write the result to s3://BUCKET/PREFIX/ or file:FOLDER, as Parquet")
    .option("--replace", "with --publish: take the place of a result that is there")
    .addOption(
      new Option("-c, --config <file>", "whose stores --publish knows (default: orchestrator.yaml)")
        .env("LOGVEND_CONFIG"),
    )
    .option("-q, --quiet", "no progress and no summary")
    .addOption(urlOption())
    .addHelpText(
      "after",
      examples(
        'logvend query "SELECT status, count(*) FROM logs GROUP BY 1 ORDER BY 2 DESC"',
        'logvend query "DESCRIBE logs"    # or SHOW TABLES; asks no host',
        'logvend query "SELECT team, count(*) FROM logs JOIN users ON remote_user = login GROUP BY 1" \\',
        "    --with users=users.csv",
        "logvend query @requests_by_path --param limit=50 --since 15m",
        "logvend query -f errors.sql --on 'region = eu-west-1' --since 15m -o csv > errors.csv",
        "logvend query -f report.sql --source archive --since 30d --timeout 1h --max-bytes 50GB \\",
        "    --publish s3://acme-results/2026-11/",
        "logvend query --resume q-7f3a2c    # what was read of the archive is not read again",
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
    .action(async (options: QueryOptions & { url: string }) => {
      const client = new ApiClient(options.url);
      Deno.exitCode = await shellCommand({ options, client, terminal: processTerminal() });
    });
}

function addTail(program: Command) {
  const tail = program.command("tail")
    .description("show new lines of the fleet as they are read, until Ctrl-C")
    .argument("[condition]", "SQL over the stream's columns; without it, every line");
  addTailOptions(tail)
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

function addLibrary(program: Command) {
  const output = () =>
    new Option("-o, --output <format>", "how it is printed").choices(LIBRARY_FORMATS)
      .default("text");
  const library = program.command("library").description("questions by name, for query @NAME")
    .addHelpText("after", examples("logvend library list"));
  library.command("list")
    .description("list the questions and their parameters")
    .addOption(output())
    .addHelpText("after", examples("logvend library list", "logvend library list -o json"))
    .action(({ output }: { output: LibraryFormat }) => libraryList(output, processTerminal()));
  library.command("show")
    .description("print one: what it is for, parameters, columns, SQL")
    .argument("<name>", "as listed")
    .addOption(output())
    .addHelpText("after", examples("logvend library show error_bursts"))
    .action((name: string, { output }: { output: LibraryFormat }) =>
      libraryShow(name, output, processTerminal())
    );
}

function addQueries(program: Command) {
  program.command("queries")
    .description("list what was asked of the fleet, show one in full, or cancel it")
    .argument("[id]", "of one query: q-7f3a2c, or the beginning of its id")
    .addOption(
      new Option("-o, --output <format>", "how they are printed")
        .choices(["table", "json"]).default("table"),
    )
    .option("--limit <count>", "how many are listed, the newest first", "20")
    .option("--cancel", "end it on every host; signed, as questions are")
    .addOption(keyOption())
    .addOption(urlOption())
    .addHelpText(
      "after",
      examples("logvend queries", "logvend queries q-7f3a2c", "logvend queries q-7f3a2c --cancel"),
    )
    .action((id: string | undefined, { url, ...options }: QueriesOptions & { url: string }) =>
      queriesCommand({ id, options, client: new ApiClient(url), terminal: processTerminal() })
    );
}

function addHosts(program: Command) {
  const hosts = program.command("hosts")
    .description("list the hosts of the fleet: there or not, and since when")
    .option("--retired", "those too that are expected no more")
    .addOption(
      new Option("-o, --output <format>", "how they are printed")
        .choices(["table", "json"]).default("table"),
    )
    .addOption(urlOption())
    .addHelpText("after", examples("logvend hosts", "logvend hosts -o json"))
    .action(async ({ url, output, retired = false }: HostsOptions) => {
      const hosts = await new ApiClient(url).hosts(AbortSignal.timeout(HOSTS_TIMEOUT_MS));
      const terminal = processTerminal();
      await terminal.write(
        output === "json"
          ? `${JSON.stringify({ hosts }, null, 2)}\n`
          : hostsTable(hosts, terminal.now(), { retired }),
      );
    });
  hosts.command("retire")
    .description("expect hosts no more, until they come back; signed, as questions are")
    .argument("<hosts...>", "offline ones; after 7 days hosts are retired by themselves")
    .addOption(keyOption())
    .addOption(urlOption())
    .addHelpText("after", examples("logvend hosts retire web-17 web-18"))
    .action(async (names: string[], _, command: Command) => {
      const { url, key } = command.optsWithGlobals<{ url: string; key?: string }>();
      const terminal = processTerminal();
      const text = names.join("\n");
      const signer = { key: await keyOf(key === undefined ? {} : { key }), nowMs: terminal.now() };
      const token = await signAction("retire", text, signer);
      await new ApiClient(url).retire({ names: text, token, signal: terminal.signal });
      terminal.error(`retired: ${names.join(" ")}`);
    });
}

interface HostsOptions {
  url: string;
  output: "table" | "json";
  retired?: boolean;
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
      if (options.with !== undefined) {
        throw new LogvendError("usage", "--with: only logvend query and shell send tables");
      }
      console.log((await signedQuestion(sql, options, Date.now())).token);
    });
  addTailOptions(
    key.command("sign-tail")
      .description("print the signature of a tail, for curl; to be begun once, within 5 minutes")
      .argument("[condition]", "as for logvend tail", EVERY_LINE),
  )
    .addHelpText(
      "after",
      examples(
        "curl -N --data-binary 'status >= 500' http://127.0.0.1:8080/v1/tail \\",
        `    -H "Logvend-Signature: $(logvend key sign-tail 'status >= 500')"`,
      ),
    )
    .action(async (condition: string, options: TailSignOptions) =>
      console.log(await tailToken(condition, options, Date.now()))
    );
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
    `how rows are printed; a table ends after ${TABLE_ROWS_MAX} rows, ${TERMINAL_ROWS_MAX} at a terminal`,
  ).choices(["table", ...ROW_FORMATS]).default("table");
}

function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}
