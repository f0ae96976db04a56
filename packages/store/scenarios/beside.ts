/**
 * What is done to the store beside the registers and lists of the history: a bank, a counter, keys that are written once by one
 * after the other, and keys that go after a while. Each node runs some of it, and states it as facts: its history is a history of
 * its own. At the end each node reads until every judge has something to judge by, and until what goes has gone.
 */

import type { Millis } from "@kith/core";
import { Workload } from "@kith/sim/scenario";
import { Applied, Apply, type Entry, Get, Got, type Writing } from "../src/index.ts";
import { Aside, Rested } from "./facts.ts";
import { accounts, balance, counter, fleeting, onceKeys, sides } from "./keys.ts";
import { type Ended, notDone, numberBytes, numberOf, StoreUser, within } from "./user.ts";

/** Up to then a node does it, in simulated milliseconds: also a little after all has been healed. */
export const endMs = 10_300;
const periods = { bank: 600, count: 500, write: 300, read: 400, fleet: 400 };
/** A group of keys that is written at the end, when nobody dies any more: none of them is written twice. */
const lastGroup = 999;
/** Which groups of keys that are written once every node reads at the end. */
const lastGroups = [1, 2, lastGroup];
const againMs = 150;
const statedMs = 1;

/** Something that says how it has ended. */
type Deed = (then: (ended: Ended) => void) => void;

/** What is done beside. */
export class Beside extends StoreUser {
  readonly workload = this.requires(Workload);
  readonly #index: number;
  readonly #life: number;
  /** When it ends, by the clock of this life. */
  readonly #end: Millis;
  #processes = 0;
  #values = 0;
  #written = 0;
  /** About up to where keys are written. */
  #seen = 1;

  constructor({ index, time }: { readonly index: number; readonly time: Millis }) {
    super();
    this.#index = index;
    this.#end = endMs - time;
    this.#life = this.random("life").below(1_000_000);
    this.onStart(() => {
      this.#every(periods.bank, (end) => this.#bank(end));
      this.#every(periods.count, (end) => this.#count(end));
      if (index < sides) this.#every(periods.write, (end) => this.#writeOnce(end));
      this.#every(periods.read, (end) => this.#readOnce(end));
      this.#every(periods.fleet, (end) => this.#fleet(end));
      const last: Deed[] = [
        (then) => this.#readAccounts(then),
        (then) => this.#readCounter(then),
        ...lastGroups.map(
          (group): Deed =>
            (then) =>
              this.#readGroup(group, then),
        ),
        (then) => this.#readFleeting(then),
      ];
      this.later(Math.max(0, this.#end), () => {
        if (index < sides) this.#write(lastGroup, () => this.#rest(last));
        else this.#rest(last);
      });
    });
  }

  /** Does one after the other, each until it is done. */
  #rest(deeds: readonly Deed[]): void {
    const [deed, ...others] = deeds;
    if (deed === undefined) {
      this.workload.trigger(new Rested());
      return;
    }
    deed(({ type }) => {
      if (type === "ok") this.#rest(others);
      else this.later(againMs, () => this.#rest(deeds));
    });
  }

  /** Reads what goes after a while: done when all of it has gone. */
  #readFleeting(then: (ended: Ended) => void): void {
    this.look(fleeting, ({ entries = new Map<string, Entry>() }) => {
      const gone = fleeting.every((key) => entries.get(key)?.value === null);
      then({ type: gone ? "ok" : "fail" });
    });
  }

  /** Does something again and again, each time when the last has ended. */
  #every(mean: number, what: (end: () => void) => void): void {
    const again = (): void => {
      if (this.clock.monotonic > this.#end) return;
      const wait = mean * (0.2 + 1.6 * this.random("wait").float());
      this.later(wait, () => what(again));
    };
    again();
  }

  #bank(end: () => void): void {
    const draw = this.random("bank");
    if (draw.chance(0.3)) return this.#readAccounts(end);
    const [from = "", to = ""] = draw.shuffle(accounts);
    const amount = draw.between(1, 30);
    const told = this.#invoke("txn", [["r", from, null]]);
    return this.transact(
      {
        keys: [from, to],
        writes: (entries) => {
          const left = balanceOf(entries.get(from)) - amount;
          if (left < 0) return null;
          return [putting(from, left), putting(to, balanceOf(entries.get(to)) + amount)];
        },
      },
      (ended) => {
        told(ended, [["r", from, balanceOf(ended.entries?.get(from))]]);
        end();
      },
    );
  }

  #readAccounts(then: (ended: Ended) => void): void {
    const told = this.#invoke(
      "txn",
      accounts.map((key) => ["r", key, null]),
    );
    this.look(accounts, (ended) => {
      told(
        ended,
        accounts.map((key) => ["r", key, balanceOf(ended.entries?.get(key))]),
      );
      then(ended);
    });
  }

  #count(end: () => void): void {
    const draw = this.random("count");
    if (draw.chance(0.4)) return this.#readCounter(end);
    const amount = draw.between(1, 5);
    const told = this.#invoke("add", amount, counter);
    const updates = [{ kind: "add", key: counter, delta: BigInt(amount) } as const];
    return this.#apply(new Apply({ updates, within }), (ended) => {
      told(ended, amount);
      end();
    });
  }

  #readCounter(then: (ended: Ended) => void): void {
    const told = this.#invoke("read", null, counter);
    this.ask(new Get({ key: counter, within }), (answer) => {
      const ended: Ended = answer instanceof Got ? { type: "ok" } : notDone(answer);
      told(ended, answer instanceof Got ? numberOf(answer.entry) : null);
      then(ended);
    });
  }

  /** A key that nobody has written before: about where the readers are. */
  #writeOnce(end: () => void): void {
    const group = Math.max(this.#written + 1, this.#seen);
    this.#written = group;
    this.#write(group, end);
  }

  #write(group: number, end: () => void): void {
    const key = onceKeys(group)[this.#index] ?? "";
    const value = this.#life * 1000 + group;
    const told = this.#invoke("txn", [["w", key, value]]);
    this.transact(
      { keys: [key], writes: (entries) => (absent(entries, key) ? [putting(key, value)] : null) },
      (ended) => {
        told(ended, [["w", key, value]]);
        end();
      },
    );
  }

  #readOnce(end: () => void): void {
    const group = Math.max(1, this.#seen - this.random("group").below(3));
    this.#readGroup(group, ({ type, entries = new Map<string, Entry>() }) => {
      // Who comes later catches up in larger steps.
      if (type === "ok" && onceKeys(group).every((key) => !absent(entries, key)))
        this.#seen = Math.max(this.#seen, group + (group < this.#seen ? 0 : 2));
      end();
    });
  }

  #readGroup(group: number, then: (ended: Ended) => void): void {
    const keys = onceKeys(group);
    const told = this.#invoke(
      "txn",
      keys.map((key) => ["r", key, null]),
    );
    this.look(keys, (ended) => {
      told(
        ended,
        keys.map((key) => ["r", key, numberOf(ended.entries?.get(key))]),
      );
      then(ended);
    });
  }

  #fleet(end: () => void): void {
    const draw = this.random("fleet");
    const key = draw.pick(fleeting);
    if (draw.chance(0.5)) {
      const told = this.#invoke("read", null, key);
      return this.ask(new Get({ key, within }), (answer) => {
        if (answer instanceof Got) told({ type: "ok" }, numberOf(answer.entry));
        else told(notDone(answer), null);
        end();
      });
    }
    const lives = draw.between(50, 1000);
    const value = (this.#life * 1000 + ++this.#values) * 10 + this.#index;
    const told = this.#invoke("put", [value, lives], key);
    const update = { kind: "put", key, value: numberBytes(value), expiry: lives } as const;
    return this.#apply(new Apply({ updates: [update], within }), (ended) => {
      told(ended, [value, lives]);
      end();
    });
  }

  /** A moment later: a crash takes along what was stated in its very instant, and would leave what was sent then. */
  #apply(what: Apply, then: (ended: Ended) => void): void {
    this.later(statedMs, () =>
      this.ask(what, (answer) =>
        then(answer instanceof Applied ? { type: "ok" } : notDone(answer)),
      ),
    );
  }

  #invoke(op: string, value: unknown, key?: string): (ended: Ended, value: unknown) => void {
    const process = (this.#life * 1000 + ++this.#processes) * 10 + this.#index;
    const about = { process, op, ...(key === undefined ? {} : { key }) };
    this.workload.trigger(new Aside({ ...about, type: "invoke", value }));
    return ({ type }, seen) =>
      this.workload.trigger(new Aside({ ...about, type, value: type === "ok" ? seen : value }));
  }
}

function absent(entries: ReadonlyMap<string, Entry>, key: string): boolean {
  return (entries.get(key)?.value ?? null) === null;
}

function balanceOf(entry: Entry | undefined): number {
  return numberOf(entry) ?? balance;
}

function putting(key: string, value: number): Writing {
  return { key, write: { kind: "put", value: numberBytes(value), expiry: "never" } };
}
