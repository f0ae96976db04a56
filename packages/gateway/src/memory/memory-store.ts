/**
 * A Store in the memory of one process: the real client of the store and its real machine, without peers, disks and
 * consensus between them. For tests of what stands on a Store, for benchmarks, and to try something.
 */

import { Component } from "@kith/core";
import { Execute, Executed, Inquire, Know, Replicated, type TableWriter } from "@kith/paxos";
import {
  answer,
  applyCommand,
  type Command,
  decodeCommand,
  decodeQuery,
  type Descriptor,
  encodeAnswer,
  encodeResult,
  StoreClient,
} from "@kith/store";

/** The init of a store in memory. Plain data. */
export interface MemoryStoreInit {
  /** Where groups begin, as positions; default one group. The first one is the empty string. */
  readonly bounds?: readonly string[];
  /** Whether keys lie in their own order; default false. */
  readonly ordered?: boolean;
}

/** Provides Store. What is in it is lost when it ends. */
export class MemoryStore extends Component {
  readonly client;
  readonly store;

  constructor({ bounds = [""], ordered = false }: MemoryStoreInit = {}) {
    super();
    const descriptors = bounds.map((lo, i) => ({
      gid: `g${i}`,
      epoch: 1,
      lo,
      hi: bounds[i + 1] ?? null,
    }));
    const groups = descriptors.map((descriptor) => ({ descriptor, members: [] }));
    const memory = this.create(MemoryGroups, { descriptors, ordered }, { name: "groups" });
    this.client = this.create(StoreClient, { groups, ordered }, { name: "client" });
    this.connect(memory.ports.replicated, this.client.ports.replicated);
    this.store = this.exposes(this.client.ports.store);
  }
}

/** Groups of which each is one table, and which nobody replicates. */
class MemoryGroups extends Component {
  readonly replicated = this.provides(Replicated);
  readonly #groups = new Map<string, Group>();

  constructor({
    descriptors,
    ordered,
  }: {
    readonly descriptors: readonly Descriptor[];
    readonly ordered: boolean;
  }) {
    super();
    for (const { gid, lo, hi } of descriptors) {
      const group = { table: new MemoryTable(), index: 0 };
      this.#groups.set(gid, group);
      apply(group, { kind: "found", gid, ordered, lo, hi }, 0);
    }
    this.replicated.on(Know, () => undefined);
    this.replicated.on(Execute, ({ gid, command }, token) => {
      const group = this.#group(gid);
      this.#expire(group);
      const result = apply(group, decodeCommand(command), this.clock.monotonic);
      this.replicated.reply(token, new Executed({ result }));
    });
    this.replicated.on(Inquire, ({ gid, query }, token) => {
      const group = this.#group(gid);
      this.#expire(group);
      const place = { time: this.clock.monotonic, index: group.index };
      const found = answer(group.table, decodeQuery(query), place);
      this.replicated.reply(token, new Executed({ result: encodeAnswer(found) }));
    });
  }

  #group(gid: string): Group {
    const group = this.#groups.get(gid);
    if (group === undefined) throw new Error(`There is no group ${gid}.`);
    return group;
  }

  /** What is due goes at once: in a group of peers its leader takes care of that. */
  #expire(group: Group): void {
    const at = this.clock.monotonic;
    if (!group.table.has("e")) return;
    const due = answer(group.table, { kind: "due", at, limit: 1000 }, { time: at, index: 0 });
    if (due.kind === "keys" && due.keys.length > 0)
      apply(group, { kind: "expire", keys: due.keys }, at);
  }
}

interface Group {
  readonly table: MemoryTable;
  index: number;
}

function apply(group: Group, command: Command, time: number): Uint8Array {
  const place = { table: group.table, index: ++group.index, time };
  return encodeResult(
    applyCommand(place, command, () => {
      throw new Error("A group in memory is not split.");
    }),
  );
}

/** The rows that begin with one letter; their keys are sorted when somebody asks for some of them. */
class Letter {
  readonly rows = new Map<string, Uint8Array>();
  sorted: readonly string[] | null = null;
}

/** A table in maps, one for each letter that its keys begin with. */
class MemoryTable implements TableWriter {
  readonly #letters = new Map<string, Letter>();

  /** Whether there are rows that begin with a letter. */
  has(letter: string): boolean {
    return this.#letter(letter).rows.size > 0;
  }

  get(key: string): Uint8Array | undefined {
    return this.#letter(key).rows.get(key);
  }

  keys(from = "", to?: string, limit = Infinity): string[] {
    const letter = this.#letter(from);
    letter.sorted ??= [...letter.rows.keys()].sort();
    const all = letter.sorted;
    const found: string[] = [];
    for (let at = firstFrom(all, from); at < all.length && found.length < limit; at++) {
      const key = all[at];
      if (key === undefined || (to !== undefined && key >= to)) break;
      found.push(key);
    }
    return found;
  }

  put(key: string, value: Uint8Array): void {
    const letter = this.#letter(key);
    if (!letter.rows.has(key)) letter.sorted = null;
    letter.rows.set(key, value);
  }

  delete(key: string): void {
    const letter = this.#letter(key);
    if (letter.rows.delete(key)) letter.sorted = null;
  }

  #letter(key: string): Letter {
    const name = key.charAt(0);
    let letter = this.#letters.get(name);
    if (letter === undefined) {
      letter = new Letter();
      this.#letters.set(name, letter);
    }
    return letter;
  }
}

function firstFrom(sorted: readonly string[], from: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? "") < from) low = middle + 1;
    else high = middle;
  }
  return low;
}
