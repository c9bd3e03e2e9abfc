/** agent.yaml: one schema with its defaults; paths are relative to the file's folder. */
import { hostname } from "node:os";
import { z } from "zod";
import { DEFAULT_PREFIX } from "../protocol/wire/topics.ts";
import { FleetName, HostName, Labels, RegionName } from "../protocol/names.ts";
import { isPublicKey } from "../protocol/signing/signature.ts";
import { BrokerUrl, Bytes, Duration, readConfig } from "../protocol/config/config_file.ts";
import { AgentArchive, archivePaths } from "../protocol/archive/archive_config.ts";
import { loopback } from "../protocol/config/listen_address.ts";
import { geoProblems } from "./geo/geo_shape.ts";
import { indexProblems } from "./archive/index_problems.ts";
import { ruleProblems } from "./rules/problems.ts";
import { Policy } from "./policy/policy_config.ts";
import { policyProblems } from "./policy/problems.ts";
import { Stream } from "./stream_config.ts";
import { windowProblems } from "./window/problems.ts";
import { SinkConfig, WINDOW_PATHS, WindowsConfig } from "./window_config.ts";

/** What the program itself needs while it reads at full speed, without the rows it keeps. */
const MEMORY_MIN_BYTES = 230e6;

const Limits = z.strictObject({
  memory: Bytes.refine((bytes) => bytes >= MEMORY_MIN_BYTES, "a size from 230MB")
    .prefault("250MB")
    .describe("of the agent itself: sets how many rows wait in memory before they are written"),
  nice: z.int("0 to 19").min(0).max(19).default(10)
    .describe("niceness of the processes that answer queries and seal hours"),
});

const Retention = z.strictObject({
  age: Duration.optional().describe("chunks whose newest row is older are removed"),
  bytes: Bytes.optional()
    .describe("the oldest chunks are removed while parts and chunks together hold more"),
});

const Geo = z.strictObject({
  database: z.string().min(1).describe(
    "a MaxMind DB file (.mmdb): geo_country and geo_city of access logs say where remote_addr is",
  ),
});

/** What memory holds, and a few parts and chunks, must fit in. */
const QUOTA_MIN_BYTES = 64e6;

const FOLDER_WANTED = "a folder, e.g. ./data";

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
  data_dir: z.string(FOLDER_WANTED).min(1, FOLDER_WANTED).describe(
    "the agent's own folder: agent.db, parts and chunks",
  ),
  broker: BrokerUrl.optional().describe("MQTT broker; without one the agent works offline"),
  topic_prefix: FleetName.default(DEFAULT_PREFIX)
    .describe("first level of every MQTT topic"),
  fleet: FleetName.optional().meta({
    description:
      "the fleet's name, the same on orchestrator and agents: an erasure that was signed for " +
      "another fleet is refused, though its key may erase here too",
    default_text: "`topic_prefix`",
  }),
  trust: z.array(z.string().refine(isPublicKey, "ed25519:… as printed by logvend key new"))
    .default([]).describe("operator keys whose queries are answered; none: none are"),
  trust_erase: z.array(z.string().refine(isPublicKey, "ed25519:… as printed by logvend key new"))
    .default([]).describe(
      "operator keys that may erase rows of this host for good; none: none may",
    ),
  flush_every: Duration.refine((ms) => ms >= 100 && ms <= 3_600_000, "100ms to 1h")
    .prefault("10s").describe("rows become durable at least this often"),
  seal_after: Duration.prefault("120s")
    .describe("a finished hour is sealed after this long without new rows"),
  drain_timeout: Duration.optional()
    .describe("SIGTERM seals everything first, within this long; for hosts that go for good"),
  retention: Retention.optional().describe("how long sealed chunks stay; none: for good"),
  quota: Bytes.refine((bytes) => bytes >= QUOTA_MIN_BYTES, "a size from 64MB").optional()
    .describe("how much the data folder may hold; none: all of the disk"),
  on_quota: z.enum(["pause", "drop_oldest"]).default("pause").describe(
    "at the quota: pause stops reading until there is room; drop_oldest removes the oldest chunks",
  ),
  scrub_every: Duration.refine((ms) => ms >= 60_000, "a duration from 1m").prefault("7d")
    .describe("parts and chunks that nobody asks for are verified this often"),
  limits: Limits.prefault({}).describe("what the agent takes of its host"),
  policy: Policy.prefault({}).describe("what the fleet may ask of this host"),
  http: loopback("metrics are for this machine only; let a collector on it read them")
    .optional().describe("where /metrics, /healthz and /readyz are served; none: nowhere"),
  geo: Geo.optional(),
  archive: AgentArchive.optional().describe("where sealed chunks are kept for years"),
  windows: WindowsConfig.optional(),
  sinks: z.array(SinkConfig).max(20).default([])
    .describe("who gets windows, or rows; without windows: their defaults hold"),
  streams: z.array(Stream).min(1).describe("what is read; each stream is a table")
    .refine((streams) => new Set(streams.map((s) => s.name)).size === streams.length, {
      message: "stream names that differ",
    }),
});

export type AgentConfig = z.infer<typeof AgentConfig>;

/**
 * Reads agent.yaml. `otherwise`: what to do where there is none.
 * @throws {LogvendError} bad_config, naming line, key, found and wanted
 */
export async function readAgentConfig(path: string, otherwise?: string): Promise<AgentConfig> {
  return await readConfig(path, AgentConfig, {
    otherwise,
    environment: {
      LOGVEND_HOST: ["host"],
      LOGVEND_REGION: ["region"],
      LOGVEND_BROKER: ["broker"],
    },
    paths: [
      ["data_dir"],
      ["geo", "database"],
      ...archivePaths("archive"),
      ["streams", "*", "files", "*"],
      ["streams", "*", "redact", "*", "key", "file"],
      ...WINDOW_PATHS,
    ],
  }, async (config) => [
    ...geoProblems(config),
    ...policyProblems(config),
    ...indexProblems(config),
    ...await ruleProblems(config),
    ...await windowProblems(config),
  ]);
}
