/** The commands of logvend-agent and their options. What a command needs is loaded when it runs. */
import { Command, Option } from "commander";
import { VERSION } from "../../protocol/version.ts";
import { ENGINES } from "../../queries/views/views.ts";
import { TERMINAL_ROWS_MAX } from "../../queries/answer/table_look.ts";
import type { AccountOptions } from "./account.ts";
import type { QueryOptions } from "./query.ts";
import type { RestoreOptions } from "./restore.ts";
import type { TryOptions } from "./try.ts";
import type { ViewsOptions } from "./views.ts";

const CONFIG = "the agent's configuration";

/** Builds the command line. Commands set `Deno.exitCode`; errors they throw are the caller's. */
export function agentProgram(): Command {
  const program = new Command("logvend-agent")
    .description("Reads logs where they are made, keeps them as Parquet, answers SQL.")
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError("(--help shows how)");
  program.command("run")
    .description("tail the configured logs and answer the fleet's queries until SIGTERM")
    .addOption(configOption())
    .addHelpText("after", examples("logvend-agent run -c /etc/logvend/agent.yaml"))
    .action(async (options: { config: string }) =>
      (await import("./run.ts")).runCommand(options.config)
    );
  addQuery(program);
  program.command("try")
    .description("say which format a log has, show its first rows, and the YAML to read it with")
    .argument("<file>", "a log file (.gz too; - is stdin)")
    .addOption(
      new Option("-o, --output <format>", "how it is printed").choices(["text", "json"])
        .default("text"),
    )
    .addHelpText("after", examples("logvend-agent try /var/log/nginx/access.log"))
    .action(async (file: string, options: TryOptions) =>
      (await import("./try.ts")).tryCommand(file, options)
    );
  program.command("import")
    .description("turn existing logs (.gz too) into sealed chunks; what is known adds nothing")
    .argument("<file...>", "log files (- is stdin)")
    .addOption(configOption())
    .option("--stream <name>", "the stream they belong to (default: the first one configured)")
    .addHelpText("after", examples("logvend-agent import /var/log/nginx/access.log.*.gz"))
    .action(async (files: string[], options: { config: string; stream?: string }) =>
      (await import("./import.ts")).importCommand(files, options)
    );
  addAccount(program);
  addRestore(program);
  addViews(program);
  program.command("validate")
    .description("check a configuration and say which files it finds")
    .addOption(configOption())
    .addHelpText("after", examples("logvend-agent validate -c agent.yaml"))
    .action(async (options: { config: string }) =>
      (await import("./validate.ts")).validateCommand(options.config)
    );
  return program;
}

function addQuery(program: Command) {
  program.command("query")
    .description("answer SQL from this host alone, whether the agent runs or not")
    .argument("<sql>", "one SELECT statement, or @NAME of logvend's library")
    .addOption(configOption())
    .option(
      "--file <path>",
      "ask a log file as it is (.gz too; - is stdin), without any configuration; may be repeated",
      repeated,
    )
    .option("--param <name=value>", "a parameter of @NAME; may be repeated", repeated)
    .addOption(
      new Option(
        "-o, --output <format>",
        `how rows are printed; a table at a terminal ends after ${TERMINAL_ROWS_MAX} rows`,
      )
        .choices(["table", "json", "jsonl", "csv", "parquet", "arrow"]).default("table"),
    )
    .option(
      "--since <when>",
      "15m, 24h, 2026-11-22T19:00:00Z or all (default: 24h; all for --file)",
    )
    .option("--until <when>", "the end of the range, likewise")
    .option("--timeout <duration>", "give up after this long", "60s")
    .addHelpText(
      "after",
      examples(
        'logvend-agent query "SELECT status, count(*) FROM logs GROUP BY 1" -c agent.yaml',
        'logvend-agent query "DESCRIBE logs" -c agent.yaml    # or SHOW TABLES',
        'logvend-agent query --file access.log.gz "SELECT * FROM rejects"',
        "logvend-agent query --file access.log @latency_by_route --param limit=5",
        'ssh web-1 cat access.log | logvend-agent query --file - "SELECT count(*) FROM logs"',
      ),
    )
    .action(async (sql: string, options: QueryOptions) =>
      (await import("./query.ts")).queryCommand(sql, options)
    );
}

function addAccount(program: Command) {
  program.command("account")
    .description("what was read of every file and hour, what became of it, does it add up (exit 1)")
    .addOption(configOption())
    .option("--stream <name>", "this stream only")
    .option("--since <when>", "show hours from 24h, 2026-11-22T19:00:00Z, … on (default: all)")
    .option("--until <when>", "show hours up to, likewise")
    .addOption(
      new Option("-o, --output <format>", "how it is printed")
        .choices(["table", "json", "csv"]).default("table"),
    )
    .addHelpText("after", examples("logvend-agent account -c agent.yaml --since 24h"))
    .action(async (options: AccountOptions) =>
      (await import("./account.ts")).accountCommand(options)
    );
}

function addViews(program: Command) {
  program.command("views")
    .description("print SQL by which another engine reads this host's chunks as they lie")
    .addOption(configOption())
    .option("--stream <name>", "the stream (default: the first one configured)")
    .addOption(
      new Option("--engine <name>", "the engine").choices(ENGINES).default("duckdb"),
    )
    .option("--location <url>", "where `stream=…` lies (default: the data folder)")
    .addHelpText(
      "after",
      examples(
        "logvend-agent views -c agent.yaml | duckdb logs.db",
        "logvend-agent views --engine athena --location s3://bucket/logs",
      ),
    )
    .action(async (options: ViewsOptions) => (await import("./views.ts")).viewsCommand(options));
}

function addRestore(program: Command) {
  program.command("restore")
    .description("print the original text of a stream's log files, byte for byte")
    .addOption(configOption())
    .option("--stream <name>", "the stream (default: the first one configured)")
    .option("--since <when>", "lines from 24h, 2026-11-22T19:00:00Z, … on (default: all)")
    .option("--until <when>", "lines up to, likewise")
    .option("--where <condition>", "rows only for which this SQL over the columns is true")
    .option("--out <folder>", "one file per log file instead, named like it")
    .addHelpText(
      "after",
      examples(
        "logvend-agent restore --since 24h --out restored -c agent.yaml",
        "logvend-agent restore --where 'status >= 500' -c agent.yaml > errors.log",
      ),
    )
    .action(async (options: RestoreOptions) =>
      (await import("./restore.ts")).restoreCommand(options)
    );
}

function repeated(value: string, others: string[] = []): string[] {
  return [...others, value];
}

function configOption(): Option {
  return new Option("-c, --config <file>", CONFIG).env("LOGVEND_CONFIG").default("agent.yaml");
}

function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}
