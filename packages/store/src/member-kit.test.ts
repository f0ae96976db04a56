/** Members of a store in a simulation, and guests that use it. */

import { Component, type EventClass } from "@kith/core";
import {
  type Change,
  ChangeMembers,
  Consensus,
  Execute,
  GroupClient,
  type PeerAddress,
  Propose,
  type ReplicatedGroups,
  type TableReader,
  TransferLeadership,
} from "@kith/paxos";
import { simulate, type Simulation } from "@kith/sim";
import { Operator, type OperatorAnswer, SplitGroup, StoreOperator } from "./operator.ts";
import {
  Apply,
  Changes,
  Commit,
  Entries,
  Get,
  Put,
  Read,
  Resync,
  Store,
  type StoreAnswer,
  Unwatch,
  Watch,
  type Watched,
} from "./port.ts";
import type { KnownGroup } from "./store-client.ts";
import { StoreClient } from "./store-client.ts";
import { Founding, FoundStore, StoreMember, type StoreMemberInit } from "./store-member.ts";
import { checkTable, checkTables } from "./table-invariants.ts";

/** Where the simulated node of that number is found. */
export function addressAt(index: number): PeerAddress {
  return { peerId: index + 1, host: `n${index + 1}`, port: 7000 };
}

const members = [0, 1, 2].map(addressAt);

/** Two groups with ordered keys: below m, and from m on. */
export const groups: readonly KnownGroup[] = [
  { descriptor: { gid: "g0", epoch: 1, lo: "", hi: "m" }, members },
  { descriptor: { gid: "g1", epoch: 1, lo: "m", hi: null }, members },
];

type Asking = Get | Put | Apply | Read | Commit;

/** The same two groups with members of their own: nodes 0 to 2, and 3 to 5. */
export const groupsApart: readonly KnownGroup[] = groups.map((one, i) => ({
  ...one,
  members: [0, 1, 2].map((index) => addressAt(index + 3 * i)),
}));

interface MemberHarnessInit {
  readonly index: number;
  readonly apart: boolean;
  readonly member?: Partial<StoreMemberInit>;
}

/** A node: one of the first three is a member, the others are guests. */
export class StoreNode extends Component {
  readonly store = this.requires(Store);
  readonly operator = this.requires(Operator);
  readonly consensus;
  readonly founding;
  readonly member;
  readonly answers: StoreAnswer[] = [];
  readonly split: OperatorAnswer[] = [];
  /** What was told of watches. */
  readonly told: (Changes | Resync)[] = [];
  founded = 0;
  readonly #get = this.store.onAnswer(Get, (one) => this.#take(one));
  readonly #put = this.store.onAnswer(Put, (one) => this.#take(one));
  readonly #apply = this.store.onAnswer(Apply, (one) => this.#take(one));
  readonly #read = this.store.onAnswer(Read, (one) => this.#take(one));
  readonly #commit = this.store.onAnswer(Commit, (one) => this.#take(one));
  readonly #split = this.operator.onAnswer(SplitGroup, (one) => {
    if ("gid" in one || !("timeout" in one)) this.split.push(one as OperatorAnswer);
  });
  readonly #propose: ((ask: Propose) => void) | null = null;
  readonly #change: ((ask: ChangeMembers) => void) | null = null;
  readonly #transfer: ((ask: TransferLeadership) => void) | null = null;
  readonly #groups: readonly KnownGroup[];
  readonly #found: ((ask: FoundStore) => void) | null = null;

  constructor({ index, apart, member = {} }: MemberHarnessInit) {
    super();
    const groups = layoutOf(apart);
    this.#groups = groups;
    this.store.on(Changes, (one) => void this.told.push(one));
    this.store.on(Resync, (one) => void this.told.push(one));
    if (index < membersOf(apart)) {
      const own = this.create(
        StoreMember,
        { groups, ordered: true, twice: true, ...member },
        { name: "member" },
      );
      this.member = own;
      const founding = this.requires(Founding);
      this.founding = founding;
      this.#found = founding.onAnswer(FoundStore, () => void this.founded++);
      this.connect(own.ports.founding, founding);
      const consensus = this.requires(Consensus);
      this.consensus = consensus;
      this.#propose = consensus.onAnswer(Propose, () => undefined);
      this.#change = consensus.onAnswer(ChangeMembers, () => undefined);
      this.#transfer = consensus.onAnswer(TransferLeadership, () => undefined);
      this.connect(own.ports.consensus, consensus);
      this.connect(own.ports.store, this.store);
      this.connect(own.ports.operator, this.operator);
      return;
    }
    const known = Object.fromEntries(groups.map((one) => [one.descriptor.gid, one.members]));
    const guest = this.create(
      GroupClient,
      { groups: known, sessions: false, retry: 300 },
      { name: "guest" },
    );
    const client = this.create(
      StoreClient,
      { groups, ordered: true, settings: member.client ?? {} },
      { name: "client" },
    );
    const operator = this.create(StoreOperator, {}, { name: "operator" });
    this.connect(guest.ports.replicated, client.ports.replicated);
    this.connect(guest.ports.replicated, operator.ports.replicated);
    this.connect(client.ports.store, this.store);
    this.connect(operator.ports.operator, this.operator);
  }

  found(): void {
    this.enter(() => this.#found?.(new FoundStore({ groups: this.#groups, ordered: true })));
  }

  ask(what: Asking): void {
    this.enter(() => {
      if (what instanceof Get) this.#get(what);
      else if (what instanceof Put) this.#put(what);
      else if (what instanceof Apply) this.#apply(what);
      else if (what instanceof Read) this.#read(what);
      else this.#commit(what);
    });
  }

  /** Has a command come once more. */
  propose(gid: string, command: Uint8Array): void {
    this.enter(() => this.#propose?.(new Propose({ gid, command })));
  }

  /** Changes who the members of a group are, where it is led here. */
  change(gid: string, change: Change): void {
    this.enter(() => this.#change?.(new ChangeMembers({ gid, change })));
  }

  /** Has another replica lead a group, where it is led here. */
  handOver(gid: string, to: number): void {
    this.enter(() => this.#transfer?.(new TransferLeadership({ gid, to })));
  }

  watch(watch: string, what: Watched): void {
    this.enter(() => this.store.trigger(new Watch({ watch, what })));
  }

  unwatch(watch: string): void {
    this.enter(() => this.store.trigger(new Unwatch({ watch })));
  }

  divide(gid: string, at: string): void {
    this.enter(() => this.#split(new SplitGroup({ gid, at })));
  }

  /** White box: the groups that are here. */
  replicas(): ReplicatedGroups["state"]["replicas"] {
    if (this.member === undefined) return new Map();
    const { groups: held } = (this.member as unknown as { core: { instance: StoreMember } }).core
      .instance;
    return (held as unknown as { core: { instance: ReplicatedGroups } }).core.instance.state
      .replicas;
  }

  #take(one: object): void {
    this.answers.push(one as StoreAnswer);
  }
}

function layoutOf(apart: boolean): readonly KnownGroup[] {
  return apart ? groupsApart : groups;
}

function membersOf(apart: boolean): number {
  return apart ? 6 : 3;
}

/** A simulated store. */
export type World = Simulation<typeof StoreNode>;

/** Three members, or six where the groups are apart, and two guests; the store is founded. */
export function memberWorld(
  seed: number,
  member: Partial<StoreMemberInit> = {},
  apart = false,
): World {
  const count = membersOf(apart);
  const world = simulate(StoreNode, {
    seed,
    nodes: count + 2,
    initOf: ({ index }) => ({ index, apart, member }),
  }).boot();
  world.runFor(50);
  const own = world.nodes.slice(0, count);
  for (const { root } of own) root.found();
  world.until(() => own.every(({ root }) => root.founded === 1), { within: 20_000 });
  return world;
}

/** Steps until something holds, or the time is over. */
export function stepUntil(world: World, duration: number, done: () => boolean): boolean {
  const end = world.time + duration;
  while (!done() && world.time < end)
    if (!world.step()) throw new Error("nothing happens any more");
  return done();
}

/** What a guest has executed so far, and will: the list grows. */
export function recorded(
  world: World,
  index: number,
): readonly { gid: string; command: Uint8Array }[] {
  const list: { gid: string; command: Uint8Array }[] = [];
  world.node(index).system.inspect(({ kind, event }) => {
    if (kind === "trigger" && event instanceof Execute)
      list.push({ gid: event.gid, command: event.command });
  });
  return list;
}

/** Has a command come once more, at whoever leads; and in all groups, as its keys may lie elsewhere by now. */
export function replay(world: World, { command }: { readonly command: Uint8Array }): void {
  for (const node of world.nodes.slice(0, 3))
    if (node.state === "up")
      for (const gid of node.root.replicas().keys()) node.root.propose(gid, command);
}

/** Asks at a node, and gives the answer, which has to be of that class. */
export function asked<C extends EventClass<StoreAnswer>>(
  world: World,
  index: number,
  cls: C,
  what: Asking,
): C["prototype"] {
  const { root } = world.node(index);
  const { length } = root.answers;
  root.ask(what);
  world.until(() => root.answers.length > length, { within: 60_000 });
  const given = root.answers[length];
  if (given instanceof (cls as unknown as new (...init: never[]) => object)) return given;
  throw new Error(`the answer is ${given?.constructor.name} ${JSON.stringify(given)}`);
}

/** Numbers at keys, as one read sees them. */
export function numbersAt(world: World, index: number, keys: readonly string[]): (number | null)[] {
  const { entries } = asked(world, index, Entries, new Read({ keys }));
  return entries.map(({ value }) =>
    value === null ? null : Number(new TextDecoder().decode(value)),
  );
}

/** Splits a group, from a node. */
export function divided(world: World, index: number, gid: string, at: string): OperatorAnswer {
  const { root } = world.node(index);
  const { length } = root.split;
  root.divide(gid, at);
  world.until(() => root.split.length > length, { within: 60_000 });
  return root.split[length] as OperatorAnswer;
}

/** The members' tables are alike, keep their invariants, and no lock is in them. @returns how many groups there are */
export function expectQuiet(world: World): number {
  world.runFor(1500);
  const tables = new Map<string, TableReader>();
  const hashes = new Map<string, string>();
  for (const node of world.nodes) {
    for (const [gid, { table, state }] of node.state === "up" ? node.root.replicas() : []) {
      if (state.halted !== null) throw new Error(`${gid} has stopped: ${state.halted}`);
      const seen = `${table.applied} ${table.hash}`;
      if ((hashes.get(gid) ?? seen) !== seen)
        throw new Error(`${gid} is ${seen} and ${hashes.get(gid)}`);
      hashes.set(gid, seen);
      const keys = [...table.cells.values.keys()].sort();
      const locked = keys.filter((key) => key.startsWith("l"));
      if (locked.length > 0) throw new Error(`${gid} has locks: ${locked.join()}`);
      tables.set(gid, {
        get: (key) => table.cells.values.get(key),
        keys: (from = "", to) =>
          keys.filter((key) => key >= from && (to === undefined || key < to)),
      });
    }
  }
  for (const table of tables.values()) checkTable(table);
  checkTables([...tables.values()]);
  return tables.size;
}
