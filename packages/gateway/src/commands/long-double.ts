/**
 * The sums of INCRBYFLOAT, digit for digit: Redis adds numbers with a mantissa of 64 bits (x87's extended precision) and
 * prints 17 decimals without trailing zeros. Here that is done with integers: a number is `mantissa * 2^exponent`.
 */

/** A number of extended precision. */
export interface LongDouble {
  readonly mantissa: bigint;
  readonly exponent: number;
}

const mantissaBits = 64;
/** Beyond every exponent of ten that extended precision has: such numbers are not even computed. */
const tensMax = 5000;
const decimals = 17n;

/** As Redis: longer ones are none. */
const octetsMax = 5119;

/** The largest and the smallest power of two that it has. */
const twosMax = 16_384;
const twosMin = -16_445;

/** Reads a number, decimal or (`0x1.8p3`) hexadecimal; undefined where it is none, or beyond all bounds, `"infinite"` where it says so. */
export function readLongDouble(octets: string): LongDouble | "infinite" | undefined {
  if (octets.length > octetsMax) return undefined;
  if (/^[+-]?inf(inity)?$/i.test(octets)) return "infinite";
  if (/^[+-]?0x/i.test(octets)) return readHexadecimal(octets);
  const found = /^([+-]?)([0-9]*)(?:\.([0-9]*))?(?:e([+-]?[0-9]+))?$/i.exec(octets);
  if (found === null) return undefined;
  const [, sign = "", whole = "", fraction = "", power = "0"] = found;
  const all = whole + fraction;
  if (all === "") return undefined;
  const digits = BigInt(all);
  const tens = Number(power) - fraction.length;
  if (digits === 0n) return { mantissa: 0n, exponent: 0 };
  if (Math.abs(tens + all.length) > tensMax) return undefined;
  const read = tens >= 0 ? rounded(digits * 10n ** BigInt(tens), 0) : quotient(digits, -tens);
  return signed(sign, read);
}

/** As the C library reads it, and Redis with it. */
function readHexadecimal(octets: string): LongDouble | undefined {
  const found = /^([+-]?)0x([0-9a-f]*)(?:\.([0-9a-f]*))?(?:p([+-]?[0-9]+))?$/i.exec(octets);
  if (found === null) return undefined;
  const [, sign = "", whole = "", fraction = "", power = "0"] = found;
  if (whole + fraction === "") return undefined;
  const digits = BigInt(`0x${whole}${fraction}`);
  if (digits === 0n) return { mantissa: 0n, exponent: 0 };
  const twos = Number(power) - 4 * fraction.length;
  return Math.abs(twos + bitsOf(digits)) > 2 * twosMax
    ? undefined
    : signed(sign, rounded(digits, twos));
}

/** The number with its sign; undefined where extended precision has none of that size. */
function signed(sign: string, { mantissa, exponent }: LongDouble): LongDouble | undefined {
  const highest = exponent + bitsOf(mantissa);
  if (highest > twosMax || highest <= twosMin) return undefined;
  return { mantissa: sign === "-" ? -mantissa : mantissa, exponent };
}

/** The sum of two. */
export function addLongDouble(a: LongDouble, b: LongDouble): LongDouble {
  const exponent = Math.min(a.exponent, b.exponent);
  const sum =
    (a.mantissa << BigInt(a.exponent - exponent)) + (b.mantissa << BigInt(b.exponent - exponent));
  return rounded(sum, exponent);
}

/** Writes one with at most 17 decimals. */
export function writeLongDouble({ mantissa, exponent }: LongDouble): string {
  const negative = mantissa < 0n;
  const size = (negative ? -mantissa : mantissa) * 10n ** decimals;
  const scaled = exponent >= 0 ? size << BigInt(exponent) : shifted(size, -exponent);
  const digits = scaled.toString().padStart(Number(decimals) + 1, "0");
  const whole = digits.slice(0, -Number(decimals));
  const fraction = digits.slice(-Number(decimals)).replace(/0+$/, "");
  const written = fraction === "" ? whole : `${whole}.${fraction}`;
  return negative && written !== "0" ? `-${written}` : written;
}

/** `digits / 10^tens`, rounded to the mantissa. */
function quotient(digits: bigint, tens: number): LongDouble {
  const divisor = 10n ** BigInt(tens);
  // Two bits more than the mantissa, the last of which says whether something is left.
  const shift = Math.max(0, bitsOf(divisor) - bitsOf(digits) + mantissaBits + 2);
  const scaled = digits << BigInt(shift);
  const whole = scaled / divisor;
  const sticky = scaled % divisor === 0n ? 0n : 1n;
  return rounded((whole << 1n) | sticky, -shift - 1);
}

/** Rounds to the nearest mantissa, to the even one of two. */
function rounded(value: bigint, exponent: number): LongDouble {
  const negative = value < 0n;
  const size = negative ? -value : value;
  const excess = bitsOf(size) - mantissaBits;
  if (excess <= 0) return { mantissa: value, exponent };
  const mantissa = shifted(size, excess);
  return { mantissa: negative ? -mantissa : mantissa, exponent: exponent + excess };
}

/** Divides by a power of two, rounded to the nearest, to the even one of two. */
function shifted(size: bigint, bits: number): bigint {
  const by = BigInt(bits);
  const whole = size >> by;
  const rest = size - (whole << by);
  const half = 1n << (by - 1n);
  return rest > half || (rest === half && (whole & 1n) === 1n) ? whole + 1n : whole;
}

function bitsOf(size: bigint): number {
  return size === 0n ? 0 : size.toString(2).length;
}
