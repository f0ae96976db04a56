/**
 * A batch as the device has it: a length, a checksum, and the operations. The bytes are what tears,
 * sector by sector, at a power cut, and what rots; the checksum is how a recovery finds out.
 */

import type { Operation } from "@kith/storage";
import { fingerprint } from "./trace.ts";

/** What a device writes as a whole, in bytes. */
export const sectorBytes = 512;

const headBytes = 16;
const kinds: readonly Operation["kind"][] = [
  "append",
  "truncate",
  "cut",
  "put",
  "delete",
  "delete-range",
  "drop",
];
const noBytes = new Uint8Array(0);

/** Writes a batch down. */
export function encodeBatch(
  number: number,
  namespace: string,
  operations: readonly Operation[],
): Uint8Array {
  let size = headBytes;
  for (const operation of operations) {
    const [first, second] = bytesOf(operation);
    size += 19 + 2 * (operation.namespace ?? namespace).length + first.length + second.length;
  }
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, size);
  view.setFloat64(8, number);
  let at = headBytes;
  for (const operation of operations) {
    const name = operation.namespace ?? namespace;
    view.setUint8(at, kinds.indexOf(operation.kind));
    view.setUint16(at + 1, name.length);
    view.setFloat64(at + 3, numberOf(operation));
    at += 11;
    for (let i = 0; i < name.length; i++, at += 2) view.setUint16(at, name.charCodeAt(i));
    for (const part of bytesOf(operation)) {
      view.setUint32(at, part.length);
      bytes.set(part, at + 4);
      at += 4 + part.length;
    }
  }
  view.setUint32(4, checksum(bytes));
  return bytes;
}

/** Reads a batch that is intact. The parts of the operations are parts of its bytes. */
export function decodeBatch(bytes: Uint8Array): (Operation & { readonly namespace: string })[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const operations: (Operation & { readonly namespace: string })[] = [];
  for (let at = headBytes; at < bytes.length;) {
    const kind = kinds[view.getUint8(at)];
    const length = view.getUint16(at + 1);
    const number = view.getFloat64(at + 3);
    at += 11;
    let namespace = "";
    for (let i = 0; i < length; i++, at += 2) namespace += String.fromCharCode(view.getUint16(at));
    const firstLength = view.getUint32(at);
    const first = bytes.subarray(at + 4, at + 4 + firstLength);
    at += 4 + firstLength;
    const secondLength = view.getUint32(at);
    const second = bytes.subarray(at + 4, at + 4 + secondLength);
    at += 4 + secondLength;
    if (kind !== undefined)
      operations.push({ ...operationOf(kind, number, first, second), namespace });
  }
  return operations;
}

/** The checksum that stands in a batch: a fingerprint of what was written. */
export function checksumOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(4);
}

/** Whether a batch is there as it was written. */
export function isIntact(bytes: Uint8Array): boolean {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  return length === bytes.length && checksumOf(bytes) === checksum(bytes);
}

/** How many sectors so many bytes take. */
export function sectorsOf(bytes: number): number {
  return Math.ceil(bytes / sectorBytes);
}

function checksum(bytes: Uint8Array): number {
  return fingerprint(bytes.subarray(8));
}

function numberOf(operation: Operation): number {
  switch (operation.kind) {
    case "append":
      return operation.index;
    case "truncate":
      return operation.from;
    case "cut":
      return operation.to;
    case "put":
    case "delete":
    case "drop":
      return 0;
    case "delete-range":
      // An empty bound is not a missing one.
      return (operation.from === undefined ? 0 : 1) + (operation.to === undefined ? 0 : 2);
  }
}

function bytesOf(operation: Operation): readonly [Uint8Array, Uint8Array] {
  switch (operation.kind) {
    case "append":
      return [operation.record, noBytes];
    case "put":
      return [operation.key, operation.value];
    case "delete":
      return [operation.key, noBytes];
    case "delete-range":
      return [operation.from ?? noBytes, operation.to ?? noBytes];
    case "truncate":
    case "cut":
    case "drop":
      return [noBytes, noBytes];
  }
}

function operationOf(
  kind: Operation["kind"],
  number: number,
  first: Uint8Array,
  second: Uint8Array,
): Operation {
  switch (kind) {
    case "append":
      return { kind, index: number, record: first };
    case "truncate":
      return { kind, from: number };
    case "cut":
      return { kind, to: number };
    case "put":
      return { kind, key: first, value: second };
    case "delete":
      return { kind, key: first };
    case "delete-range":
      return {
        kind,
        ...((number & 1) === 0 ? {} : { from: first }),
        ...((number & 2) === 0 ? {} : { to: second }),
      };
    case "drop":
      return { kind };
  }
}
