/** The names that stand in topics, paths and SQL: their form and their length. */
import { z } from "zod";

/** A host or region: it stands in MQTT topics and file paths, so no `/ + #`, no `=`, no blank. */
export const HostName = z.string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, "letters, digits, . _ - (128 at most)");

/** A region is named like a host, and stands in the same places. */
export const RegionName = HostName;

/** A fleet is called like its MQTT topics begin, where it has no name of its own. */
export const FleetName = z.string().regex(/^[A-Za-z0-9._-]+$/, "letters, digits, . _ -");

/** A stream is a table in SQL and a partition value: an SQL identifier that needs no quotes. */
export const StreamName = z.string()
  .regex(/^[a-z][a-z0-9_]{0,62}$/, "a-z, 0-9 and _, starting with a letter");

/** Key-value pairs that selectors match. `host` and `region` are set by the agent itself. */
export const Labels = z.record(
  z.string().regex(/^[A-Za-z][A-Za-z0-9._-]{0,62}$/, "letters, digits, . _ -"),
  z.string().max(128),
);
export type Labels = z.infer<typeof Labels>;
