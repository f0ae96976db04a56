/**
 * What clients saw of keys that go after a while: each value that is read was written; what has gone does not come back; and
 * nothing goes before its time.
 */

import type { HistoryEvent } from "@kith/sim/scenario";

/** A value that was written, and how long it was to live. */
interface Write {
  readonly value: number;
  readonly lives: number;
  readonly invoked: number;
  /** Infinite where nobody knows whether it was written. */
  readonly returned: number;
}

interface Read {
  readonly value: number | null;
  readonly invoked: number;
  readonly returned: number;
}

/** Clocks differ by so much at most. */
const drift = 0.001;

/** Says what is wrong. The operations are `put`, of a value and its time in milliseconds, and `read`. */
export function revived(history: readonly HistoryEvent[]): string | undefined {
  const open = new Map<number, HistoryEvent>();
  const writes = new Map<string, Write[]>();
  const reads = new Map<string, Read[]>();
  const wrote = (begin: HistoryEvent, returned: number): void => {
    const [value = 0, lives = 0]: number[] = Array.isArray(begin.value)
      ? begin.value.map(Number)
      : [];
    const one = { value, lives, invoked: begin.time, returned };
    writes.set(begin.key ?? "", [...(writes.get(begin.key ?? "") ?? []), one]);
  };
  for (const one of history) {
    const { process, type, op, key = "", value } = one;
    const begin = open.get(process);
    open.delete(process);
    if (type === "invoke") open.set(process, one);
    if (type === "invoke" || begin === undefined) continue;
    if (op === "put") {
      if (type === "ok") wrote(begin, one.time);
      else if (type === "info") wrote(begin, Infinity);
    } else if (type === "ok") {
      const read = { value: typeof value === "number" ? value : null };
      const all = reads.get(key) ?? [];
      reads.set(key, [...all, { ...read, invoked: begin.time, returned: one.time }]);
    }
  }
  for (const begin of open.values()) if (begin.op === "put") wrote(begin, Infinity);
  for (const [key, seen] of reads) {
    const wrong = complaintAbout(writes.get(key) ?? [], seen);
    if (wrong !== undefined) return `${key}: ${wrong}`;
  }
  return undefined;
}

function complaintAbout(writes: readonly Write[], reads: readonly Read[]): string | undefined {
  for (const { value, invoked, returned, lives } of writes) {
    // From when on it has certainly gone: another one was written behind it, or something else was read.
    const others = [
      ...writes.filter((one) => one.invoked > returned).map((one) => one.returned),
      ...reads
        .filter((one) => one.invoked > returned && one.value !== value)
        .map((one) => one.returned),
    ];
    const gone = Math.min(Infinity, ...others);
    for (const read of reads) {
      if (read.value !== value) continue;
      if (read.returned < invoked) return `${value} was read before it was written.`;
      if (read.invoked > gone) return `${value} was read when it had gone.`;
    }
    for (const read of reads) {
      if (read.value !== null || read.invoked < returned) continue;
      if (read.returned >= invoked + lives * 1e6 * (1 - drift)) continue;
      const alone = writes.every(
        (one) => one.value === value || one.returned < invoked || one.invoked > read.returned,
      );
      if (alone) return `${value} went before its time.`;
    }
  }
  for (const { value } of reads)
    if (value !== null && !writes.some((one) => one.value === value))
      return `${value} was read, which was not written.`;
  return undefined;
}
