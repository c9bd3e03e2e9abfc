/**
 * Which hosts an archive has chunks of, so that an orchestrator knows those as well that it has never
 * heard. It asks an agent of the region, which looks into the catalog.
 */
import { z } from "zod";
import { HostName, StreamName } from "../names.ts";

/** What agents say that they take which can tell; also the type of the command. */
export const ARCHIVED_HOSTS = "archived_hosts";

/** Of a region, hosts times streams: some 60 bytes each. An agent does not tell of more. */
export const ARCHIVED_HOSTS_MAX = 100_000;

/** More do not fit into one message where their names are long. */
export const ARCHIVED_HOSTS_OF_MESSAGE_MAX = 500;

const Hour = z.number().int();
const RequestId = z.uuid();

/** A host, a stream, and within which hours since 1970 its chunks are: from, and before. */
export const ArchivedHost = z.tuple([HostName, StreamName, Hour, Hour]);
export type ArchivedHost = z.infer<typeof ArchivedHost>;

/** Asks for them, on `a/{host}/cmd`. Not signed: the answer holds no row. */
export const ArchivedHostsCommand = z.object({ request: RequestId, orchestrator: HostName });
export type ArchivedHostsCommand = z.infer<typeof ArchivedHostsCommand>;

/** A part of the answer, on `a/{host}/archived/{orchestrator}`; the parts come in any order. */
export const ArchivedHostsMessage = z.object({
  request: RequestId,
  hosts: z.array(ArchivedHost).max(ARCHIVED_HOSTS_OF_MESSAGE_MAX),
  /** In all parts together. */
  total: z.number().int().nonnegative().max(ARCHIVED_HOSTS_MAX),
  /** Why the agent cannot say; null: it can. */
  problem: z.string().max(2_000).nullable(),
});
export type ArchivedHostsMessage = z.infer<typeof ArchivedHostsMessage>;

/** The messages of an answer: one, where there is nothing to tell. */
export function messagesOf(
  request: string,
  hosts: readonly ArchivedHost[],
): ArchivedHostsMessage[] {
  const count = Math.max(1, Math.ceil(hosts.length / ARCHIVED_HOSTS_OF_MESSAGE_MAX));
  return Array.from({ length: count }, (_, at) => ({
    request,
    hosts: hosts.slice(
      at * ARCHIVED_HOSTS_OF_MESSAGE_MAX,
      (at + 1) * ARCHIVED_HOSTS_OF_MESSAGE_MAX,
    ),
    total: hosts.length,
    problem: null,
  }));
}
