/** Kafka: the id as key, so that a compacted topic keeps the newest of each; acknowledged by all replicas. */
import { Producer, stringSerializers } from "@platformatic/kafka";
import { messageOf } from "../../../protocol/errors.ts";
import { inWords, trusting } from "./authority.ts";
import { ALL_TAKEN, SinkError } from "./sink.ts";
import type { Outgoing, Sink } from "./sink.ts";

export interface KafkaOptions {
  /** `host:port` */
  brokers: readonly string[];
  topic: string;
  /** The authority of encrypted connections, PEM, beside those that are known; null: not encrypted. */
  tls: { authority: readonly string[] } | null;
  sasl: KafkaAccount | null;
}

/** How a client says who it is. */
export interface KafkaAccount {
  mechanism: "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512";
  username: string;
  password: string;
}

/** The delivery tries again itself, with longer pauses: a producer that fails is given up. */
const CONNECT_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 10_000;

/** Brokers do so without a word when they want TLS, or to know who it is. */
const HUNG_UP = "the broker hangs up: does it want tls, or sasl?";

/** Errors within errors; more is a circle. */
const DEPTH_MAX = 10;

/** Brokers take a million bytes as they are installed, with what is around a message. */
const MESSAGE_BYTES_MAX = 900_000;

const newProducer = ({ brokers, tls, sasl }: KafkaOptions) =>
  new Producer({
    clientId: "logvend",
    bootstrapBrokers: [...brokers],
    serializers: stringSerializers,
    acks: -1,
    retries: 2,
    retryDelay: 200,
    connectTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    ...(tls === null ? {} : { tls: trusting(tls.authority) }),
    ...(sasl === null ? {} : { sasl }),
  });

/** Connects when there is something to send. */
export function kafkaSink(options: KafkaOptions): Sink {
  const { topic } = options;
  let producer: ReturnType<typeof newProducer> | null = null;
  const close = async () => {
    const open = producer;
    producer = null;
    await open?.close(true).catch(() => {}); // it has failed already
  };
  return {
    send: async (events, signal) => {
      const long = events.filter((event) => !fits(event));
      const messages = events.filter(fits).map(({ id, body }) => ({ topic, key: id, value: body }));
      if (messages.length > 0) {
        producer ??= newProducer(options);
        try {
          await endingWith(signal, producer.send({ messages, acks: -1 }));
        } catch (error) {
          await close();
          throw new SinkError(`${options.brokers.join(", ")}: ${reasonOf(error)}`);
        }
      }
      if (long.length === 0) return ALL_TAKEN;
      const reason = `longer than ${MESSAGE_BYTES_MAX} bytes`;
      return { rejected: long.map((event) => ({ event, reason })), again: [] };
    },
    [Symbol.asyncDispose]: close,
  };
}

function fits({ body }: Outgoing): boolean {
  return new TextEncoder().encode(body).length <= MESSAGE_BYTES_MAX;
}

/** What failed is told of once more in each layer above it, mostly without saying what it was. */
function reasonOf(error: unknown): string {
  let inner = error;
  for (let depth = 0; depth < DEPTH_MAX && inner instanceof Error; depth++) {
    const next = inner instanceof AggregateError ? inner.errors.at(0) ?? inner.cause : inner.cause;
    if (next === undefined) break;
    inner = next;
  }
  const said = inWords(messageOf(inner));
  const reason = said === "Connection closed" ? HUNG_UP : said;
  return inner === error ? reason : `${messageOf(error).replace(/\.$/, "")}: ${reason}`;
}

async function endingWith<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    if (signal.aborted) abort();
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
