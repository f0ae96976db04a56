/** Numbers in arguments and values, as Redis reads them. */

const int64Max = 2n ** 63n - 1n;
const int64Min = -(2n ** 63n);

/** A decimal integer of 64 bits without ornaments; undefined where it is none. */
export function int64(octets: string): bigint | undefined {
  if (!/^(0|-?[1-9][0-9]{0,18})$/.test(octets)) return undefined;
  const value = BigInt(octets);
  return value < int64Min || value > int64Max ? undefined : value;
}

/** The same, where a number holds it exactly enough: for indices and counts. */
export function integerOf(octets: string): number | undefined {
  const value = int64(octets);
  return value === undefined ? undefined : Number(value);
}

/** Whether a sum is beyond 64 bits. */
export function overflows(value: bigint): boolean {
  return value < int64Min || value > int64Max;
}
