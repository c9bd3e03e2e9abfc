/** Ports on loopback that nobody listens on. */

/**
 * As many different free ports as asked for. They are free when this returns; who needs to be sure
 * lets the program listen on port 0 and reads the port from its output.
 */
export function freePorts(count: number): number[] {
  const listeners = Array.from(
    { length: count },
    () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
  );
  const ports = listeners.map(({ addr }) => addr.port);
  for (const listener of listeners) listener.close();
  return ports;
}

/** One free port. */
export function freePort(): number {
  const [port] = freePorts(1);
  if (port === undefined) throw new Error("No port is free");
  return port;
}
