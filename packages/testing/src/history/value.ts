/**
 * What histories carry: JSON without objects. Two values are the same when their JSON text is.
 */

/** A value of a history: what is written, read, added. */
export type Value = null | boolean | number | string | readonly Value[];

/** Whether something is a value of a history. Numbers are finite: JSON has no others. */
export function isValue(of: unknown): of is Value {
  if (Array.isArray(of)) return of.every(isValue);
  return of === null || typeof of === "boolean" || typeof of === "string" || Number.isFinite(of);
}

/** A text that two values share when they are the same. */
export function identityOf(value: Value): string {
  // `JSON.stringify` is slow for what most values are.
  return typeof value === "number" ? `${value}` : JSON.stringify(value);
}
