/** agent.yaml: one schema with its defaults; paths are relative to the file's folder. */
import { hostname } from "node:os";
import { z } from "zod";
import { DEFAULT_PREFIX } from "../protocol/topics.ts";
import { HostName, Labels, RegionName, StreamName } from "../protocol/names.ts";
import { isPublicKey } from "../protocol/signature.ts";
import { BrokerUrl, Duration, readConfig } from "../protocol/config_file.ts";
import { REJECTS } from "../protocol/streams.ts";

const Stream = z.strictObject({
  name: StreamName.refine((name) => name !== REJECTS, `any name but ${REJECTS}`)
    .describe("the table's name in SQL"),
  format: z.enum(["auto", "combined", "json"]).default("auto")
    .describe(
      "combined: nginx's and Apache's access log, with or without a request time at its end",
    ),
  files: z.array(z.string().min(1)).min(1).describe("paths and globs of log files"),
  read_from: z.enum(["beginning", "end"]).default("beginning")
    .describe("where a file seen for the first time is read from"),
  ignore_older: Duration.prefault("24h")
    .describe("files unchanged for longer are not read when first seen"),
});

export const AgentConfig = z.strictObject({
  host: HostName.default(() => hostname()).meta({
    description: "this host's name in the fleet",
    default_text: "the hostname",
  }),
  region: RegionName.default(() => Deno.env.get("LOGVEND_REGION") ?? "default")
    .meta({
      description: "the region it stands in",
      default_text: "`LOGVEND_REGION`, else `default`",
    }),
  labels: Labels.default({}).describe("what selectors match, beside host and region"),
  data_dir: z.string().min(1).describe("the agent's own folder: agent.db, parts and chunks"),
  broker: BrokerUrl.optional().describe("MQTT broker; without one the agent works offline"),
  topic_prefix: z.string().regex(/^[A-Za-z0-9._-]+$/).default(DEFAULT_PREFIX)
    .describe("first level of every MQTT topic"),
  trust: z.array(z.string().refine(isPublicKey, "ed25519:… as printed by logvend key new"))
    .default([]).describe("operator keys whose queries are answered; none: none are"),
  flush_every: Duration.refine((ms) => ms >= 100 && ms <= 3_600_000, "100ms to 1h")
    .prefault("10s").describe("rows become durable at least this often"),
  seal_after: Duration.prefault("120s")
    .describe("a finished hour is sealed after this long without new rows"),
  streams: z.array(Stream).min(1).describe("what is read; each stream is a table")
    .refine((streams) => new Set(streams.map((s) => s.name)).size === streams.length, {
      message: "stream names that differ",
    }),
});

export type AgentConfig = z.infer<typeof AgentConfig>;
export type StreamConfig = z.infer<typeof Stream>;

/** Reads agent.yaml. @throws {LogvendError} bad_config, naming line, key, found and wanted */
export async function readAgentConfig(path: string): Promise<AgentConfig> {
  return await readConfig(path, AgentConfig, {
    environment: { LOGVEND_HOST: ["host"], LOGVEND_REGION: ["region"], LOGVEND_BROKER: ["broker"] },
    paths: [["data_dir"], ["streams", "*", "files", "*"]],
  });
}
