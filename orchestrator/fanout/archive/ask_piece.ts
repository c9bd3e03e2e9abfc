/** Asks one agent for one piece of what the archive answers: a request of its own. */
import { join } from "node:path";
import { LogvendError } from "../../../protocol/errors.ts";
import { Collector } from "../collector.ts";
import type { CollectorOptions, Outcome } from "../collector.ts";

export interface PieceAsking
  extends Pick<CollectorOptions, "ackTimeoutMs" | "bytesMax" | "overflow"> {
  agent: string;
  /** Of the query; the piece's own is made in it. */
  folder: () => string;
  timeoutMs: number;
  /** Collectors by request: results go there. */
  running: Map<string, Collector>;
  send: (request: string, agent: string) => void;
  acknowledge: (request: string, agent: string, seq: number) => void;
  cancel: (request: string, agent: string) => void;
  signal: AbortSignal;
}

/** Resolves with what came of it, whatever that is. @throws the reason of the signal; overflow */
export async function askPiece(asking: PieceAsking): Promise<Outcome> {
  const { agent, folder, timeoutMs, ackTimeoutMs, running, signal, bytesMax, overflow } = asking;
  const request = crypto.randomUUID();
  using collector = new Collector({
    hosts: [agent],
    folder: () => {
      const own = join(folder(), request);
      Deno.mkdirSync(own, { recursive: true, mode: 0o700 });
      return own;
    },
    timeoutMs,
    ackTimeoutMs,
    bytesMax,
    overflow,
    ask: () => asking.send(request, agent),
    acknowledge: (_, seq) => asking.acknowledge(request, agent, seq),
  });
  const onAbort = () => collector.fail(reasonOf(signal));
  signal.addEventListener("abort", onAbort);
  running.set(request, collector);
  try {
    if (signal.aborted) throw reasonOf(signal);
    collector.ask();
    for await (const [outcome] of collector.batches()) if (outcome !== undefined) return outcome;
    throw new Error("a collector gives an outcome for each host");
  } finally {
    running.delete(request);
    signal.removeEventListener("abort", onAbort);
    for (const host of collector.unfinished()) asking.cancel(request, host);
  }
}

function reasonOf({ reason }: AbortSignal): LogvendError {
  return reason instanceof LogvendError
    ? reason
    : new LogvendError("cancelled", "The query was cancelled");
}
