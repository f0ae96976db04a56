/** What is answered to a command, before it is written in RESP2 or RESP3. */

import type { Octets } from "@kith/store";

/** A reply. Text is of one byte for each character (up to U+00FF), as keys are. */
export type Reply =
  | { readonly kind: "status"; readonly text: Octets }
  /** `text` begins with a code in capitals, such as `ERR`. */
  | { readonly kind: "error"; readonly text: Octets }
  /** In digits, where it may be beyond what a number holds exactly. */
  | { readonly kind: "integer"; readonly value: number | Octets }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "text"; readonly text: Octets }
  /** In RESP3 marked as text for people. */
  | { readonly kind: "verbatim"; readonly text: Octets }
  | { readonly kind: "null" }
  /** In RESP2 it is another null: that of `EXEC`. */
  | { readonly kind: "no-array" }
  | { readonly kind: "array"; readonly items: readonly Reply[] }
  | { readonly kind: "set"; readonly items: readonly Reply[] }
  /** In RESP2 an array of names and values in turn. */
  | { readonly kind: "map"; readonly pairs: readonly (readonly [Octets, Reply])[] };

/** `+OK`. */
export const ok: Reply = { kind: "status", text: "OK" };
/** `+PONG`. */
export const pong: Reply = { kind: "status", text: "PONG" };
/** `+QUEUED`. */
export const queued: Reply = { kind: "status", text: "QUEUED" };
/** Nothing there. */
export const nothing: Reply = { kind: "null" };
/** `EXEC` has done nothing. */
export const noArray: Reply = { kind: "no-array" };
/** 0. */
export const zero: Reply = { kind: "integer", value: 0 };
/** 1. */
export const one: Reply = { kind: "integer", value: 1 };

/** An integer. */
export function integer(value: number | Octets): Reply {
  return value === 0 ? zero : value === 1 ? one : { kind: "integer", value };
}

/** A text. */
export function text(content: Octets): Reply {
  return { kind: "text", text: content };
}

/** Bytes, or nothing. */
export function bytesOrNothing(bytes: Uint8Array | null | undefined): Reply {
  return bytes === null || bytes === undefined ? nothing : { kind: "bytes", bytes };
}

/** An array. */
export function array(items: readonly Reply[]): Reply {
  return { kind: "array", items };
}

/** An error; without a code in capitals it is an `ERR`. */
export function error(message: Octets): Reply {
  return { kind: "error", text: message };
}

/** `ERR …`. */
export function err(message: Octets): Reply {
  return error(`ERR ${message}`);
}
