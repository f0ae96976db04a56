/**
 * Decides a register whose values are written once, in the time of a sort, whatever the concurrency and however
 * many outcomes are unknown. The idea is that of Gibbons and Korach ("Testing shared memories", 1997),
 * carried over to compare-and-set.
 *
 * As each value is written once, a write, the reads of its value and the compare-and-set that takes it
 * away, with the reads of the next value and so on, stand side by side in every order of the operations: nothing
 * else fits between them. They make a *block*, whose inner order is given. Block A has to stand before
 * B when an operation of A returns before one of B is called, that is when `first(A) < last(B)`, where
 * `first` is the earliest return in the block and `last` the latest call. An order exists when each
 * block fits in itself and no two have to stand before each other; longer circles always hold such
 * a pair. So a block is either the zone from `first` to `last`, in which no other may lie and which no
 * other zone may overlap, or (`last` before `first`) can be put at a point.
 */

import { ABSENT, NOTHING, type Prepared } from "./register.ts";

/** The answer: null where there is an order; otherwise operations among which the reason is. */
export interface Misfit {
  readonly anomaly: string;
  readonly sentence: string;
  readonly among: readonly Prepared[];
}

interface Block {
  readonly first: number;
  readonly last: number;
  readonly members: readonly Prepared[];
}

/** Whether no value is written twice and none deleted, so that `misfit` can decide. */
export function isWrittenOnce(all: readonly Prepared[]): boolean {
  const written = new Set<number>([ABSENT]);
  for (const { writes } of all) {
    if (writes === NOTHING) continue;
    if (written.has(writes)) return false;
    written.add(writes);
  }
  return true;
}

/** What keeps these operations from having an order, where every value is written once. */
export function misfit(all: readonly Prepared[]): Misfit | null {
  const found = find(all);
  return found === null ? null : { ...found, among: withObservers(all, found.among) };
}

function find(all: readonly Prepared[]): Misfit | null {
  const writers = new Map<number, Prepared>();
  const readers = new Map<number, Prepared[]>();
  const takers = new Map<number, Prepared>();
  for (const one of all) if (one.writes !== NOTHING) writers.set(one.writes, one);
  for (const one of all) {
    if (one.expects === NOTHING) continue;
    const writer = writers.get(one.expects);
    if (writer === undefined && one.expects !== ABSENT) {
      return {
        anomaly: "unwritten value",
        sentence: "A value was seen that nobody wrote, or whose write failed.",
        among: [one],
      };
    }
    if (one.writes === NOTHING) {
      const others = readers.get(one.expects);
      if (others === undefined) readers.set(one.expects, [one]);
      else others.push(one);
      continue;
    }
    const other = takers.get(one.expects);
    if (other !== undefined) {
      return {
        anomaly: "lost update",
        sentence: "Two operations replaced the same value, which was written once.",
        among: writer === undefined ? [other, one] : [writer, other, one],
      };
    }
    takers.set(one.expects, one);
  }

  const blocks: Block[] = [];
  let chained = 0;
  for (const begin of [null, ...all]) {
    if (begin !== null && (begin.writes === NOTHING || begin.expects !== NOTHING)) continue;
    const members: Prepared[] = begin === null ? [] : [begin];
    // The value that is there before the first event: as if written, and done, before all.
    let last = begin === null ? -1 : begin.invoked;
    let first = begin === null ? -1 : begin.returned;
    let value = begin === null ? ABSENT : begin.writes;
    for (;;) {
      const reads = readers.get(value) ?? [];
      const next = takers.get(value);
      const before = last;
      for (const read of reads) {
        if (read.returned < before) return reversed(members, read);
        members.push(read);
        first = Math.min(first, read.returned);
        last = Math.max(last, read.invoked);
      }
      if (next === undefined) break;
      if (next.returned < last) return reversed(members, next);
      members.push(next);
      first = Math.min(first, next.returned);
      last = Math.max(last, next.invoked);
      value = next.writes;
      chained++;
    }
    blocks.push({ first, last, members });
  }
  if (chained < takers.size) {
    return {
      anomaly: "unwritten value",
      sentence: "Values were taken from each other in a circle, so that none can have been first.",
      among: [...takers.values()],
    };
  }
  return overlapping(blocks);
}

/** An operation that returned before one was called that has to stand before it. */
function reversed(members: readonly Prepared[], late: Prepared): Misfit {
  return {
    anomaly: "value from the future",
    sentence: "An operation returned before one was called that must have come before it.",
    among: [...members, late],
  };
}

/** Adds what shows that those of them which need not happen did happen. */
function withObservers(all: readonly Prepared[], among: readonly Prepared[]): Prepared[] {
  const together = new Set(among);
  const due = among.filter(({ returned }) => returned === Infinity);
  if (due.length === 0) return [...together];
  const observers = new Map<number, Prepared[]>();
  for (const one of all) {
    const others = observers.get(one.expects);
    if (others === undefined) observers.set(one.expects, [one]);
    else others.push(one);
  }
  for (let one = due.pop(); one !== undefined; one = due.pop()) {
    for (const observer of observers.get(one.writes) ?? []) {
      if (together.has(observer)) continue;
      together.add(observer);
      if (observer.returned === Infinity) due.push(observer);
    }
  }
  return [...together];
}

function overlapping(blocks: readonly Block[]): Misfit | null {
  const zones = blocks.filter(({ first, last }) => first < last).sort((a, b) => a.first - b.first);
  let before: Block | undefined;
  for (const zone of zones) {
    if (before !== undefined && zone.first < before.last) return interleaved(before, zone);
    before = zone;
  }
  for (const point of blocks) {
    if (point.first < point.last) continue;
    const zone = lastBefore(zones, point.last);
    if (zone !== undefined && point.first < zone.last) return interleaved(zone, point);
  }
  return null;
}

/** The last zone that begins before this position. Zones are in order and do not overlap. */
function lastBefore(zones: readonly Block[], position: number): Block | undefined {
  let low = 0;
  let high = zones.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((zones[middle]?.first ?? Infinity) < position) low = middle + 1;
    else high = middle;
  }
  return zones[low - 1];
}

function interleaved(a: Block, b: Block): Misfit {
  return {
    anomaly: "stale value",
    sentence:
      "A value was seen after another one had taken its place, or not seen when it was there.",
    among: [...a.members, ...b.members],
  };
}
