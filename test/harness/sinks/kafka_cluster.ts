/** A Kafka cluster of three brokers for one test: librdkafka's own mock, which speaks the protocol. */
import { fileURLToPath } from "node:url";
import { findProgram } from "../../../deploy/build/debian_package.ts";
import { startProgram } from "../program.ts";
import { TempFolder } from "../temp_folder.ts";

const SOURCE = fileURLToPath(new URL("./kafka_cluster.c", import.meta.url));

/** Whether Debian's librdkafka-dev is installed. */
export function hasKafkaHeader(): boolean {
  try {
    return Deno.statSync("/usr/include/librdkafka/rdkafka_mock.h").isFile;
  } catch {
    return false;
  }
}

/** For tests that need Kafka: `Deno.test({ ignore: KAFKA_IS_MISSING, … })`. */
export const KAFKA_IS_MISSING = !hasKafkaHeader() || findProgram("gcc") === null;

/** A message as a consumer got it. */
export interface KafkaMessage {
  partition: number;
  key: string;
  value: string;
}

export interface KafkaCluster extends AsyncDisposable {
  brokers: string[];
  /** All messages so far. */
  messages(): KafkaMessage[];
  /** `down 1`, `up 1`, `fail 3`; resolves when that is so. */
  tell(command: string): Promise<void>;
}

/** Builds and starts it, with one topic of four partitions. */
export async function startKafka(topic: string): Promise<KafkaCluster> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await TempFolder.make());
  const path = folder.join("kafka_cluster");
  const flags = ["-std=c17", "-D_GNU_SOURCE", "-O1", "-Wall", "-Werror"];
  const build = await new Deno.Command("gcc", { args: [...flags, SOURCE, "-lrdkafka", "-o", path] })
    .output();
  if (!build.success) throw new Error(new TextDecoder().decode(build.stderr));
  const program = stack.use(startProgram({ command: path, args: [topic], stdin: "piped" }));
  const [, brokers = ""] = await program.waitForLine(/^brokers (\S+)$/);
  let told = 0;
  const owned = stack.move();
  return {
    brokers: brokers.split(","),
    messages: () =>
      program.stdout.split("\n").filter((line) => line.startsWith("message\t")).map((line) => {
        const [, partition, key = "", value = ""] = line.split("\t");
        return { partition: Number(partition), key, value };
      }),
    tell: async (command) => {
      const line = `${command} #${++told}`;
      await program.write(`${line}\n`);
      await program.waitForLine(new RegExp(`^did ${line}$`));
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
