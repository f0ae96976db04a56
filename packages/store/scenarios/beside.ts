/**
 * What is done to the store beside the registers and lists of the history: a bank, a counter, and keys that are written once
 * by one after the other. Each node runs some of it, and states it as facts: its history is a history of its own.
 */

import { Workload } from "@kith/sim/scenario";
import { Applied, Apply, type Entry, Get, Got, type Writing } from "../src/index.ts";
import { Aside } from "./facts.ts";
import { accounts, balance, counter, onceKeys, sides } from "./keys.ts";
import { type Ended, notDone, numberBytes, numberOf, StoreUser, within } from "./user.ts";

/** So long a node does it, in each of its lives: also a while after all has been healed. */
export const lifeMs = 12_500;
const periods = { bank: 300, count: 300, write: 250, read: 300 };

/** What is done beside. */
export class Beside extends StoreUser {
  readonly workload = this.requires(Workload);
  readonly #index: number;
  readonly #life: number;
  #processes = 0;
  #written = 0;
  /** About up to where keys are written. */
  #seen = 1;

  constructor({ index }: { readonly index: number }) {
    super();
    this.#index = index;
    this.#life = this.random("life").below(1_000_000);
    this.onStart(() => {
      this.#every(periods.bank, (end) => this.#bank(end));
      this.#every(periods.count, (end) => this.#count(end));
      if (index < sides) this.#every(periods.write, (end) => this.#writeOnce(end));
      this.#every(periods.read, (end) => this.#readOnce(end));
    });
  }

  /** Does something again and again, each time when the last has ended. */
  #every(mean: number, what: (end: () => void) => void): void {
    const again = (): void => {
      if (this.clock.monotonic > lifeMs) return;
      const wait = mean * (0.2 + 1.6 * this.random("wait").float());
      this.later(wait, () => what(again));
    };
    again();
  }

  #bank(end: () => void): void {
    const draw = this.random("bank");
    if (draw.chance(0.3)) {
      const value = accounts.map((key) => ["r", key, null]);
      const told = this.#invoke("txn", value);
      return this.look(accounts, (ended) => {
        const read = accounts.map((key) => ["r", key, balanceOf(ended.entries?.get(key))]);
        told(ended, read);
        end();
      });
    }
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

  #count(end: () => void): void {
    const draw = this.random("count");
    if (draw.chance(0.4)) {
      const told = this.#invoke("read", null, counter);
      return this.ask(new Get({ key: counter, within }), (answer) => {
        if (answer instanceof Got) told({ type: "ok" }, numberOf(answer.entry));
        else told(notDone(answer), null);
        end();
      });
    }
    const amount = draw.between(1, 5);
    const told = this.#invoke("add", amount, counter);
    const updates = [{ kind: "add", key: counter, delta: BigInt(amount) } as const];
    return this.ask(new Apply({ updates, within }), (answer) => {
      told(answer instanceof Applied ? { type: "ok" } : notDone(answer), amount);
      end();
    });
  }

  /** A key that nobody has written before: about where the readers are. */
  #writeOnce(end: () => void): void {
    const group = Math.max(this.#written + 1, this.#seen);
    this.#written = group;
    const key = onceKeys(group)[this.#index] ?? "";
    const value = this.#life * 1000 + group;
    const told = this.#invoke("txn", [["w", key, value]]);
    return this.transact(
      { keys: [key], writes: (entries) => (absent(entries, key) ? [putting(key, value)] : null) },
      (ended) => {
        told(ended, [["w", key, value]]);
        end();
      },
    );
  }

  #readOnce(end: () => void): void {
    const group = Math.max(1, this.#seen - this.random("group").below(3));
    const keys = onceKeys(group);
    const told = this.#invoke(
      "txn",
      keys.map((key) => ["r", key, null]),
    );
    return this.look(keys, (ended) => {
      const read = keys.map((key) => ["r", key, numberOf(ended.entries?.get(key))]);
      told(ended, read);
      // Who comes later catches up in larger steps.
      if (ended.type === "ok" && read.every(([, , value]) => value !== null))
        this.#seen = Math.max(this.#seen, group + (group < this.#seen ? 0 : 2));
      end();
    });
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
