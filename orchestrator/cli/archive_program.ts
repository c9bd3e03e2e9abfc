/** The commands below `logvend archive`, and their options. */
import { Command, Option } from "commander";
import { listCommand, policyCommand, verifyCommand } from "./archive.ts";
import type { ArchiveOptions } from "./archive.ts";
import { restoreCommand } from "./archive_restore.ts";
import type { RestoreOptions } from "./archive_restore.ts";
import { processTerminal } from "./terminal.ts";

/** Adds `archive` to a program. */
export function addArchive(program: Command) {
  const archive = program.command("archive")
    .description("look into the object stores that agents archive to")
    .addHelpText("after", "\nExamples:\n  logvend archive ls\n  logvend archive stat --region eu");
  filtered(archive.command("ls").description("chunks by stream, region and day"))
    .addOption(outputOption())
    .action(async (options: ArchiveOptions) => await listCommand(options, processTerminal(), true));
  filtered(archive.command("stat").description("the same in all, by stream and region"))
    .addOption(outputOption())
    .action(async (options: ArchiveOptions) =>
      await listCommand(options, processTerminal(), false)
    );
  filtered(
    archive.command("verify").description(
      "read the footer of every chunk, and say which are wrong",
    ),
  )
    .option("--content", "read every byte, and compare with the checksum that was kept")
    .addHelpText(
      "after",
      "\nExit codes:\n  0   all right\n  75  something is wrong, listed on stdout",
    )
    .action(async (options: ArchiveOptions & { content?: boolean }) => {
      Deno.exitCode = await verifyCommand(options, processTerminal());
    });
  addRestore(archive);
  archive.command("policy")
    .description("print the least IAM policy of an agent, and the bucket's lifecycle rules")
    .argument("<url>", "s3://BUCKET/PREFIX")
    .option("--region <region>", "of the agents; none: any")
    .option("--host <host>", "of one agent; none: any")
    .addOption(new Option("--only <part>", "one of the two").choices(["policy", "lifecycle"]))
    .addHelpText(
      "after",
      "\nExamples:\n  logvend archive policy s3://acme-logs/prod --region eu --only policy > policy.json",
    )
    .action(async (url: string, options: { region?: string; host?: string; only?: string }) =>
      await policyCommand({ url, ...options }, processTerminal())
    );
}

function addRestore(archive: Command) {
  withPlace(
    archive.command("restore").description("print the original lines of hosts, file by file"),
  )
    .option("--stream <stream>", "whose lines", "logs")
    .option(
      "--where <condition>",
      "SQL over the stream's columns: these lines alone, without rejects",
    )
    .option("--out <folder>", "into a folder for each host, a file for each log file")
    .addHelpText(
      "after",
      "\nExamples:\n  logvend archive restore --host web-1 --since 2026-11-22 --until 2026-11-23 > web-1.log" +
        "\n  logvend archive restore --where 'status >= 500' --since 7d",
    )
    .action(async (options: RestoreOptions) => await restoreCommand(options, processTerminal()));
}

function filtered(command: Command): Command {
  return withPlace(command).option("--stream <stream>", "of one stream");
}

function withPlace(command: Command): Command {
  return command
    .addOption(
      new Option("-c, --config <file>", "whose archives are read")
        .env("LOGVEND_CONFIG").default("orchestrator.yaml"),
    )
    .option("--region <region>", "of one region")
    .option("--host <hosts>", "of hosts, e.g. web-1,web-2")
    .option("--since <time>", "15m, 24h, 2026-11-22, 2026-11-22T19:00Z or all", "all")
    .option("--until <time>", "the same; none: to the newest");
}

function outputOption(): Option {
  return new Option("-o, --output <format>", "how they are printed")
    .choices(["table", "json"]).default("table");
}
