/**
 * What every provider of Storage refuses, and why: pure checks of batches and arguments, so that a memory
 * and a disk refuse alike. A batch is checked as a whole before anything of it is applied.
 */

import type { StorageErrorCode } from "./errors.ts";
import type { Entry, Operation } from "./operation.ts";

/** The limits of what may be stored. */
export const limits = {
  keyBytesMax: 1024,
  valueBytesMax: 16 * 1024 * 1024,
  namespaceLengthMax: 128,
  /** Keys, values and records of a batch together. */
  batchBytesMax: 1024 * 1024 * 1024,
  views: 64,
  installs: 16,
  /** How much a read gives at a time where it names no limit. */
  readBytes: 1024 * 1024,
} as const;

/** Why something cannot be done. */
export interface Problem {
  readonly code: StorageErrorCode;
  readonly detail: string;
}

/** The first and the last index of a log. */
export interface Bounds {
  readonly first: number;
  readonly last: number;
}

/**
 * Why a batch cannot be applied; null where it can.
 *
 * @param boundsOf the log of a namespace as it is; undefined where that does not exist
 */
export function checkBatch(
  namespace: string,
  operations: readonly Operation[],
  boundsOf: (name: string) => Bounds | undefined,
): Problem | null {
  const bounds = new Map<string, { first: number; last: number }>();
  let detail = nameProblem(namespace);
  for (const operation of operations) {
    const name = operation.namespace ?? namespace;
    detail ??= nameProblem(name);
    let at = bounds.get(name);
    if (at === undefined) {
      const { first, last } = boundsOf(name) ?? { first: 1, last: 0 };
      bounds.set(name, (at = { first, last }));
    }
    detail ??= operationProblem(operation, at);
  }
  if (detail === null && growthOf(operations) > limits.batchBytesMax) {
    detail = `a batch has more than ${limits.batchBytesMax} bytes`;
  }
  return detail === null ? null : argument(detail);
}

/** How many bytes a batch can add at most. */
export function growthOf(operations: readonly Operation[]): number {
  let bytes = 0;
  for (const operation of operations) {
    if (operation.kind === "append") bytes += operation.record.length;
    else if (operation.kind === "put") bytes += operation.key.length + operation.value.length;
  }
  return bytes;
}

/** Why a log cannot be read like this; null where it can. */
export function logReadProblem(from: number, to: number, bytesMax: number): Problem | null {
  if (isIndex(from) && Number.isSafeInteger(to) && to >= 0 && isIndex(bytesMax)) return null;
  return argument("a log is read from an index of at least 1 on, at least a byte at a time");
}

/** Why keys cannot be scanned like this; null where they can. */
export function scanProblem(limit: number, bytesMax: number): Problem | null {
  if (limit >= 1 && bytesMax >= 1) return null;
  return argument("a scan gives one entry and one byte at least");
}

/** Why entries cannot be staged; null where they can. */
export function entriesProblem(entries: readonly Entry[]): Problem | null {
  for (const { key, value } of entries) {
    const detail = keyProblem(key) ?? valueProblem(value);
    if (detail !== null) return argument(detail);
  }
  return null;
}

/** There is no such view of that namespace. */
export function unknownView(view: number, namespace: string): Problem {
  return { code: "KITH_STORAGE_VIEW", detail: `there is no view ${view} of ${namespace}` };
}

/** No view more can be opened. */
export function tooManyViews(): Problem {
  return { code: "KITH_STORAGE_VIEWS", detail: `${limits.views} views are open` };
}

/** No installation more can be begun. */
export function tooManyInstalls(): Problem {
  return {
    code: "KITH_STORAGE_BUSY",
    detail: `${limits.installs} installations are under way`,
  };
}

/** Checks one operation, and follows what it does to the bounds of the log. */
function operationProblem(
  operation: Operation,
  at: { first: number; last: number },
): string | null {
  switch (operation.kind) {
    case "append":
      if (operation.index !== at.last + 1 || !isIndex(operation.index)) {
        return `index ${operation.index} was appended to a log that goes on at ${at.last + 1}`;
      }
      at.last++;
      return valueProblem(operation.record);
    case "truncate":
      if (!isIndex(operation.from) || operation.from < at.first) {
        return `a log that begins at ${at.first} was truncated from ${operation.from} on`;
      }
      at.last = Math.min(at.last, operation.from - 1);
      return null;
    case "cut":
      if (!Number.isSafeInteger(operation.to) || operation.to < 0)
        return `a log was cut up to ${operation.to}`;
      at.first = Math.max(at.first, operation.to + 1);
      at.last = Math.max(at.last, operation.to);
      return null;
    case "put":
      return keyProblem(operation.key) ?? valueProblem(operation.value);
    case "delete":
      return keyProblem(operation.key);
    case "delete-range":
      return null;
    case "drop":
      at.first = 1;
      at.last = 0;
      return null;
  }
}

/** Why a name cannot be that of a namespace. */
export function nameProblem(name: string): string | null {
  if (name.length >= 1 && name.length <= limits.namespaceLengthMax) return null;
  return `a namespace's name has 1 to ${limits.namespaceLengthMax} units, not ${name.length}`;
}

/** Why these bytes cannot be a key. */
export function keyProblem(key: Uint8Array): string | null {
  return key.length <= limits.keyBytesMax
    ? null
    : `a key has ${key.length} bytes, more than ${limits.keyBytesMax}`;
}

/** Why these bytes cannot be a value or a record. */
export function valueProblem(value: Uint8Array): string | null {
  if (value.length <= limits.valueBytesMax) return null;
  return `a value or record has ${value.length} bytes, more than ${limits.valueBytesMax}`;
}

/** Whether this can be the index of a record. */
export function isIndex(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1;
}

/** A request that asks for what there is not. */
export function argument(detail: string): Problem {
  return { code: "KITH_STORAGE_ARGUMENT", detail };
}

/** There is no such installation. */
export function unknownInstall(number: number): Problem {
  return { code: "KITH_STORAGE_INSTALL", detail: `there is no installation ${number}` };
}
