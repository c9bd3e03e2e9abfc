/** Ports on loopback that nobody listens on, and that nobody else is given. */

/** Below those that the system gives to connections and to who listens on port 0: 32,768 on. */
const FIRST = 12_000;
const END = 32_000;

/** More than one file of tests asks for. */
const BLOCK = 40;

/** Of this process alone: who holds a block listens on its first port for as long as it runs. */
const block = takeBlock();
let given = 0;

/**
 * As many different free ports as asked for, none of them given before by this process, but for
 * those of long ago.
 */
export function freePorts(count: number): number[] {
  return Array.from({ length: count }, freePort);
}

/** One free port. @throws when there is none in the block */
export function freePort(): number {
  for (let i = 1; i < BLOCK; i++) {
    const port = block.addr.port + 1 + given++ % (BLOCK - 1);
    const listener = listenOn(port);
    listener?.close();
    if (listener !== null) return port;
  }
  throw new Error(`No port is free after ${block.addr.port}`);
}

function takeBlock(): Deno.TcpListener {
  const count = (END - FIRST) / BLOCK;
  const start = Math.floor(Math.random() * count); // the ports of those that have just ended can rest
  for (let i = 0; i < count; i++) {
    const listener = listenOn(FIRST + (start + i) % count * BLOCK);
    if (listener !== null) return listener;
  }
  throw new Error(`No block of ports is free from ${FIRST} to ${END}`);
}

/** Null: somebody else does. */
function listenOn(port: number): Deno.TcpListener | null {
  try {
    return Deno.listen({ hostname: "127.0.0.1", port });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return null;
    throw error;
  }
}
