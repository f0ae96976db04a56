/**
 * Plain data: what may cross a restart, a swap, a checkpoint or a thread. Null, undefined, booleans,
 * numbers, bigints, strings, byte arrays, and arrays, maps, sets and objects without a class of those.
 */

import { coreError, type CoreErrorCode } from "./errors.ts";

/**
 * Copies plain data deeply, without aliasing; a shared or cyclic part is shared or cyclic in the copy.
 *
 * @param what names the value in the error, such as `the init of Pinger-1`
 * @throws KithError with the given code at the first part that is not plain, naming its place
 */
export function copyPlain<T>(value: T, what: string, code: CoreErrorCode = "KITH_NOT_PLAIN"): T {
  if (typeof value !== "object" || value === null) {
    if (typeof value === "function" || typeof value === "symbol") throw notPlain(value, what, code);
    return value;
  }
  return copyObject(value, what, code, new Map()) as T;
}

function copyObject(value: object, where: string, code: CoreErrorCode, seen: Map<object, object>): object {
  const known = seen.get(value);
  if (known !== undefined) return known;
  if (Array.isArray(value)) {
    const copy: unknown[] = [];
    seen.set(value, copy);
    for (let i = 0; i < value.length; i++) copy.push(copyPart(value[i], where, `[${i}]`, code, seen));
    return copy;
  }
  if (value instanceof Uint8Array) return value.slice();
  if (value instanceof Map) {
    const copy = new Map();
    seen.set(value, copy);
    for (const [k, v] of value) {
      copy.set(copyPart(k, where, ".key", code, seen), copyPart(v, where, `.get(${String(k)})`, code, seen));
    }
    return copy;
  }
  if (value instanceof Set) {
    const copy = new Set();
    seen.set(value, copy);
    for (const v of value) copy.add(copyPart(v, where, ".member", code, seen));
    return copy;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) throw notPlain(value, where, code);
  const copy: Record<string, unknown> = {};
  seen.set(value, copy);
  for (const key of Object.keys(value)) {
    copy[key] = copyPart((value as Record<string, unknown>)[key], where, `.${key}`, code, seen);
  }
  return copy;
}

function copyPart(
  value: unknown,
  where: string,
  step: string,
  code: CoreErrorCode,
  seen: Map<object, object>,
): unknown {
  if (typeof value === "object" && value !== null) return copyObject(value, where + step, code, seen);
  if (typeof value === "function" || typeof value === "symbol") throw notPlain(value, where + step, code);
  return value;
}

function notPlain(value: unknown, where: string, code: CoreErrorCode): Error {
  const kind =
    typeof value === "object" && value !== null
      ? `an instance of ${(value as object).constructor.name}`
      : `a ${typeof value}`;
  return coreError(code, `${where} is ${kind}, which is not plain data.`);
}
