/** The columns that say where an address is. No field of a line has their names. */
import type { Column } from "../../protocol/wire/messages.ts";

/** ISO 3166-1 alpha-2, `DE`. */
export const COUNTRY = "geo_country";
/** In English. */
export const CITY = "geo_city";

export const GEO_COLUMNS: readonly Column[] = [
  { name: COUNTRY, type: "VARCHAR" },
  { name: CITY, type: "VARCHAR" },
];
