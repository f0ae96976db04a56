/** The keys of `store-chaos`, by what is done to them. */

/** Read, written and compared as a whole. */
export const registers = ["r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7"];
/** Read and appended to by transactions. */
export const lists = ["l0", "l1", "l2", "l3", "l4", "l5", "l6", "l7", "l8", "l9"];
/** Between which money is moved, and what each has in the beginning. */
export const accounts = ["b0", "b1", "b2", "b3"];
export const balance = 100;
/** Added to. */
export const counter = "n0";
/** Written so that they go after a while. */
export const fleeting = ["e0", "e1", "e2"];
/** What all of those begin with, and nothing else: what is watched, beside the counter. */
export const fleetingPrefix = "e";
/** How many keys that are written once belong together. */
export const sides = 3;

/** The keys of one group of those that are written once. */
export function onceKeys(group: number): string[] {
  return Array.from({ length: sides }, (_, side) => `o${group}.${side}`);
}

/** Where a group may begin. */
export const allKeys: readonly string[] = [
  ...registers,
  ...lists,
  ...accounts,
  ...fleeting,
  counter,
  "o2.1",
];

/** Whether somebody watches a key. */
export function isWatched(key: string): boolean {
  return key === counter || key.startsWith(fleetingPrefix);
}
