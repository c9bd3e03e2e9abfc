/** A real Mosquitto for one test: its own port, its own folder. */
import { findProgram } from "../../deploy/build/debian_package.ts";
import { startProgram } from "./program.ts";
import type { Program } from "./program.ts";
import { TempFolder } from "./temp_folder.ts";
import { CERTIFICATE, KEY } from "./tls.ts";

/** For tests that need Mosquitto: `Deno.test({ ignore: MOSQUITTO_IS_MISSING, … })`. */
export const MOSQUITTO_IS_MISSING = findProgram("mosquitto") === null;

/** A broker on loopback, open to everybody. */
export interface Mosquitto extends AsyncDisposable {
  port: number;
  /** `mqtt://127.0.0.1:<port>`, or `mqtts:` */
  url: string;
  program: Program;
}

export interface MosquittoOptions {
  port: number;
  /** @default false */
  tls?: boolean;
  /** Where it keeps sessions and messages over an orderly stop. @default nowhere */
  folder?: string | undefined;
}

/**
 * Starts Mosquitto, on request with TLS, and resolves when it takes connections. The same port may be given again, to
 * bring a broker back.
 */
export async function startMosquitto(
  { port, tls = false, folder: kept }: MosquittoOptions,
): Promise<Mosquitto> {
  const path = findProgram("mosquitto");
  if (path === null) throw new Error("Mosquitto is not installed");
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await TempFolder.make());
  const config = await folder.write("mosquitto.conf", configuration({ port, tls, folder: kept }));
  const program = stack.use(startProgram({ command: path, args: ["-c", config] }));
  await program.waitForLine(/mosquitto version \S+ running/);
  const owned = stack.move();
  return {
    port,
    url: `mqtt${tls ? "s" : ""}://127.0.0.1:${port}`,
    program,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Without set_tcp_nodelay, small messages wait for the acknowledgement of those before: 40 ms. */
function configuration({ port, tls, folder }: MosquittoOptions): string {
  return [
    `listener ${port} 127.0.0.1`,
    ...(tls ? [`certfile ${CERTIFICATE}`, `keyfile ${KEY}`] : []),
    "allow_anonymous true",
    "set_tcp_nodelay true",
    ...(folder === undefined
      ? ["persistence false"]
      : ["persistence true", `persistence_location ${folder}/`, "user root"]),
    "log_dest stderr",
    "log_type all",
    "",
  ].join("\n");
}
