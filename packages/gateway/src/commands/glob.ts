/** Patterns of KEYS and SCAN: `*`, `?`, `[a-z]`, `[^a]`, and `\` before what stands for itself, as in Redis. */

import type { Octets } from "@kith/store";

/** Makes a test for keys out of a pattern. Its steps are bounded by the product of both lengths. */
export function glob(pattern: Octets): (key: Octets) => boolean {
  const parts = partsOf(pattern);
  // As in Redis, where two stars do not match the empty key, and one does.
  const takesEmpty = pattern === "" || pattern === "*";
  return (key) => (key === "" ? takesEmpty : matches(parts, key));
}

/** One character: any (null), or a test of its code. */
type Part = "any" | "some" | ((code: number) => boolean);

function partsOf(pattern: Octets): Part[] {
  const parts: Part[] = [];
  for (let at = 0; at < pattern.length; at++) {
    const sign = pattern.charAt(at);
    if (sign === "*") {
      if (parts.at(-1) !== "some") parts.push("some");
    } else if (sign === "?") parts.push("any");
    else if (sign === "[") {
      const { part, end } = classOf(pattern, at + 1);
      parts.push(part);
      at = end;
    } else {
      if (sign === "\\" && at + 1 < pattern.length) at++;
      const code = pattern.charCodeAt(at);
      parts.push((given) => given === code);
    }
  }
  return parts;
}

/** A class, which ends with the pattern where it is not closed. */
function classOf(pattern: Octets, from: number): { readonly part: Part; readonly end: number } {
  let at = from;
  const not = pattern[at] === "^";
  if (not) at++;
  const ranges: [number, number][] = [];
  for (; at < pattern.length && pattern[at] !== "]"; at++) {
    if (pattern[at] === "\\" && at + 1 < pattern.length) {
      at++;
      ranges.push([pattern.charCodeAt(at), pattern.charCodeAt(at)]);
    } else if (pattern[at + 1] === "-" && at + 2 < pattern.length) {
      const ends = [pattern.charCodeAt(at), pattern.charCodeAt(at + 2)] as const;
      ranges.push([Math.min(...ends), Math.max(...ends)]);
      at += 2;
    } else ranges.push([pattern.charCodeAt(at), pattern.charCodeAt(at)]);
  }
  return {
    part: (code) => ranges.some(([low, high]) => low <= code && code <= high) !== not,
    end: at,
  };
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
    } else if (now !== undefined && (now === "any" || now(key.charCodeAt(at)))) {
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
