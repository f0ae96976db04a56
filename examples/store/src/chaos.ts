/**
 * Chaos for real: clients of a store in three processes while members are killed with -9 or stand still. What the clients saw
 * is a history: registers that have to be linearizable, and lists that transactions append to, which have to be
 * strictly serializable.
 *
 * - A person retires after an unknown outcome, and another one takes its place. Each value is written once.
 * - Lists are left for new ones after a while, as what a transaction reads would grow without end.
 * - The history ends with a read of everything that was used last, after all members are back.
 */

import { run } from "@kith/core";
import type { Processes } from "@kith/example-group";
import { real } from "@kith/node";
import { bytesText, textBytes } from "@kith/paxos";
import {
  Aborted,
  Applied,
  Apply,
  Busy,
  Commit,
  Committed,
  Entries,
  Get,
  Got,
  GroupSplit,
  NotDone,
  Put,
  Read,
  Refused,
  Written,
} from "@kith/store";
import type { HistoryEvent } from "@kith/testing/history";
import { groupCount, middleOf } from "./layout.ts";
import { startStore } from "./processes.ts";
import { StoreUser } from "./user.ts";

/** How much chaos. Times in milliseconds. */
export interface ChaosOptions {
  /** How long at least; and until so much was acknowledged. */
  readonly duration: number;
  readonly answers: number;
  /** Between two kills, on average. */
  readonly every: number;
  /** How long most members stand still, once, and then the leader of most groups alone. */
  readonly pause: number;
  /** How many people ask at a time; default 64. */
  readonly people?: number;
  /** Told of each fault. */
  readonly told?: (what: string) => void;
  /** The members' program as one JavaScript file; default that of this example. */
  readonly program?: string;
}

/** What happened. */
export interface ChaosResult {
  readonly history: readonly HistoryEvent[];
  readonly kills: number;
  readonly splits: number;
  /** Operations that were done, or certainly not done. */
  readonly acknowledged: number;
  readonly unknown: number;
  /** What was read or written while most members stood still: nothing may be. */
  readonly servedByFew: number;
  /** What was while the leader of most groups alone stood still: others have taken its place. */
  readonly servedBeside: number;
  /** How much was acknowledged a second, while nobody stood still on purpose. */
  readonly perSecond: number;
}

type Outcome = "ok" | "fail" | "info";

const registers = Array.from({ length: 48 }, (_, i) => `r${i}`);
const lists = Array.from({ length: 24 }, (_, i) => `l${i}`);
const listTransactions = 1000;
const within = 5000;

/** Runs clients and faults. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { told = () => undefined, people = 64, program } = options;
  const processes = await startStore(program === undefined ? {} : { program });
  const system = await run(
    StoreUser,
    { members: processes.members },
    real({ log: () => undefined }),
  );
  const chronicle = new Chronicle(system.instance);
  const faults = new Faults(processes, chronicle, told);
  try {
    await chronicle.first();
    const begin = performance.now();
    const crowd = Array.from({ length: people }, (_, i) => chronicle.person(i));
    await faults.run(
      options,
      () =>
        performance.now() >= begin + options.duration && chronicle.acknowledged >= options.answers,
    );
    chronicle.over = true;
    await Promise.all(crowd);
    await chronicle.last();
    const { events: history, acknowledged, unknown } = chronicle;
    const { kills, splits, servedByFew, servedBeside, stoodMs } = faults;
    const seconds = (performance.now() - begin - stoodMs) / 1000;
    const perSecond = Math.round(acknowledged / seconds);
    const counts = { kills, splits, acknowledged, unknown, servedByFew, servedBeside, perSecond };
    return { history, ...counts };
  } finally {
    await system.stop();
    await processes.close();
  }
}

/** Asks, and writes down what was asked and what came of it. */
class Chronicle {
  readonly user: StoreUser;
  readonly events: HistoryEvent[] = [];
  /** Whether people are to come to an end. */
  over = false;
  acknowledged = 0;
  unknown = 0;
  /** How much was certainly read or written. */
  served = 0;
  readonly #begin = performance.now();
  #processes = 0;
  #values = 0;
  #transactions = 0;

  constructor(user: StoreUser) {
    this.user = user;
  }

  /** Waits until the store answers. */
  async first(): Promise<void> {
    for (let tries = 0; tries < 100; tries++)
      if ((await this.#write(this.#processes++, "r0")) === "ok") return;
    throw new Error("the store does not answer");
  }

  /** Reads everything. */
  async last(): Promise<void> {
    for (const key of registers)
      for (let tries = 0; tries < 20; tries++)
        if ((await this.#look(this.#processes++, key)) === "ok") break;
    for (let tries = 0; tries < 20; tries++)
      if ((await this.#readLists(this.#processes++, lists)) === "ok") break;
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
      const outcome = await this.#one(process, pick, seen);
      if (outcome !== "info") continue;
      process = this.#processes++;
      seen.clear();
    }
  }

  #one(
    process: number,
    pick: (count: number) => number,
    seen: Map<string, number | null>,
  ): Promise<Outcome> {
    const key = registers[pick(registers.length)] ?? "r0";
    const what = pick(100);
    if (what < 30) return this.#look(process, key, seen);
    if (what < 50) return this.#write(process, key, seen);
    const from = seen.get(key);
    if (what < 60 && typeof from === "number") return this.#swap(process, key, from, seen);
    const count = 1 + pick(3);
    const some = Array.from({ length: count }, () => lists[pick(lists.length)] ?? "l0");
    const chosen = [...new Set(some)];
    return what < 70 ? this.#readLists(process, chosen) : this.#append(process, chosen);
  }

  async #look(process: number, key: string, seen?: Map<string, number | null>): Promise<Outcome> {
    const note = this.#asks(process, "read", { key, value: null });
    const answer = await this.user.ask(new Get({ key, within }));
    if (!(answer instanceof Got)) return note(certain(outcomeOf(answer)));
    const { value: bytes } = answer.entry;
    const value = bytes === null ? null : Number(bytesText(bytes));
    seen?.set(key, value);
    return note("ok", value);
  }

  async #write(process: number, key: string, seen?: Map<string, number | null>): Promise<Outcome> {
    const value = ++this.#values;
    const note = this.#asks(process, "write", { key, value });
    const answer = await this.user.ask(new Put({ key, value: textBytes(`${value}`), within }));
    seen?.delete(key);
    if (answer instanceof Written) seen?.set(key, value);
    return note(answer instanceof Written ? "ok" : outcomeOf(answer), value);
  }

  async #swap(
    process: number,
    key: string,
    from: number,
    seen: Map<string, number | null>,
  ): Promise<Outcome> {
    const to = ++this.#values;
    const note = this.#asks(process, "cas", { key, value: [from, to] });
    const when = { kind: "value", value: textBytes(`${from}`) } as const;
    const updates = [{ kind: "put", key, value: textBytes(`${to}`), when } as const];
    const answer = await this.user.ask(new Apply({ updates, within }));
    seen.delete(key);
    if (answer instanceof Applied) seen.set(key, to);
    return note(answer instanceof Applied ? "ok" : outcomeOf(answer), [from, to]);
  }

  async #readLists(process: number, chosen: readonly string[]): Promise<Outcome> {
    const keys = this.#age(chosen);
    const note = this.#asks(process, "txn", { value: keys.map((key) => ["r", key, null]) });
    const answer = await this.user.ask(new Read({ keys, within }));
    if (!(answer instanceof Entries)) return note(certain(outcomeOf(answer)));
    return note(
      "ok",
      answer.entries.map(({ key, value }) => ["r", key, listOf(value)]),
    );
  }

  /** Appends to all of some lists, and tells what was there before. */
  async #append(process: number, chosen: readonly string[]): Promise<Outcome> {
    const keys = this.#age(chosen);
    const values = keys.map(() => ++this.#values);
    this.#transactions++;
    const steps = (read: (key: string) => unknown): unknown[] =>
      keys.flatMap((key, i) => [
        ["r", key, read(key)],
        ["append", key, values[i]],
      ]);
    const note = this.#asks(process, "txn", { value: steps(() => null) });
    for (let attempt = 0; attempt < 8; attempt++) {
      const seen = await this.user.ask(new Read({ keys, apart: true, attempt, within }));
      if (!(seen instanceof Entries)) return note("fail");
      const before = new Map(seen.entries.map(({ key, value }) => [key, listOf(value)]));
      const writes = keys.map((key, i) => {
        const value = textBytes([...(before.get(key) ?? []), values[i]].join(" "));
        return { key, write: { kind: "put", value, expiry: "never" } } as const;
      });
      const reads = seen.entries.map(({ key, version }) => ({ key, version }));
      const answer = await this.user.ask(new Commit({ reads, writes, within }));
      if (answer instanceof Committed)
        return note(
          "ok",
          steps((key) => before.get(key)),
        );
      if (!(answer instanceof Aborted)) return note(outcomeOf(answer));
      await later(2 ** attempt);
    }
    return note("fail");
  }

  /** Lists by the names that they have now. */
  #age(chosen: readonly string[]): string[] {
    const age = Math.floor(this.#transactions / listTransactions);
    return chosen.map((key) => `${key}.${age}`);
  }

  #asks(
    process: number,
    op: string,
    what: { readonly key?: string; readonly value: unknown },
  ): (outcome: Outcome, value?: unknown) => Outcome {
    this.#note({ process, type: "invoke", op, ...what });
    return (type, value) => {
      this.#note({ process, type, op, ...what, ...(value === undefined ? {} : { value }) });
      if (type === "info") this.unknown++;
      else this.acknowledged++;
      if (type === "ok") this.served++;
      return type;
    };
  }

  #note(event: Omit<HistoryEvent, "time">): void {
    this.events.push({ ...event, time: Math.round((performance.now() - this.#begin) * 1e6) });
  }
}

/** Kills members, splits groups, and lets members stand still. */
class Faults {
  kills = 0;
  splits = 0;
  servedByFew = 0;
  servedBeside = 0;
  /** How long members stood still on purpose. */
  stoodMs = 0;
  readonly #processes: Processes;
  readonly #chronicle: Chronicle;
  readonly #told: (what: string) => void;

  constructor(processes: Processes, chronicle: Chronicle, told: (what: string) => void) {
    this.#processes = processes;
    this.#chronicle = chronicle;
    this.#told = told;
  }

  async run({ every, pause }: ChaosOptions, over: () => boolean): Promise<void> {
    await later(every / 2);
    await this.#split();
    await this.#kill(0, every);
    await this.#fewLeft(pause);
    await this.#leaderStands(pause);
    for (let number = 1; !over(); number++) {
      await this.#kill(number % 3, every);
      if (number < groupCount) await this.#split();
    }
  }

  async #kill(victim: number, every: number): Promise<void> {
    this.#told(`member ${victim + 1} is killed`);
    this.kills++;
    await this.#processes.kill(victim);
    await later(every / 2);
    this.#processes.start(victim);
    await this.#until(() => this.#processes.isUp(victim));
    await this.#goesOn();
    await later(every / 2);
  }

  /** Two of three stand still: the third one must neither read nor write. */
  async #fewLeft(pause: number): Promise<void> {
    this.#told("members 1 and 2 stand still");
    for (const index of [0, 1]) this.#processes.pause(index);
    // What they have answered before is on its way yet.
    await later(200);
    const before = this.#chronicle.served;
    await later(pause);
    this.stoodMs += pause;
    this.servedByFew += this.#chronicle.served - before;
    for (const index of [0, 1]) this.#processes.resume(index);
    this.#told("they go on");
    await this.#goesOn();
  }

  /** The member that leads most groups stands still, and no other: they go on with new leaders. */
  async #leaderStands(pause: number): Promise<void> {
    const led = [0, 1, 2].map(
      (index) =>
        [...this.#chronicle.user.asked.values()].filter((peerId) => peerId === index + 1).length,
    );
    const index = led.indexOf(Math.max(...led));
    this.#told(`member ${index + 1}, which leads ${led[index]} groups, stands still`);
    this.#processes.pause(index);
    await later(200);
    const before = this.#chronicle.served;
    await later(pause);
    this.stoodMs += pause;
    // It comes back when the others have gone on without it, however long that takes here.
    await this.#until(() => this.#chronicle.served > before);
    this.servedBeside += this.#chronicle.served - before;
    this.#processes.resume(index);
    this.#told(`it goes on; the others have done ${this.servedBeside} meanwhile`);
    await this.#goesOn();
  }

  async #split(): Promise<void> {
    const { user } = this.#chronicle;
    const answer = await user.split(`store-${this.splits}`, middleOf(this.splits));
    if (!(answer instanceof GroupSplit)) return;
    this.#told(`store-${this.splits} is split`);
    this.splits++;
  }

  /** Until clients are served again. */
  async #goesOn(): Promise<void> {
    const { served } = this.#chronicle;
    await this.#until(() => this.#chronicle.served > served + 20);
  }

  async #until(holds: () => boolean): Promise<void> {
    const end = performance.now() + 60_000;
    while (!holds()) {
      if (performance.now() > end) throw new Error("nothing goes on");
      await later(5);
    }
  }
}

/** What an answer that is no success says. */
function outcomeOf(answer: object): Outcome {
  const certainly =
    answer instanceof Busy ||
    answer instanceof NotDone ||
    answer instanceof Refused ||
    answer instanceof Aborted;
  return certainly ? "fail" : "info";
}

/** What changes nothing certainly has not. */
function certain(outcome: Outcome): Outcome {
  return outcome === "info" ? "fail" : outcome;
}

function listOf(value: Uint8Array | null): number[] {
  return value === null || value.length === 0 ? [] : bytesText(value).split(" ").map(Number);
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
