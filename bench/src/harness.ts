/**
 * How a case is measured, inside a process of its own: a warm-up, then several rounds, of which the
 * process reports the median in CPU time and in wall time. The runner interleaves the processes of
 * all cases, so that a slow moment of the machine hits them alike.
 */

import { cpuUsage } from "node:process";

/** One case: does `count` operations, and resolves when all of them are done. */
export interface Case {
  /** What is counted, for the table: `event`, `delivery`, `component`. */
  readonly unit: string;
  /** Operations a round. */
  readonly count: number;
  /** Rounds that are measured, after as many that are not; 1 with `cold`. */
  readonly rounds?: number;
  /** Measures the first round, in a process that has done nothing before. */
  readonly cold?: boolean;
  /** The heap that its process may use, in megabytes, where the host's default is too small. */
  readonly heapMegabytes?: number;
  /** Builds what is measured; its cost is not. */
  prepare?(): Promise<void>;
  run(count: number): void | Promise<void>;
  /** The CPU time that other processes have taken for it so far, in ns; it is added to that of this one. */
  others?(): number;
  /** Facts beside the time, read after the last round. */
  facts?(): Readonly<Record<string, number>>;
}

/** What a process reports. */
export interface Measured {
  readonly unit: string;
  readonly cpuNs: number;
  readonly wallNs: number;
  readonly facts: Readonly<Record<string, number>>;
}

/** Runs one case in this process. */
export async function measure(one: Case): Promise<Measured> {
  await one.prepare?.();
  const rounds = one.cold === true ? 1 : (one.rounds ?? 5);
  if (one.cold !== true) for (let i = 0; i < 2; i++) await one.run(one.count);
  const cpu: number[] = [];
  const wall: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const others = one.others?.() ?? 0;
    const before = cpuUsage();
    const begin = performance.now();
    await one.run(one.count);
    const used = cpuUsage(before);
    wall.push(((performance.now() - begin) * 1e6) / one.count);
    const more = (one.others?.() ?? 0) - others;
    cpu.push(((used.user + used.system) * 1e3 + more) / one.count);
  }
  return { unit: one.unit, cpuNs: median(cpu), wallNs: median(wall), facts: one.facts?.() ?? {} };
}

/** The middle value. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? NaN)
    : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}
