/** TCP ports for the demo: the usual ones when they are free, others when they are not. */

/** `wanted`, or a port the system picks when somebody listens there already. */
export function freePort(wanted: number): number {
  for (const port of [wanted, 0]) {
    try {
      using listener = Deno.listen({ hostname: "127.0.0.1", port });
      return listener.addr.port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  throw new Error("The system has no free port");
}
