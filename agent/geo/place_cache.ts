/** Remembers where addresses are: they come again and again, as stretches of the bytes of a block. */

/** Where an address is; null: not known. */
export interface Place {
  country: string | null;
  city: string | null;
}

/** A place, and what it was last given to a batch as. */
export interface KnownPlace extends Place {
  /** The number of that batch; -1: none. */
  batch: number;
  countryStart: number;
  countryLength: number;
  cityStart: number;
  cityLength: number;
}

/** Of addresses that no place is known of. */
export const NOWHERE: KnownPlace = known({ country: null, city: null });

/**
 * Addresses that are remembered; then all are forgotten. The busiest 60,000 of a large site make up
 * most of its lines; twice as many take 3 MB more.
 */
const ADDRESSES_MAX = 2 ** 16;

/** Twice as many: a place is then found after two looks. */
const SLOTS = 2 ** 17;

/** The longest IPv6 address, with an IPv4 one at its end; longer texts are none. */
const ADDRESS_BYTES_MAX = 45;

export class PlaceCache {
  /** By slot: where the text of the address ends in `texts`; 0: the slot is free. */
  private readonly ends = new Int32Array(SLOTS);
  private readonly lengths = new Uint8Array(SLOTS);
  /** By slot, into `places`. */
  private readonly indices = new Int32Array(SLOTS);
  /** The addresses. Memory that is not used yet is not taken of the host. */
  private readonly texts = new Uint8Array(ADDRESSES_MAX * ADDRESS_BYTES_MAX);
  private textsEnd = 0;
  private count = 0;
  private places: KnownPlace[] = [NOWHERE];
  /** The index of a place by its names. */
  private readonly byNames = new Map<string, number>();
  private batch = 0;

  /** @param lookUp null: no such place, or no address */
  constructor(private readonly lookUp: (address: string) => Place | null) {}

  /** Begins a batch with this many addresses at most, each of which is looked up once; its number. */
  begin(addresses: number): number {
    if (this.count + addresses > ADDRESSES_MAX) this.clear();
    return ++this.batch;
  }

  /** Forgets all addresses. */
  clear(): void {
    this.ends.fill(0);
    this.textsEnd = 0;
    this.count = 0;
    this.places = [NOWHERE];
    this.byNames.clear();
  }

  /** Where the address is that is a stretch of bytes. A length of -1 is that of NULL. */
  placeAt(bytes: Uint8Array, start: number, length: number): KnownPlace {
    if (length <= 0 || length > ADDRESS_BYTES_MAX) return NOWHERE;
    let slot = slotOf(bytes, start, length);
    while (this.ends[slot] !== 0) {
      if (this.isAt(slot, bytes, start, length)) return this.places[this.indices[slot]!]!;
      slot = (slot + 1) % SLOTS;
    }
    return this.add(slot, bytes.subarray(start, start + length));
  }

  private isAt(slot: number, bytes: Uint8Array, start: number, length: number): boolean {
    if (this.lengths[slot] !== length) return false;
    const { texts } = this;
    const at = this.ends[slot]! - length;
    for (let i = 0; i < length; i++) if (texts[at + i] !== bytes[start + i]) return false;
    return true;
  }

  private add(slot: number, address: Uint8Array): KnownPlace {
    // Addresses are ASCII; whatever else this makes of other bytes is no address.
    const index = this.indexOf(this.lookUp(String.fromCharCode(...address)));
    this.texts.set(address, this.textsEnd);
    this.textsEnd += address.length;
    this.ends[slot] = this.textsEnd;
    this.lengths[slot] = address.length;
    this.indices[slot] = index;
    this.count++;
    return this.places[index]!;
  }

  private indexOf(place: Place | null): number {
    if (place === null) return 0;
    const names = `${place.country ?? ""}/${place.city ?? ""}`;
    const before = this.byNames.get(names);
    if (before !== undefined) return before;
    this.byNames.set(names, this.places.length);
    return this.places.push(known(place)) - 1;
  }
}

function known(place: Place): KnownPlace {
  return {
    ...place,
    batch: -1,
    countryStart: 0,
    countryLength: -1,
    cityStart: 0,
    cityLength: -1,
  };
}

/** FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
function slotOf(bytes: Uint8Array, start: number, length: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ bytes[start + i]!, 0x01000193);
  return ((hash >>> 15) ^ hash) & (SLOTS - 1);
}
