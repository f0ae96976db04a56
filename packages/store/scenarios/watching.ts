/**
 * What those who watch keys were told, beside what has happened to the keys: each change of a key in its order, none left out and
 * none twice; or, where changes were missed, how the key is, never how it was before.
 */

import type { Left, Told } from "./facts.ts";

/** What has happened to a key, by versions. */
export type Changed = ReadonlyMap<string, ReadonlyMap<number, string | null>>;

/** Where somebody is who watches a key. */
interface Place {
  /** The index of what it was told last, among all that has happened to the key; -1 before the first. */
  readonly at: number;
  /** Whether it was told only that the key is not there: it may be at a later deletion than that. */
  readonly orLater: boolean;
}

/** Says what is wrong with what one was told, in its order. */
export function misled(told: readonly Told[], changed: Changed): string | undefined {
  const truth = new Map<string, readonly Left[]>();
  for (const [key, versions] of changed) {
    const list = [...versions].map(([version, value]): Left => ({ key, version, value }));
    truth.set(
      key,
      list.sort((a, b) => a.version - b.version),
    );
  }
  const places = new Map<string, Place>();
  for (const { anew, left } of told) {
    for (const one of left) {
      const place = step(one, anew, places.get(one.key), truth.get(one.key) ?? []);
      if (typeof place === "string") return `${one.key} at ${one.version}: ${place}`;
      places.set(one.key, place);
    }
  }
  return undefined;
}

function step(
  { version, value }: Left,
  anew: boolean,
  before: Place | undefined,
  truth: readonly Left[],
): Place | string {
  const least = before?.at ?? -1;
  if (anew && value === null) {
    if (least === -1 || truth[least]?.value === null) return { at: least, orLater: true };
    const at = truth.findIndex((one, index) => index > least && one.value === null);
    return at < 0 ? "it is said not to be there, and was not deleted." : { at, orLater: true };
  }
  const at = truth.findIndex((one) => one.version === version);
  if (at < 0 || truth[at]?.value !== value) return `nobody has made it ${value ?? "go"}.`;
  if (anew) return at < least ? "it goes back." : { at, orLater: false };
  if (before === undefined) return "a change, before anything was said of what is there.";
  if (at <= least) return "it comes again, or too late.";
  const follows = before.orLater ? at === 0 || truth[at - 1]?.value === null : at === least + 1;
  return follows ? { at, orLater: false } : "a change before it was left out.";
}
