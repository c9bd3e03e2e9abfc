/** The commands below `logvend archive`, and their options. */
import { Command, Option } from "commander";
import { listCommand, policyCommand, verifyCommand } from "./archive.ts";
import type { ArchiveOptions } from "./archive.ts";
import type { EraseOptions } from "./archive_erase.ts";
import { indexCommand } from "./archive_index.ts";
import { restoreCommand } from "./archive_restore.ts";
import type { RestoreOptions } from "./archive_restore.ts";
import { ApiClient } from "./client.ts";
import { addAudienceOptions, urlOption } from "./question.ts";
import { processTerminal } from "./terminal.ts";

/** Hosts go on with an erasure that was begun: nobody can take it back. */
const ERASE_LEFT = "Left. What was begun goes on: logvend archive erase --status";

/** Of commands that ask no host. */
function readingTerminal() {
  return processTerminal("Cancelled");
}

/** Adds `archive` to a program. */
export function addArchive(program: Command) {
  const archive = program.command("archive")
    .description("look into the object stores that agents archive to")
    .addHelpText("after", "\nExamples:\n  logvend archive ls\n  logvend archive stat --region eu");
  filtered(archive.command("ls").description("chunks by stream, region and day"))
    .addOption(outputOption())
    .action(async (options: ArchiveOptions) => {
      Deno.exitCode = await listCommand(options, readingTerminal(), true);
    });
  filtered(archive.command("stat").description("the same in all, by stream and region"))
    .addOption(outputOption())
    .action(async (options: ArchiveOptions) => {
      Deno.exitCode = await listCommand(options, readingTerminal(), false);
    });
  filtered(
    archive.command("verify").description(
      "read the footer of every chunk, and say which are wrong",
    ),
  )
    .addOption(outputOption())
    .option("--content", "read every byte, and compare with the checksum that was kept")
    .addHelpText(
      "after",
      "\nExit codes:\n  0   all right\n  75  something is wrong, listed on stdout, or one of several archives does not answer",
    )
    .action(async (options: ArchiveOptions & { content?: boolean }) => {
      Deno.exitCode = await verifyCommand(options, readingTerminal());
    });
  filtered(archive.command("index").description("which days have a manifest in the catalog"))
    .addOption(outputOption())
    .option("--rebuild", "remove them: agents make them anew")
    .action(async (options: ArchiveOptions & { rebuild?: boolean }) =>
      await indexCommand(options, readingTerminal())
    );
  addRestore(archive);
  addErase(archive);
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
      await policyCommand({ url, ...options }, readingTerminal())
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
    .addOption(outputOption("how the summary is printed; json, with --out: on stdout"))
    .addHelpText(
      "after",
      "\nExamples:\n  logvend archive restore --host web-1 --since 2026-11-22 --until 2026-11-23 > web-1.log" +
        "\n  logvend archive restore --on 'region = eu and host != web-3' --where 'status >= 500' --since 7d" +
        "\n\nExit codes:\n  0   all of it\n  75  chunks or archives were left out, as named on stderr",
    )
    .action(async (options: RestoreOptions) => {
      Deno.exitCode = await restoreCommand(options, readingTerminal());
    });
}

function addErase(archive: Command) {
  const erase = archive.command("erase")
    .description("erase rows for good: on hosts, in their caches and in archives");
  addAudienceOptions(erase)
    .addOption(configOption("whose archives are erased from"))
    .option("--stream <stream>", "whose rows, and its rejected lines", "logs")
    .option("--since <time>", "the beginning: 24h, 2026-11-22 or 2026-11-22T19:00Z; needed")
    .option("--until <time>", "the end, likewise; needed")
    .option("--where <condition>", "SQL over the stream's columns: these rows alone")
    .option("--dry-run", "show what would go, and erase nothing")
    .option("--confirm <phrase>", "the confirmation that --dry-run shows, where nobody can type it")
    .option("--wait <duration>", "wait this long for hosts that are online", "2m")
    .option("--status [id]", "say how an erasure goes on its hosts; without an id, all of them")
    .option("--resume <id>", "go on with archives that were not done to the end")
    .addOption(outputOption())
    .addOption(urlOption())
    .addHelpText(
      "after",
      `
Examples:
  logvend archive erase --since 2026-11-22 --until 2026-11-23 \\
      --where "remote_addr = '203.0.113.9'" --dry-run
  logvend archive erase --host web-1 --since 2026-11-22T19:00Z --until 2026-11-22T20:00Z
  logvend archive erase --status

The key has to be named in trust_erase, of the orchestrator and of every agent; keys of the archives
have to be allowed to write and to delete, also versions.

Exit codes:
  0   everywhere done
  64  not confirmed, no range, a condition that no row decides by itself
  75  begun: some host is offline or failed, or some chunk could not be done
  77  not permitted`,
    )
    .action(async ({ url, ...options }: EraseOptions & { url: string }) => {
      const { eraseCommand } = await import("./archive_erase.ts"); // for it takes a DuckDB
      const client = new ApiClient(url);
      Deno.exitCode = await eraseCommand({
        options,
        client,
        terminal: processTerminal(ERASE_LEFT),
      });
    });
}

function filtered(command: Command): Command {
  return withPlace(command).option("--stream <stream>", "of one stream");
}

function withPlace(command: Command): Command {
  return command
    .addOption(configOption("whose archives are read"))
    .option("--on <selector>", "by host and region, e.g. 'region = eu and host != web-3'")
    .option("--host <names>", "of these hosts: a,b")
    .option("--region <names>", "of these regions: a,b")
    .option("--since <time>", "15m, 24h, 2026-11-22, 2026-11-22T19:00Z or all", "all")
    .option("--until <time>", "the same; none: to the newest");
}

function configOption(what: string): Option {
  return new Option("-c, --config <file>", what).env("LOGVEND_CONFIG").default("orchestrator.yaml");
}

function outputOption(what = "how they are printed"): Option {
  return new Option("-o, --output <format>", what)
    .choices(["table", "json"]).default("table");
}
