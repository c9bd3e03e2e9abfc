/** orchestrator.yaml: one schema with its defaults; paths are relative to the file's folder. */
import { hostname } from "node:os";
import { z } from "zod";
import { archivePaths, ArchiveStore } from "../protocol/archive/archive_config.ts";
import { BrokerUrl, Bytes, Duration, readConfig } from "../protocol/config/config_file.ts";
import { loopback } from "../protocol/config/listen_address.ts";
import { FleetName, HostName } from "../protocol/names.ts";
import { isPublicKey } from "../protocol/signing/signature.ts";
import { DEFAULT_PREFIX } from "../protocol/wire/topics.ts";
import { PublishStore } from "./publish/publish_store.ts";

/** The `broker` that runs in the orchestrator itself. */
export const EMBEDDED = "embedded";
const BROKER_WANTED = `${EMBEDDED} or a URL such as mqtts://broker.example:8883`;

const Price = z.number().min(0);

const ArchivePrices = z.strictObject({
  requests_1000: Price.default(0.0004).describe("dollars for a thousand GET requests"),
  gigabyte: Price.default(0).describe("dollars for 10^9 bytes that leave the object store"),
});

export const OrchestratorConfig = z.strictObject({
  name: HostName.default(() => hostname()).meta({
    description: "this orchestrator's name in MQTT topics",
    default_text: "the hostname",
  }),
  http: loopback("without TLS and tokens the API is for this machine only; reach it by ssh -L")
    .prefault("127.0.0.1:8080").describe("where the HTTP API listens"),
  broker: z.string(BROKER_WANTED)
    .refine((text) => text === EMBEDDED || BrokerUrl.safeParse(text).success, {
      error: BROKER_WANTED,
      params: { words: [EMBEDDED] },
    })
    .default(EMBEDDED).describe("embedded, or the URL of an MQTT broker"),
  broker_listen: loopback(
    "the embedded broker has no TLS and no accounts; for agents on other machines " +
      "run a broker such as Mosquitto and set broker: mqtts://…",
  ).prefault("127.0.0.1:1883").describe("where the embedded broker listens"),
  data_dir: z.string().min(1).describe("the orchestrator's own folder: orchestrator.db, scratch"),
  topic_prefix: FleetName.default(DEFAULT_PREFIX)
    .describe("first level of every MQTT topic; the same on every agent"),
  fleet: FleetName.optional().meta({
    description:
      "the fleet's name, the same on orchestrator and agents: an erasure that was signed for " +
      "another fleet is refused, though its key may erase here too",
    default_text: "`topic_prefix`",
  }),
  trust: z.array(z.string().refine(isPublicKey, "ed25519:… as printed by logvend key new"))
    .default([]).describe("operator keys that may ask; none: nobody may"),
  trust_erase: z.array(z.string().refine(isPublicKey, "ed25519:… as printed by logvend key new"))
    .default([]).describe(
      "operator keys that may erase, as agents name them too; none: nobody may",
    ),
  ack_timeout: Duration.prefault("1s").describe(
    "how long a host may take to acknowledge a query before it is missing; thrice as long to be " +
      "ready to tail or to say whether it would run one. Longer where hosts are short of CPU or far away",
  ),
  archives: z.array(ArchiveStore).default([])
    .describe("object stores that logvend archive reads, each with keys of the operator's own"),
  publish: z.array(PublishStore).default([]).describe(
    "object stores that logvend query --publish writes to, where the AWS tools alone would not " +
      "reach them or results are to be kept in a way of their own; found by the bucket",
  ),
  kept_pieces: Bytes.prefault("10GB").describe(
    "how much of questions to the archive may lie in data_dir until they are answered, " +
      "so that an end of this orchestrator in the middle costs nothing that was read",
  ),
  archive_prices: ArchivePrices.prefault({})
    .describe("what --explain reckons with; the defaults are Amazon S3's within a region"),
});

export type OrchestratorConfig = z.infer<typeof OrchestratorConfig>;

/** Reads orchestrator.yaml. @throws {LogvendError} bad_config, naming line, key, found and wanted */
export async function readOrchestratorConfig(path: string): Promise<OrchestratorConfig> {
  return await readConfig(path, OrchestratorConfig, {
    environment: { LOGVEND_HTTP: ["http"], LOGVEND_BROKER: ["broker"] },
    paths: [
      ["data_dir"],
      ...archivePaths("archives", "*"),
      ...archivePaths("publish", "*"),
    ],
  });
}
