/**
 * Chaos for real: clients of three processes while the leader is killed with -9, or stands still, every few seconds. What
 * the clients saw is a history, which says whether the group was linearizable.
 *
 * - At most one member is down or stands still at a time: more is not promised to go on, though it must lose nothing.
 * - A person retires after an unknown outcome, and another one takes its place. Each value is written once.
 * - The history ends with a read of every key after all members are back.
 */

import { run } from "@kith/core";
import { real } from "@kith/node";
import type { HistoryEvent } from "@kith/testing/history";
import { type Processes, type ProcessesInit, startProcesses } from "./processes.ts";
import type { Deed } from "./registers.ts";
import { User } from "./user.ts";

/** How much chaos. */
export interface ChaosOptions {
  /** How long at least, in milliseconds; and until there were so many faults and answers. */
  readonly duration: number;
  readonly faults?: number;
  readonly answers?: number;
  /** Between two faults, on average, in milliseconds. */
  readonly every: number;
  /** How many people ask at a time; default 10. */
  readonly people?: number;
  /** Told of each fault. */
  readonly told?: (what: string) => void;
  readonly processes?: ProcessesInit;
}

/** What happened. */
export interface ChaosResult {
  readonly history: readonly HistoryEvent[];
  readonly kills: number;
  readonly pauses: number;
  /** Operations that were done, or certainly not done. */
  readonly acknowledged: number;
  readonly unknown: number;
  /** The longest time in which nothing was acknowledged, in milliseconds. */
  readonly longestGap: number;
  /** From each kill of the leader to the next acknowledged write, in milliseconds. */
  readonly failovers: readonly number[];
}

const keys = ["a", "b", "c", "d", "e"];
/** How long a person thinks between two operations. */
const thinkMs = 4;

/** Runs clients and faults. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { duration, every, people = 10, told = () => undefined } = options;
  const processes = await startProcesses(options.processes);
  const system = await run(User, { members: processes.members }, real({ log: () => undefined }));
  const chronicle = new Chronicle(system.instance);
  try {
    await chronicle.write("a");
    const end = performance.now() + duration;
    const faults = new Faults(processes, chronicle, told);
    const crowd = Array.from({ length: people }, (_, i) => chronicle.person(i));
    await faults.run(
      every,
      () =>
        performance.now() >= end &&
        faults.kills + faults.pauses >= (options.faults ?? 0) &&
        chronicle.acknowledged >= (options.answers ?? 0),
    );
    chronicle.over = true;
    await Promise.all(crowd);
    for (const key of keys) await chronicle.read(key);
    return {
      history: chronicle.events,
      kills: faults.kills,
      pauses: faults.pauses,
      acknowledged: chronicle.acknowledged,
      unknown: chronicle.unknown,
      longestGap: Math.round(chronicle.longestGap),
      failovers: faults.failovers.map(Math.round),
    };
  } finally {
    await system.stop();
    await processes.close();
  }
}

/** Asks, and writes down what was asked and what came of it. */
class Chronicle {
  readonly user: User;
  readonly events: HistoryEvent[] = [];
  /** Whether people are to come to an end. */
  over = false;
  acknowledged = 0;
  unknown = 0;
  longestGap = 0;
  lastWrite = 0;
  readonly #begin = performance.now();
  #last = NaN;
  #processes = 0;
  #values = 0;

  constructor(user: User) {
    this.user = user;
  }

  /** One after the other, until the end. */
  async person(seed: number): Promise<void> {
    let draw = seed + 1;
    const pick = (count: number): number => {
      draw = (Math.imul(draw, 1103515245) + 12345) & 0x7fffffff;
      return (draw >> 8) % count;
    };
    const seen = new Map<string, number | null>();
    let process = this.#processes++;
    while (!this.over) {
      const key = keys[pick(keys.length)] ?? "a";
      const what = pick(10);
      const known = await this.#one(process, key, what, seen);
      if (!known) {
        process = this.#processes++;
        seen.clear();
      }
      await later(thinkMs);
    }
  }

  /** Writes a value of its own to a key. */
  async write(key: string): Promise<void> {
    await this.#one(this.#processes++, key, 9, new Map());
  }

  /** Reads a key. */
  async read(key: string): Promise<void> {
    await this.#one(this.#processes++, key, 0, new Map());
  }

  /** One operation. @returns whether its outcome is known */
  async #one(
    process: number,
    key: string,
    what: number,
    seen: Map<string, number | null>,
  ): Promise<boolean> {
    if (what < 5) {
      this.#note({ process, type: "invoke", op: "read", key, value: null });
      const { outcome, value } = await this.user.look(key);
      if (outcome === "done") seen.set(key, numberOf(value));
      const type = outcome === "done" ? "ok" : "info";
      this.#note({ process, type, op: "read", key, value: numberOf(value) });
      return outcome === "done";
    }
    const to = what === 5 ? null : ++this.#values;
    const from = seen.get(key);
    const op = from !== undefined && to !== null && what < 8 ? "cas" : "write";
    const deed: Deed =
      op === "cas"
        ? { op, key, from: bytesOf(from ?? null), to: bytesOf(to) }
        : { op, key, value: bytesOf(to) };
    const value = op === "cas" ? [from, to] : to;
    this.#note({ process, type: "invoke", op, key, value });
    const { outcome } = await this.user.do(deed);
    const type = outcome === "done" ? "ok" : outcome === "not-done" ? "fail" : "info";
    this.#note({ process, type, op, key, value });
    if (type !== "info") this.lastWrite = performance.now();
    if (type === "ok") seen.set(key, to);
    else seen.delete(key);
    return type !== "info";
  }

  #note(event: Omit<HistoryEvent, "time">): void {
    const now = performance.now();
    this.events.push({ ...event, time: Math.round((now - this.#begin) * 1e6) });
    if (event.type === "invoke") return;
    if (event.type === "info") this.unknown++;
    else {
      this.acknowledged++;
      if (now - this.#last > this.longestGap) this.longestGap = now - this.#last;
      this.#last = now;
    }
  }
}

/** Kills the leader, or lets it stand still, by turns. */
class Faults {
  kills = 0;
  pauses = 0;
  readonly failovers: number[] = [];
  readonly #processes: Processes;
  readonly #chronicle: Chronicle;
  readonly #told: (what: string) => void;

  constructor(processes: Processes, chronicle: Chronicle, told: (what: string) => void) {
    this.#processes = processes;
    this.#chronicle = chronicle;
    this.#told = told;
  }

  async run(every: number, over: () => boolean): Promise<void> {
    for (let number = 0; !over(); number++) {
      await later(every / 2);
      const victim = this.#chronicle.user.target - 1;
      if (number % 2 === 0) await this.#kill(victim, every);
      else await this.#pause(victim, every);
    }
  }

  async #kill(victim: number, every: number): Promise<void> {
    this.#told(`member ${victim + 1} is killed`);
    this.kills++;
    await this.#processes.kill(victim);
    const at = performance.now();
    await later(every / 4);
    this.#processes.start(victim);
    // Also where that takes longer than the next fault would wait.
    while (this.#chronicle.lastWrite < at && performance.now() - at < 30_000) await later(1);
    this.failovers.push(this.#chronicle.lastWrite - at);
    while (!this.#processes.isUp(victim) && performance.now() - at < 30_000) await later(5);
    await later(every / 4);
  }

  async #pause(victim: number, every: number): Promise<void> {
    this.#told(`member ${victim + 1} stands still`);
    this.pauses++;
    const at = performance.now();
    this.#processes.pause(victim);
    // Until another one leads, and a while longer.
    while (this.#chronicle.lastWrite < at + 50 && performance.now() - at < 30_000) await later(5);
    await later(every / 4);
    this.#processes.resume(victim);
    this.#told(`member ${victim + 1} goes on`);
    await later(every / 4);
  }
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function bytesOf(value: number | null): Uint8Array | null {
  return value === null ? null : new TextEncoder().encode(String(value));
}

function numberOf(value: Uint8Array | null): number | null {
  return value === null ? null : Number(new TextDecoder().decode(value));
}
