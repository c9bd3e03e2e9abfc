/** Files of a queue of windows, as a sink that was away finds them. */
import { join } from "node:path";
import { constants, zstdCompressSync } from "node:zlib";
import type { CountedWindow, WindowEvent } from "../../agent/window/event.ts";

export const WINDOW_MS = 10_000;

/** Of each window, about what a busy host's has. */
export const WINDOW_EVENTS = 60;

const GROUPS = ["address", "path", "user_agent", "missing_path", "unauthorized_address"] as const;

/** Events have the ids `<window>-<event>`, from `0-0` on. */
export async function writeWindowFiles(
  folder: string,
  { count, firstMs }: { count: number; firstMs: number },
): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  for (let number = 0; number < count; number++) {
    const startMs = firstMs + number * WINDOW_MS;
    const events = eventsOf(number, startMs);
    const window: CountedWindow = { feed: "windows", stream: "logs", startMs, revision: 1, events };
    const packed = zstdCompressSync(JSON.stringify(window), {
      params: { [constants.ZSTD_c_checksumFlag]: 1 },
    });
    const seq = String(number + 1).padStart(12, "0");
    const name = `${seq}.windows.logs.${startMs}.1.${WINDOW_EVENTS}.zst`;
    await Deno.writeFile(join(folder, name), packed);
  }
}

function eventsOf(number: number, startMs: number): WindowEvent[] {
  const start = new Date(startMs).toISOString();
  const end = new Date(startMs + WINDOW_MS).toISOString();
  const common = { host: "web-1", region: "eu", stream: "logs", start, end, revision: 1 };
  return Array.from({ length: WINDOW_EVENTS }, (_, i) => ({
    id: `${number}-${i}`,
    ...common,
    group: GROUPS[i % GROUPS.length] ?? "address",
    value: `Mozilla/5.0 (X11; Linux x86_64) ${(number * 7_919 + i * 104_729) % 1_000_003}`,
    count: number,
  }));
}
