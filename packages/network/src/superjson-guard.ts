/**
 * Looks through the annotations of superjson before the library follows them.
 *
 * They come from outside, and the library trusts them: they may name classes, errors and regular
 * expressions, places that are not there, or a place within what has become a map already, which it looks
 * for step by step. So an annotation passes only where its kind is one that `SuperjsonCodec` writes, the
 * value has the shape for it, and the way to it leads through plain arrays and objects.
 */

import { depthMax } from "./plain-format.ts";
import { Malformed } from "./raising.ts";

/** A level of a message may be two of JSON: a map is an array of pairs, an event has its fields in `json`. */
const jsonDepthMax = 2 * depthMax + 8;
/** As many digits as a bigint of 512 bytes has at most. */
const bigintPattern = /^-?\d{1,1234}$/;
const oddNumbers: readonly unknown[] = ["NaN", "Infinity", "-Infinity", "-0"];
const customs: readonly unknown[] = ["bytes", "object", "event"];

/** Throws `Malformed` where arrays and objects lie deeper in one another than a message goes. */
export function checkDepth(value: unknown, depth = 0): void {
  if (typeof value !== "object" || value === null) return;
  if (depth > jsonDepthMax) throw new Malformed("values too deep");
  for (const part of Object.values(value)) checkDepth(part, depth + 1);
}

/**
 * Throws `Malformed` where an annotation does not fit the JSON that it is about.
 *
 * @param tree what superjson calls `meta.values`
 */
export function checkAnnotations(tree: unknown, json: unknown): void {
  check(tree, json, new Map());
}

/** Which parts of an array or object have been annotated: the library has changed them by then. */
type Changed = Map<object, Set<string>>;

function check(tree: unknown, node: unknown, changed: Changed): void {
  if (!Array.isArray(tree)) {
    checkParts(tree, node, changed);
    return;
  }
  const [kind, parts] = tree;
  if (tree.length > 2) throw new Malformed("an annotation that is none");
  // The library changes what is within first.
  if (parts !== undefined) checkParts(parts, node, changed);
  if (!fits(kind, node)) throw new Malformed("an annotation that does not fit");
}

function checkParts(parts: unknown, node: unknown, changed: Changed): void {
  if (typeof parts !== "object" || parts === null || Array.isArray(parts))
    throw new Malformed("an annotation that is none");
  for (const [path, tree] of Object.entries(parts)) {
    const steps = stepsOf(path);
    let at: unknown = node;
    for (const [i, step] of steps.entries()) {
      const holder: unknown = at;
      if (typeof holder !== "object" || holder === null || changed.get(holder)?.has(step) === true)
        throw new Malformed("an annotation of no place");
      at = partOf(holder, step);
      if (i < steps.length - 1) continue;
      check(tree, at, changed);
      if (!Array.isArray(tree)) continue;
      const known = changed.get(holder);
      if (known === undefined) changed.set(holder, new Set([step]));
      else known.add(step);
    }
  }
}

function partOf(holder: object, step: string): unknown {
  if (Array.isArray(holder)) {
    const index = Number(step);
    if (String(index) === step && Number.isInteger(index) && index >= 0 && index < holder.length)
      return holder[index];
  } else if (Object.hasOwn(holder, step)) {
    return Reflect.get(holder, step);
  }
  throw new Malformed("an annotation of no place");
}

function fits(kind: unknown, node: unknown): boolean {
  switch (kind) {
    case "undefined":
      return node === null;
    case "bigint":
      return typeof node === "string" && bigintPattern.test(node);
    case "number":
      return oddNumbers.includes(node);
    case "set":
      return Array.isArray(node);
    case "map":
      return Array.isArray(node) && node.every((pair) => Array.isArray(pair) && pair.length === 2);
    default:
      return (
        Array.isArray(kind) &&
        kind.length === 2 &&
        kind[0] === "custom" &&
        customs.includes(kind[1])
      );
  }
}

/** The steps of a path: divided by dots, where a backslash takes the meaning from a dot or a backslash. */
function stepsOf(path: string): readonly string[] {
  const steps: string[] = [];
  let step = "";
  for (let i = 0; i < path.length; i++) {
    const char = path.charAt(i);
    if (char === "\\") step += path.charAt(++i);
    else if (char !== ".") step += char;
    else {
      if (steps.length > jsonDepthMax) throw new Malformed("an annotation of no place");
      steps.push(step);
      step = "";
    }
  }
  steps.push(step);
  return steps;
}
