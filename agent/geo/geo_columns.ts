/** Fills the columns that say where an address is, a batch of rows at a time. */
import type { StreamRows } from "../store/rows/rows.ts";
import type { TextHeap } from "../../queries/duckdb/text_heap.ts";
import { TextColumn } from "../../queries/duckdb/typed_columns.ts";
import type { GeoDatabase } from "./geo_database.ts";
import { CITY, COUNTRY } from "./geo_names.ts";
import { NOWHERE } from "./place_cache.ts";
import type { KnownPlace } from "./place_cache.ts";

/** Of one stream. */
export class GeoColumns {
  /** @param field the column with the address */
  constructor(
    private readonly database: Pick<GeoDatabase, "places">,
    private readonly field: string,
  ) {}

  /** Fills rows that have no place yet: by their address as it is stored, which rules may have masked. */
  fill({ columns, heap, count }: StreamRows): void {
    const addresses = columnLike(columns, this.field);
    const [country, city] = [columns[COUNTRY], columns[CITY]];
    if (addresses === null) return;
    if (!(country instanceof TextColumn && city instanceof TextColumn)) return;
    const { places } = this.database;
    const batch = places.begin(count);
    const { block } = heap;
    for (let row = 0; row < count; row++) {
      const length = addresses.length[row]!;
      const start = addresses.start[row]!;
      const place = start < block.length
        ? places.placeAt(block, start, length)
        : places.placeAt(heap.added, start - block.length, length);
      if (place === NOWHERE) continue;
      if (place.batch !== batch) put(place, heap, batch);
      country.setStretch(row, place.countryStart, place.countryLength);
      city.setStretch(row, place.cityStart, place.cityLength);
    }
  }
}

/** Adds a place's names to the heap, once for all rows of a batch. */
function put(place: KnownPlace, heap: TextHeap, batch: number) {
  const { country, city } = place;
  place.batch = batch;
  place.countryLength = country === null ? -1 : heap.add(country);
  place.countryStart = heap.lastStart;
  place.cityLength = city === null ? -1 : heap.add(city);
  place.cityStart = heap.lastStart;
}

/** A column of texts by its name in any case; null: no line had it yet, or not as text. */
function columnLike(columns: StreamRows["columns"], name: string): TextColumn | null {
  const key = Object.keys(columns).find((other) => other.toLowerCase() === name.toLowerCase());
  const column = key === undefined ? undefined : columns[key];
  return column instanceof TextColumn ? column : null;
}
