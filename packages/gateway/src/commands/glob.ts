/** Patterns of KEYS and SCAN: `*`, `?`, `[a-z]`, `[^a]`, and `\` before what stands for itself, as in Redis. */

import { keyBytesMax, type Octets } from "@kith/store";

/** Makes a test for keys out of a pattern. Its steps are bounded by the product of both lengths. */
export function glob(pattern: Octets): (key: Octets) => boolean {
  const parts = partsOf(pattern);
  if (parts === null) return () => false;
  // As in Redis, where two stars do not match the empty key, and one does.
  const takesEmpty = pattern === "" || pattern === "*";
  return (key) => (key === "" ? takesEmpty : matches(parts, key));
}

/** Any character, any number of them, the one of a code, or those of a class: one byte for each code. */
type Part = "any" | "some" | number | Uint8Array;

/** Null where it asks for more characters than a key has: a pattern may be as long as a request, and shall cost no more. */
function partsOf(pattern: Octets): Part[] | null {
  const parts: Part[] = [];
  let characters = 0;
  for (let at = 0; at < pattern.length; at++) {
    const sign = pattern.charAt(at);
    if (sign === "*") {
      if (parts.at(-1) !== "some") parts.push("some");
      continue;
    }
    if (++characters > keyBytesMax) return null;
    if (sign === "?") parts.push("any");
    else if (sign === "[") {
      const { part, end } = classOf(pattern, at + 1);
      parts.push(part);
      at = end;
    } else {
      if (sign === "\\" && at + 1 < pattern.length) at++;
      parts.push(pattern.charCodeAt(at));
    }
  }
  return parts;
}

/** A class, which ends with the pattern where it is not closed. */
function classOf(pattern: Octets, from: number): { readonly part: Part; readonly end: number } {
  let at = from;
  const not = pattern[at] === "^";
  if (not) at++;
  const part = new Uint8Array(256).fill(not ? 1 : 0);
  const mark = (one: number, other: number): void => {
    part.fill(not ? 0 : 1, Math.min(one, other), Math.max(one, other) + 1);
  };
  for (; at < pattern.length && pattern[at] !== "]"; at++) {
    if (pattern[at] === "\\" && at + 1 < pattern.length) {
      at++;
      mark(pattern.charCodeAt(at), pattern.charCodeAt(at));
    } else if (pattern[at + 1] === "-" && at + 2 < pattern.length) {
      mark(pattern.charCodeAt(at), pattern.charCodeAt(at + 2));
      at += 2;
    } else mark(pattern.charCodeAt(at), pattern.charCodeAt(at));
  }
  return { part, end: at };
}

function takes(part: Part | undefined, code: number): boolean {
  if (typeof part === "number") return part === code;
  return part === "any" || (part !== "some" && part?.[code] === 1);
}

/** Where a `*` has taken too little, it takes one character more; no earlier one has to be asked again. */
function matches(parts: readonly Part[], key: Octets): boolean {
  let at = 0;
  let part = 0;
  let star = -1;
  let mark = 0;
  while (at < key.length) {
    const now = parts[part];
    if (now === "some") {
      star = part++;
      mark = at;
    } else if (takes(now, key.charCodeAt(at))) {
      at++;
      part++;
    } else if (star >= 0) {
      part = star + 1;
      at = ++mark;
    } else return false;
  }
  while (parts[part] === "some") part++;
  return part === parts.length;
}
