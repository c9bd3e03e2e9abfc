/** Says where addresses are, from a MaxMind DB file that may be replaced while it is used. */
import { Buffer } from "node:buffer";
import { isIP } from "node:net";
import { getLogger } from "@logtape/logtape";
import { Reader } from "mmdb-lib";
import type { CityResponse } from "mmdb-lib";
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import { reasonOf } from "../../protocol/file_error.ts";
import { PlaceCache } from "./place_cache.ts";
import type { Place } from "./place_cache.ts";

/** `geoipupdate` puts a new file in place of the old one: it is taken up this soon. */
const CHECK_EVERY_MS = 30_000;

/**
 * Records that are remembered, as many addresses share them: to decode one, with its names in eight
 * languages, takes ten times as long as to find it. Some 250 bytes each.
 */
const RECORDS_MAX = 2 ** 16;

/** Two addresses that every database can be asked about: it must be able to say no, too. */
const TRIED = ["1.1.1.1", "2606:4700::1111"];

const WHERE_FROM = "Free databases: GeoLite2 City (https://dev.maxmind.com/geoip), " +
  "DB-IP City Lite (https://db-ip.com/db/lite.php)";

/** A file as it was read. */
interface Loaded {
  reader: Reader<CityResponse>;
  /** Changes with the file. */
  identity: string;
}

export class GeoDatabase implements AsyncDisposable {
  private readonly log = getLogger(["agent", "geo"]);
  private readonly timer: ReturnType<typeof setInterval>;
  private refreshed: Promise<void> = Promise.resolve();
  /** What was last tried, whether it could be used or not. */
  private seen: string;
  private hasWarned = false;

  /** Where addresses are, as this file says. */
  readonly places = new PlaceCache((address) => this.lookUp(address));

  private constructor(
    readonly path: string,
    private loaded: Loaded,
    checkEveryMs: number,
  ) {
    this.seen = loaded.identity;
    this.timer = setInterval(() => this.check(), checkEveryMs);
    Deno.unrefTimer(Number(this.timer));
  }

  /** @throws {LogvendError} bad_config, when there is no such file or it is no such database */
  static async open(path: string, checkEveryMs: number = CHECK_EVERY_MS): Promise<GeoDatabase> {
    try {
      return new GeoDatabase(path, await load(path), checkEveryMs);
    } catch (cause) {
      throw new LogvendError(
        "bad_config",
        `Cannot use geo.database ${path}: ${
          reasonOf(cause)
        }\n${WHERE_FROM}\nnothing started (exit 78)`,
        { cause },
      );
    }
  }

  /** What it is and how old, `GeoLite2-City of 2026-11-20`. */
  get title(): string {
    const { databaseType, buildEpoch } = this.loaded.reader.metadata;
    return `${databaseType} of ${buildEpoch.toISOString().slice(0, 10)}`;
  }

  /** The coordinates of an address; null: not known, or no address. */
  locate(address: string): { lat: number; lon: number } | null {
    const { latitude, longitude } = this.recordOf(address)?.location ?? {};
    if (typeof latitude !== "number" || typeof longitude !== "number") return null;
    return { lat: latitude, lon: longitude };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.timer);
    await this.refreshed;
  }

  /** One check at a time: to read a file may take longer than until the next. */
  private check() {
    this.refreshed = this.refreshed.then(() => this.refresh());
  }

  /** Takes up a file that was replaced; one that cannot be used is warned of once. */
  private async refresh() {
    let identity = "none";
    try {
      identity = await identityOf(this.path);
      if (identity === this.seen) return;
      this.loaded = await load(this.path);
      this.places.clear();
      this.hasWarned = false;
      this.log.info("Addresses are looked up in {title} from now on", { title: this.title });
    } catch (error) {
      if (identity === this.seen) return;
      this.log.warn("Cannot use {path}: {reason}; {title} stays in use", {
        path: this.path,
        reason: reasonOf(error),
        title: this.title,
      });
    }
    this.seen = identity;
  }

  /** Null: not known, or no address. */
  private lookUp(address: string): Place | null {
    const record = this.recordOf(address);
    const country = textOf(record?.country?.iso_code);
    const city = textOf(record?.city?.names?.en);
    return country === null && city === null ? null : { country, city };
  }

  private recordOf(address: string): CityResponse | null {
    const { reader } = this.loaded;
    const version = isIP(address);
    // The reader takes the start of an IPv6 address for an IPv4 one.
    if (version === 0 || (version === 6 && reader.metadata.ipVersion === 4)) return null;
    try {
      return reader.get(address);
    } catch (error) {
      this.warnOfDamage(error);
      return null; // lines are kept whatever a database holds
    }
  }

  private warnOfDamage(error: unknown) {
    if (this.hasWarned) return;
    this.hasWarned = true;
    this.log.warn("{path} is damaged, some addresses are not found: {reason}", {
      path: this.path,
      reason: messageOf(error),
    });
  }
}

/** @throws when it cannot be read or used */
async function load(path: string): Promise<Loaded> {
  const identity = await identityOf(path); // before the bytes: a change while they are read is seen
  const { buffer, byteOffset, length } = await Deno.readFile(path);
  const bytes = Buffer.from(buffer, byteOffset, length); // the same memory
  const reader = new Reader<CityResponse>(bytes, { cache: new Records() });
  const { nodeCount, searchTreeSize, ipVersion } = reader.metadata;
  if (!(nodeCount > 0 && searchTreeSize < length)) throw new Error("it is cut");
  for (const address of TRIED) if (ipVersion === 6 || isIP(address) === 4) reader.get(address);
  return { reader, identity };
}

async function identityOf(path: string): Promise<string> {
  const { dev, ino, size, mtime } = await Deno.stat(path);
  return [dev, ino, size, mtime?.getTime()].join(" ");
}

/** What a file holds is not known to be what its type says. */
function textOf(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

/** What the reader has decoded. */
interface Decoded {
  value: unknown;
}

/** Records by their offset in the file, and of each what is asked for; too many are forgotten. */
class Records {
  private readonly records = new Map<string | number, Decoded>();

  get(offset: string | number): Decoded | undefined {
    return this.records.get(offset);
  }

  set(offset: string | number, { value }: Decoded): void {
    if (!isRecord(value)) return; // one of its parts
    if (this.records.size >= RECORDS_MAX) this.records.clear();
    const { iso_code } = value.country ?? {};
    const { en } = value.city?.names ?? {};
    const { latitude, longitude } = value.location ?? {};
    const location = latitude === undefined ? {} : { location: { latitude, longitude } };
    const kept = { country: { iso_code }, city: { names: { en } }, ...location };
    this.records.set(offset, { value: kept });
  }
}

/** Of all maps in a file, only records have these. */
function isRecord(value: unknown): value is Partial<CityResponse> {
  return typeof value === "object" && value !== null && ("country" in value || "city" in value);
}
