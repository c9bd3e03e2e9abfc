/** Addresses that servers listen on, `127.0.0.1:8080`. */
import { z } from "zod";

/** Where a server listens. Port 0 takes any free one. */
export interface ListenAddress {
  hostname: string;
  port: number;
}

/** Reads `0.0.0.0:5514`. */
export function listenAddress() {
  return z.string()
    .refine((text) => /^.+:\d{1,5}$/.test(text), "an address, e.g. 0.0.0.0:5514")
    .transform(addressOf);
}

/** Reads `127.0.0.1:8080`; takes loopback addresses alone, for the given reason. */
export function loopback(reason: string) {
  return z.string()
    .refine((text) => /^.+:\d{1,5}$/.test(text), {
      error: "an address, e.g. 127.0.0.1:8080",
      abort: true,
    })
    .refine((text) => isLoopback(addressOf(text).hostname), `a loopback address: ${reason}`)
    .transform(addressOf);
}

function addressOf(text: string): ListenAddress {
  const colon = text.lastIndexOf(":");
  const hostname = text.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  return { hostname, port: Number(text.slice(colon + 1)) };
}

function isLoopback(name: string): boolean {
  return name === "localhost" || name === "::1" || /^127(\.\d{1,3}){3}$/.test(name);
}
