/** The `windows` and `sinks` parts of agent.yaml: what is counted every ten seconds, and who gets it. */
import { z } from "zod";
import { BrokerUrl, Bytes, Duration } from "../protocol/config/config_file.ts";
import { LIST_NAMES } from "../queries/windows/lists.ts";
import { StreamName } from "../protocol/names.ts";
import { Secret } from "./secret.ts";
import { SCHEMAS } from "./window/documents.ts";
import { WINDOWS_FEED } from "./window/event.ts";

const EVERY_MIN_MS = 1_000;
const EVERY_MAX_MS = 3_600_000;

export const WindowsConfig = z.strictObject({
  every: Duration.refine(
    (ms) => ms >= EVERY_MIN_MS && ms <= EVERY_MAX_MS && EVERY_MAX_MS % ms === 0,
    "a part of an hour from 1s, e.g. 10s, 30s, 1m",
  ).prefault("10s").describe("length of a window; they begin at its multiples on the clock, UTC"),
  grace: Duration.refine((ms) => ms <= 600_000, "a duration up to 10m").prefault("2s")
    .describe("a window that is over waits this long for its last rows"),
  late: Duration.refine((ms) => ms >= 60_000, "a duration from 1m").prefault("24h")
    .describe("rows that come later than this are stored and change no window any more"),
  streams: z.array(StreamName).optional()
    .describe("whose rows are counted; none given: those of access logs"),
  lists: z.array(z.enum(LIST_NAMES)).default(LIST_NAMES)
    .describe("which of the lists in queries/windows/ are made"),
  own: z.array(z.string().min(1)).default([])
    .describe("files with lists of your own: a SELECT under a header, as in queries/windows/"),
  queue: Bytes.refine((bytes) => bytes >= 1e6, "a size from 1MB").prefault("256MB").describe(
    "what is kept for sinks that are away and for late rows; the oldest goes first, and is counted",
  ),
});

const common = {
  name: z.string().regex(/^[a-z][a-z0-9_-]{0,39}$/, "a-z, 0-9, _ and -, starting with a letter")
    .refine((name) => name !== WINDOWS_FEED, `any name but ${WINDOWS_FEED}`)
    .describe("what metrics and the log call it; its place in the queue hangs on it"),
  schema: z.enum(SCHEMAS).default("logvend").describe(
    "logvend: events as they are; reference: the fields of the log-orchestration example of Bacalhau",
  ),
  select: z.string().min(1).optional().describe(
    "SQL over one stream: its rows are sent as they are, and no windows",
  ),
  rows_max: z.int().min(1).max(10_000).default(1_000)
    .describe("rows of one window that `select` sends at most; more are counted"),
  batch: z.int().min(1).max(10_000).default(500).describe("documents that are sent together"),
};

/** A URL of one of some protocols. */
function urlOf(protocols: RegExp, wanted: string) {
  return z.string(wanted).refine((text) => protocols.test(URL.parse(text)?.protocol ?? ""), wanted);
}

/** Of sinks over a network. */
const Ca = z.string().min(1).optional()
  .describe(
    "a PEM file with the authority that signed the certificate, beside those that are known",
  );

const HttpUrl = urlOf(/^https?:$/, "a URL, e.g. https://sink.example:9200");

const File = z.strictObject({
  type: z.literal("file").describe("JSON lines at the end of a file"),
  ...common,
  path: z.string().min(1).describe("the file"),
  max_bytes: Bytes.refine((bytes) => bytes >= 1e5, "a size from 100KB").prefault("100MB")
    .describe("a file that has grown to this is renamed to `….1`"),
});

const Stdout = z.strictObject({
  type: z.literal("stdout").describe("JSON lines on standard output"),
  ...common,
});

const Webhook = z.strictObject({
  type: z.literal("webhook").describe("JSON lines in the body of a POST"),
  ...common,
  url: HttpUrl.describe("where they are sent"),
  headers: z.record(z.string().min(1), z.string()).default({}).describe("sent with each request"),
  ca: Ca,
  secret: Secret.optional().describe(
    "of the signature x-logvend-signature: t=SECONDS,v1=HMAC-SHA-256 of SECONDS.BODY",
  ),
});

const Mqtt = z.strictObject({
  type: z.literal("mqtt").describe("a message a document, QoS 1"),
  ...common,
  url: BrokerUrl.describe("the broker"),
  ca: Ca,
  topic: z.string().regex(/^[^#+\p{Cc}]{1,1000}$/u, "a topic without # and +").describe(
    "the topic",
  ),
  username: z.string().min(1).optional().describe("of the account"),
  password: Secret.optional().describe("of the account"),
});

const AwsAuth = z.strictObject({
  region: z.string().min(1).describe("AWS region: requests are signed with the host's credentials"),
  service: z.enum(["es", "aoss"]).default("es")
    .describe("es: OpenSearch Service; aoss: OpenSearch Serverless"),
});

const OpenSearch = z.strictObject({
  type: z.literal("opensearch")
    .describe("OpenSearch or Elasticsearch: a document of each id, an index a day"),
  ...common,
  url: HttpUrl.describe("the cluster"),
  ca: Ca,
  index: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,60}$/, "a-z, 0-9, _ and -").default("logvend")
    .describe("what names of indices begin with: INDEX-windows-2026.11.28, INDEX-rows-2026.11.28"),
  username: z.string().min(1).optional().describe("of the account"),
  password: Secret.optional().describe("of the account"),
  aws: AwsAuth.optional(),
});

const Kafka = z.strictObject({
  type: z.literal("kafka").describe("a message a document, its id as key, acks of all replicas"),
  ...common,
  brokers: z.array(z.string().regex(/^.+:\d{1,5}$/, "host:port")).min(1)
    .describe("some brokers of the cluster, host:port"),
  topic: z.string().regex(/^[A-Za-z0-9._-]{1,249}$/, "letters, digits, . _ -").describe(
    "the topic",
  ),
  tls: z.boolean().default(false).describe("whether connections are encrypted"),
  ca: Ca,
  sasl: z.enum(["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]).optional()
    .describe("how the account is said"),
  username: z.string().min(1).optional().describe("of the account"),
  password: Secret.optional().describe("of the account"),
});

const Splunk = z.strictObject({
  type: z.literal("splunk").describe("Splunk's HTTP Event Collector"),
  ...common,
  url: HttpUrl.describe("the collector, e.g. https://splunk.example:8088"),
  ca: Ca,
  token: Secret.describe("of the collector"),
  index: z.string().min(1).optional().describe("the index; none: that of the token"),
  sourcetype: z.string().min(1).default("logvend").describe("the source type"),
  ack: z.boolean().default(true)
    .describe("whether the token has acknowledgements: events are taken when they are indexed"),
});

const Kinesis = z.strictObject({
  type: z.literal("kinesis").describe("Kinesis Data Streams, the id as partition key"),
  ...common,
  stream: z.string().regex(/^[A-Za-z0-9._-]{1,128}$/, "letters, digits, . _ -")
    .describe("the stream"),
  ca: Ca,
  region: z.string().min(1).describe("AWS region: requests are signed with the host's credentials"),
  url: HttpUrl.optional().describe("where it is; none: AWS"),
});

const KINDS = [File, Stdout, Webhook, Mqtt, OpenSearch, Kafka, Splunk, Kinesis] as const;

const KIND_NAMES = KINDS.map((kind) => kind.shape.type.value);

export const SinkConfig = z.discriminatedUnion("type", KINDS, {
  error: () => KIND_NAMES.join(", "),
}).superRefine((sink, context) => {
  const needs = (holds: boolean, key: string, message: string) => {
    if (!holds) context.addIssue({ code: "custom", message, path: [key], input: undefined });
  };
  const { ca, isPlain } = encryptionOf(sink);
  needs(ca === undefined || !isPlain, "ca", "none, or a connection with TLS");
  if (sink.type !== "mqtt" && sink.type !== "kafka" && sink.type !== "opensearch") return;
  const { username, password } = sink;
  needs((username === undefined) === (password === undefined), "username", "username and password");
  if (sink.type === "kafka") {
    needs((sink.sasl === undefined) === (username === undefined), "sasl", "sasl with an account");
  }
  if (sink.type === "opensearch") {
    needs(sink.aws === undefined || username === undefined, "aws", "an account or aws, not both");
  }
});

/** The authority that is given, and whether the connection has none to check. */
function encryptionOf(sink: z.infer<typeof KINDS[number]>) {
  if (sink.type === "file" || sink.type === "stdout") return { ca: undefined, isPlain: true };
  const isPlain = sink.type === "kafka" ? !sink.tls : /^(http|ws|mqtt):/.test(sink.url ?? "");
  return { ca: sink.ca, isPlain };
}

/** A sink as configured. */
export type SinkConfig = z.infer<typeof SinkConfig>;
export type WindowsConfig = z.infer<typeof WindowsConfig>;

/** The configuration's keys that hold paths. */
export const WINDOW_PATHS: readonly (readonly string[])[] = [
  ["windows", "own", "*"],
  ["sinks", "*", "path"],
  ["sinks", "*", "ca"],
  ["sinks", "*", "secret", "file"],
  ["sinks", "*", "password", "file"],
  ["sinks", "*", "token", "file"],
];

/** What is counted; null: nothing, for nobody asks for it. */
export function windowsOf(
  { windows, sinks }: { windows?: WindowsConfig | undefined; sinks: readonly SinkConfig[] },
): WindowsConfig | null {
  if (windows !== undefined) return windows;
  return sinks.length === 0 ? null : WindowsConfig.parse({});
}
