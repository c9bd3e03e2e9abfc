/** Lines of any bytes: invalid UTF-8, zeros, CRLF. Every one comes out as it went in. */
import type { Random } from "./random.ts";
import type { Form, Outcome, Scenario } from "./scenario.ts";
import { PAST_MS, Scene } from "./scene.ts";
import { storedBytes } from "./stored_lines.ts";

export const scenario: Scenario = { name: "12 bytes of any kind", isQuick: true, run };

const LINE_END = 0x0a;

async function run({ random, short }: Form): Promise<Outcome> {
  await using scene = await Scene.make();
  const log = scene.log("web");
  const count = short ? 1_000 : 20_000;
  const lines = Array.from({ length: count }, () => {
    const good = new TextEncoder().encode(log.lines(1, PAST_MS)).subarray(0, -1);
    return damaged(good, random);
  });
  await scene.agent.start();
  for (let start = 0; start < count; start += 500) {
    const bytes = lines.slice(start, start + 500).flatMap((line) => [...line, LINE_END]);
    await Deno.writeFile(log.path, Uint8Array.from(bytes), { append: true });
  }
  await scene.durable(count);
  await scene.agent.stop();
  const stored = await storedBytes(scene.agent.dataDir);
  const wanted = lines.map((line) => line.toHex().toUpperCase()).toSorted();
  const different = stored.toSorted().filter((line, i) => line !== wanted[i]);
  if (stored.length !== count || different.length > 0) {
    throw new Error(
      `Of ${count} lines, ${stored.length} stored, ${different.length} differ: ${different[0]}`,
    );
  }
  return { caused: `${count} lines damaged`, counts: `${stored.length} stored byte for byte` };
}

/** The line with something done to its bytes; never a line feed. */
function damaged(line: Uint8Array, random: Random): Uint8Array {
  const at = random.between(0, line.length - 1);
  const insert = (...bytes: number[]) =>
    Uint8Array.from([...line.subarray(0, at), ...bytes, ...line.subarray(at)]);
  switch (random.between(0, 5)) {
    case 0:
      return insert(0);
    case 1:
      return insert(...random.bytes(random.between(1, 8)).filter((byte) => byte !== LINE_END));
    case 2:
      return Uint8Array.from([...line, 0x0d]);
    case 3:
      return insert(0xed, 0xa0, 0x80); // half a surrogate pair, which no UTF-8 has
    case 4:
      return random.bytes(random.between(0, 200)).filter((byte) => byte !== LINE_END);
    default:
      return line;
  }
}
