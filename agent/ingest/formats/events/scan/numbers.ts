/** Numbers in the bytes of a line, as layouts write them: any other form is the parser's. */

const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;

/** Of a whole number with its sign and dot, as in the parser: more digits may not be exact. */
const LENGTH_MAX = 15;
/** Smaller numbers may come out with an exponent. */
const DECIMAL_MIN = 1e-4;
const DECIMALS_MAX = 9;
const POWERS = Array.from({ length: LENGTH_MAX + 1 }, (_, digits) => 10 ** digits);

/** Of whole seconds, as in the parser. */
const SECONDS_DIGITS_MAX = 6;

/** What was read last: where it ends, and its value. */
export class NumberReader {
  value = 0;

  /** `12`, `-3`; returns its end, or -1. */
  whole(bytes: Uint8Array, start: number): number {
    const isNegative = bytes[start] === MINUS;
    const end = this.digits(bytes, isNegative ? start + 1 : start);
    if (end < 0 || end - start > LENGTH_MAX) return -1;
    if (!isNegative) return end;
    if (this.value === 0) return -1;
    this.value = -this.value;
    return end;
  }

  /** `1.25`, without needless zeros. */
  decimal(bytes: Uint8Array, start: number): number {
    const end = this.fraction(bytes, start);
    if (end < 0 || bytes[end - 1] === ZERO) return -1;
    return Math.abs(this.value) < DECIMAL_MIN ? -1 : end;
  }

  /** `1.50` with so many decimals, where the shortest form would be another. */
  fixed(bytes: Uint8Array, start: number, decimals: number): number {
    const end = this.fraction(bytes, start);
    if (end < 0 || bytes[end - 1 - decimals] !== DOT || decimals > DECIMALS_MAX) return -1;
    const isShortest = bytes[end - 1] !== ZERO && Math.abs(this.value) >= DECIMAL_MIN;
    return isShortest ? -1 : end;
  }

  /** `1.250`, as milliseconds. */
  seconds(bytes: Uint8Array, start: number): number {
    const dot = this.digits(bytes, start);
    if (dot < 0 || dot - start > SECONDS_DIGITS_MAX || bytes[dot] !== DOT) return -1;
    let ms = this.value;
    for (let at = dot + 1; at <= dot + 3; at++) {
      const digit = digitAt(bytes, at);
      if (digit < 0) return -1;
      ms = ms * 10 + digit;
    }
    this.value = ms;
    return dot + 4;
  }

  private fraction(bytes: Uint8Array, start: number): number {
    const isNegative = bytes[start] === MINUS;
    const dot = this.digits(bytes, isNegative ? start + 1 : start);
    if (dot < 0 || bytes[dot] !== DOT) return -1;
    let digits = this.value;
    let end = dot + 1;
    for (; end - start <= LENGTH_MAX; end++) {
      const digit = digitAt(bytes, end);
      if (digit < 0) break;
      digits = digits * 10 + digit;
    }
    const decimals = end - dot - 1;
    if (decimals === 0 || end - start > LENGTH_MAX || (isNegative && digits === 0)) return -1;
    // Both are exact, so that the quotient is the number nearest to the text.
    this.value = (isNegative ? -digits : digits) / POWERS[decimals]!;
    return end;
  }

  /** The end of digits without needless zeros in front, or -1. */
  private digits(bytes: Uint8Array, start: number): number {
    let value = 0;
    let end = start;
    for (; end - start <= LENGTH_MAX; end++) {
      const digit = digitAt(bytes, end);
      if (digit < 0) break;
      value = value * 10 + digit;
    }
    const length = end - start;
    if (length === 0 || length > LENGTH_MAX || (length > 1 && bytes[start] === ZERO)) return -1;
    this.value = value;
    return end;
  }
}

/** -1 for any other byte. */
function digitAt(bytes: Uint8Array, at: number): number {
  const value = bytes[at]! - ZERO;
  return value >= 0 && value <= 9 ? value : -1;
}
