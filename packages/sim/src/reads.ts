/**
 * What a storage reads out of a namespace, or out of a view of one: pure functions of an immutable
 * state. What they give is copied: the user owns it. Bytes that the device has changed are never given
 * to anybody; whoever meets them gets the coded failure.
 */

import type { ReadKey, ReadLog, Scan } from "@kith/storage";
import { copyBytes, RottenBytes } from "./bytes.ts";
import { failed, type Failure, type Result } from "./results.ts";
import { isIndex, type Namespace, refused } from "./tables.ts";

const bytesMaxDefault = 1024 * 1024;

/** The bounds of the log. */
export function readBounds({ log }: Namespace): Result {
  return { kind: "bounds", first: log.first, last: log.last };
}

/** Records of the log. */
export function readLog({ log }: Namespace, request: ReadLog): Result {
  const { from, to = Number.MAX_SAFE_INTEGER, bytesMax = bytesMaxDefault } = request;
  if (!isIndex(from) || !Number.isSafeInteger(to) || to < 0 || !isIndex(bytesMax)) {
    return refused(`The records ${from} to ${to} were asked for, ${bytesMax} bytes at most.`);
  }
  const begin = Math.max(from, log.first);
  const end = Math.min(to, log.last);
  const records: Uint8Array[] = [];
  let bytes = 0;
  for (let index = begin; index <= end; index++) {
    const record = log.get(index);
    if (record === undefined) break;
    bytes += record.length;
    if (records.length > 0 && bytes > bytesMax) break;
    if (record instanceof RottenBytes) return rotten(request.namespace, `record ${index}`);
    records.push(copyBytes(record));
  }
  return { kind: "records", from: begin, records, more: begin + records.length <= end };
}

/** The value of a key. */
export function readKey({ keys }: Namespace, { namespace, key }: ReadKey): Result {
  const value = keys.get(key);
  if (value instanceof RottenBytes) return rotten(namespace, "a value");
  return { kind: "value", value: value === undefined ? null : copyBytes(value) };
}

/** Keys and values in order. */
export function scan({ keys }: Namespace, request: Scan): Result {
  const { namespace, reverse = false, limit = Infinity, bytesMax = bytesMaxDefault } = request;
  if (!(limit === Infinity || isIndex(limit)) || !isIndex(bytesMax)) {
    return refused(`A scan of ${namespace} for ${limit} keys and ${bytesMax} bytes was asked for.`);
  }
  const entries: { readonly key: Uint8Array; readonly value: Uint8Array }[] = [];
  let bytes = 0;
  let more = false;
  let corrupt = false;
  keys.visit(request, reverse, (key, value) => {
    bytes += key.length + value.length;
    more = entries.length > 0 && (entries.length >= limit || bytes > bytesMax);
    corrupt = !more && value instanceof RottenBytes;
    if (more || corrupt) return false;
    entries.push({ key: copyBytes(key), value: copyBytes(value) });
    return true;
  });
  return corrupt ? rotten(namespace, "a value") : { kind: "entries", entries, more };
}

function rotten(namespace: string, what: string): Failure {
  return failed("KITH_STORAGE_CORRUPT", `The checksum of ${what} of ${namespace} is wrong.`);
}
