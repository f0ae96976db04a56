/**
 * The kinds of faults: each has a name, which is its switch and its counter, and a range from which a
 * seed draws when, where and how much.
 *
 * A fault is plain data. It is either an episode (from `at`, `for` so long, at a `rate` or of a `size`),
 * or one deed that is named: the `number`-th message with a `tag` from a node to another since `at`, the
 * `number`-th flush of a disk since then. Episodes with a rate turn into named deeds when a run is shrunk, so that
 * what is left does not hang on draws.
 */

import type { Millis } from "@kith/core";

/** What there is, by what it strikes. The words after a name say what `size` and `rate` mean for it. */
export const faultKinds = {
  /** A message takes up to `size` ms longer. */
  "latency tail": "network",
  /** Everything from `nodes` to `others` takes `size` ms longer. */
  "asymmetric latency": "network",
  loss: "network",
  /** Comes twice, the second time up to `size` ms later. */
  duplicate: "network",
  /** Overtakes, or is overtaken, by up to `size` ms. */
  reorder: "network",
  /** Comes once more, `size` ms later. */
  "late replay": "network",
  /** Its checksum is wrong on arrival: a datagram is dropped, a connection is broken. */
  corruption: "network",
  /** Nothing leaves `nodes` before the end of the episode; then all comes at once. */
  "clogged sender": "network",
  /** Nothing arrives at `nodes` before the end of the episode. */
  "clogged receiver": "network",
  /** Nothing goes from `nodes` to `others` before the end of the episode. */
  "clogged pair": "network",
  /** Two groups cannot reach each other. */
  split: "network",
  /** One node can reach nobody. */
  isolation: "network",
  /** What `nodes` send to `others` is lost, but not the other way. */
  "one way": "network",
  /** Two groups that reach each other only over a node that belongs to neither. */
  bridge: "network",
  /** A split that comes and goes every `size` ms. */
  flapping: "network",
  /** Most of what passes between `nodes` and `others` is lost. */
  "gray link": "network",
  /** From `nodes` to `others` passes one message every `size` ms. */
  "slow drip": "network",
  /** The connection breaks. */
  reset: "network",
  /** `nodes` forget the connection to `others`, who believe in it. */
  "half-open": "network",
  /** No more than `size` messages may wait for a peer. */
  "overflowing queue": "network",
  /** A crash, and a new life `for` ms later: at once, that is within 5 ms. */
  "restart at once": "process",
  /** A crash, and a new life much later. */
  "late restart": "process",
  /** A crash, and no new life before the healing. */
  "no restart": "process",
  /** A crash after the first of several effects of a handler; with a `tag`, of one that begins with such a message. */
  "crash between effects": "process",
  /** Nothing runs for so long; then all happens at once. */
  pause: "process",
  /** After the crash, the disk is as it was when the episode began. */
  "old disk": "process",
  /** After the crash, the disk is empty. */
  "wiped disk": "process",
  /** The new life has the incarnation of the one before. */
  "reused identity": "process",
  "failing flush": "disk",
  /** Takes up to `size` ms longer. */
  "slow flush": "disk",
  /** Begins with a crash and a new life, for that is when most is read. */
  "read error": "disk",
  /** Nothing more can be written. */
  "full disk": "disk",
  "bit rot": "disk",
  /** The node crashes at its first write, before that is flushed; the batch is lost. */
  "lost write": "disk",
  /** The same, and of the batch some sectors are there. */
  "torn write": "disk",
  /** Promises durability without keeping the promise; ends with a crash. */
  "lying disk": "disk",
  /** The wall clock is off by `size` ms from the beginning. */
  "clock offset": "clock",
  /** The clocks run `size` ppm faster. */
  drift: "clock",
  "jump forward": "clock",
  "jump back": "clock",
  /** The wall clock stands still. */
  "clock standing still": "clock",
  /** All operations choose one key. */
  "hot key": "load",
  /** Processes do not wait between operations. */
  burst: "load",
  /** Every now and then `nodes` do nothing for `size` ms. */
  "slow handler": "load",
  /** A node is not there at the beginning. */
  join: "change",
  /** A node stops properly, and comes back or not. */
  leave: "change",
  /** A component is replaced while it runs. */
  swap: "change",
  /** A message that only a newer version knows; with a `tag`, the component there is replaced by its later version. */
  "mixed versions": "change",
  /** A cold path of the product is taken: see `Component.cold`. */
  "cold path": "buggify",
} as const;

/** The name of a kind of faults. */
export type FaultKind = keyof typeof faultKinds;

/** A fault: an episode, or a named deed. */
export interface Fault {
  readonly kind: FaultKind;
  /** Begins at that simulated time in milliseconds. */
  readonly at: Millis;
  /** Lasts so long; without it for a moment, or for good. */
  readonly for?: Millis;
  /** The nodes that it strikes, by their indices; without it all. */
  readonly nodes?: readonly number[];
  /** The nodes at the other end. */
  readonly others?: readonly number[];
  /** How likely it strikes each time. */
  readonly rate?: number;
  /** How much; the kind says of what. */
  readonly size?: number;
  /** Of a named deed: the message's tag, the component's path, the cold path's name. */
  readonly tag?: string;
  /** Of a named deed: which one of its sort since `at`, from 1. */
  readonly number?: number;
}

/** All kinds, in order. */
export const allKinds: readonly FaultKind[] = Object.keys(faultKinds).filter(isKind);

/** Whether a text names a kind. */
export function isKind(text: string): text is FaultKind {
  return Object.hasOwn(faultKinds, text);
}

/** How often each kind struck. */
export type Injected = Readonly<Record<FaultKind, number>>;

/** A count for each kind. */
export function countAll(count: (kind: FaultKind) => number): Injected {
  const counts: Record<string, number> = {};
  for (const kind of allKinds) counts[kind] = count(kind);
  if (complete(counts)) return counts;
  throw new Error("not reached: all kinds are counted");
}

function complete(counts: Readonly<Record<string, number>>): counts is Injected {
  return allKinds.every((kind) => Object.hasOwn(counts, kind));
}

/** Kinds that make a node lose what it had made durable. */
export const amnesiac: ReadonlySet<FaultKind> = new Set([
  "old disk",
  "wiped disk",
  "lying disk",
  "bit rot",
]);

/** Kinds that there are only where messages travel over connections. */
export const ofConnections: ReadonlySet<FaultKind> = new Set([
  "reset",
  "half-open",
  "overflowing queue",
]);

/** For people. */
export function describeFault(fault: Fault): string {
  const { kind, at, nodes, others, rate, size, tag, number } = fault;
  const names = (list: readonly number[]): string => list.map((i) => `n${i + 1}`).join(",");
  const parts: string[] = [kind];
  if (tag !== undefined && tag !== "") parts.push(tag);
  if (number !== undefined) parts.push(`#${number}`);
  if (nodes !== undefined) parts.push(names(nodes));
  if (others !== undefined) parts.push(`> ${names(others)}`);
  parts.push(`at ${at} ms`);
  if (fault.for !== undefined) parts.push(`for ${fault.for} ms`);
  if (rate !== undefined) parts.push(`rate ${rate}`);
  if (size !== undefined && size !== 0) parts.push(`size ${size}`);
  return parts.join(" ");
}
