/** Opens the database that a configuration names. Its reader is loaded only where there is one. */
import type { AgentConfig } from "../config.ts";
import type { GeoDatabase } from "./geo_database.ts";

/** Null without one. @throws {LogvendError} bad_config, when it cannot be used */
export async function openGeo({ geo }: Pick<AgentConfig, "geo">): Promise<GeoDatabase | null> {
  if (geo === undefined) return null;
  const { GeoDatabase } = await import("./geo_database.ts");
  return await GeoDatabase.open(geo.database);
}
