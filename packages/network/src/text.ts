/**
 * Bytes to strings: UTF-8, and lone surrogates as three bytes each. Short strings that come again and
 * again (keys, hosts, tags) are looked up instead of built.
 */

import { octetText } from "@kith/core";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const slots = 2048;
const internedBytesMax = 48;

/**
 * Strings by their bytes: a table with one place for each hash, so that it stays small whatever comes.
 * What it returns does not depend on what it holds.
 */
export class Interned {
  readonly #strings: string[] = new Array<string>(slots).fill("");

  /** The string, or null where the bytes are none. */
  text(bytes: Uint8Array, from: number, length: number): string | null {
    if (length > internedBytesMax) return readText(bytes, from, length);
    let hash = length;
    for (let i = from; i < from + length; i++) hash = (Math.imul(hash, 31) + (bytes[i] ?? 0)) | 0;
    const slot = (hash ^ (hash >>> 11)) & (slots - 1);
    const candidate = this.#strings[slot] ?? "";
    if (candidate.length === length && isAscii(candidate, bytes, from)) return candidate;
    const text = readText(bytes, from, length);
    // Other text has fewer units than bytes, and would never be found.
    if (text !== null && text.length === length) this.#strings[slot] = text;
    return text;
  }
}

/** The string of `length` bytes, or null where they are no text. */
export function readText(bytes: Uint8Array, from: number, length: number): string | null {
  const end = from + length;
  if (length > 64) {
    try {
      return decoder.decode(bytes.subarray(from, end));
    } catch {
      // A lone surrogate, which it refuses, or no text at all.
      return readUnits(bytes, from, end);
    }
  }
  for (let i = from; i < end; i++) if ((bytes[i] ?? 0) >= 0x80) return readUnits(bytes, from, end);
  return octetText(bytes, from, end);
}

function isAscii(text: string, bytes: Uint8Array, from: number): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[from + i]) return false;
  return true;
}

function readUnits(bytes: Uint8Array, from: number, end: number): string | null {
  let text = "";
  for (let i = from; i < end;) {
    const first = bytes[i++] ?? 0;
    const more =
      first < 0x80
        ? 0
        : first < 0xc2
          ? -1
          : first < 0xe0
            ? 1
            : first < 0xf0
              ? 2
              : first < 0xf5
                ? 3
                : -1;
    if (more < 0 || end - i < more) return null;
    let code = more === 0 ? first : first & (0x3f >> more);
    for (let k = 0; k < more; k++) {
      const byte = bytes[i++] ?? 0;
      if ((byte & 0xc0) !== 0x80) return null;
      code = (code << 6) | (byte & 0x3f);
    }
    // One way to write each string: no longer form than needed.
    if ((more === 2 && code < 0x800) || (more === 3 && (code < 0x1_0000 || code > 0x10_ffff)))
      return null;
    text += String.fromCodePoint(code);
  }
  return text;
}
