/** A store in a simulation, for tests of its client: members of groups, and a client. */

import { Component, type EventClass } from "@kith/core";
import {
  Consensus,
  Found,
  GroupClient,
  GroupGate,
  type PeerAddress,
  Propose,
  replicatedGroups,
} from "@kith/paxos";
import { simulate, type Simulation } from "@kith/sim";
import { type Command, encodeCommand } from "./command.ts";
import {
  Apply,
  Commit,
  Delete,
  Get,
  Put,
  Read,
  Registers,
  Scan,
  Store,
  type StoreAnswer,
} from "./port.ts";
import { type KnownGroup, StoreClient } from "./store-client.ts";
import { storeMachine } from "./store-machine.ts";

/** Where groups begin; the last one has no end. */
const bounds = ["", "g", "p"];

/** Where the simulated node of that number is found. */
export function addressAt(index: number): PeerAddress {
  return { peerId: index + 1, host: `n${index + 1}`, port: 7000 };
}

const members = [0, 1, 2].map(addressAt);

/** The groups of the kit. */
export const groups: readonly KnownGroup[] = bounds.map((lo, i) => ({
  descriptor: { gid: `g${i}`, epoch: 1, lo, hi: bounds[i + 1] ?? null },
  members,
}));

/** A node: a member where it is one of the first three, and a client. */
export class StorePeer extends Component {
  readonly store = this.requires(Store);
  readonly registers = this.requires(Registers);
  readonly consensus = this.requires(Consensus);
  readonly answers: StoreAnswer[] = [];
  readonly #groups = this.create(replicatedGroups(storeMachine), {}, { name: "groups" });
  readonly #gate = this.create(GroupGate, {}, { name: "gate" });
  readonly #guest = this.create(
    GroupClient,
    {
      sessions: false,
      retry: 300,
      groups: Object.fromEntries(groups.map((one) => [one.descriptor.gid, one.members])),
    },
    { name: "guest" },
  );
  readonly #client = this.create(StoreClient, { groups, ordered: true }, { name: "client" });
  readonly #found = this.consensus.onAnswer(Found, () => undefined);
  readonly #propose = this.consensus.onAnswer(Propose, () => undefined);
  readonly #get = this.store.onAnswer(Get, (one) => this.#take(one));
  readonly #put = this.store.onAnswer(Put, (one) => this.#take(one));
  readonly #delete = this.store.onAnswer(Delete, (one) => this.#take(one));
  readonly #apply = this.store.onAnswer(Apply, (one) => this.#take(one));
  readonly #read = this.store.onAnswer(Read, (one) => this.#take(one));
  readonly #commit = this.store.onAnswer(Commit, (one) => this.#take(one));
  readonly #scan = this.store.onAnswer(Scan, (one) => this.#take(one));
  readonly #getOne = this.registers.onAnswer(Get, (one) => this.#take(one));
  readonly #putOne = this.registers.onAnswer(Put, (one) => this.#take(one));

  constructor() {
    super();
    this.connect(this.#groups.ports.consensus, this.consensus);
    this.connect(this.#groups.ports.consensus, this.#gate.ports.consensus);
    this.connect(this.#guest.ports.replicated, this.#client.ports.replicated);
    this.connect(this.#client.ports.store, this.store);
    this.connect(this.#client.ports.registers, this.registers);
  }

  found(): void {
    this.enter(() => {
      for (const { descriptor } of groups)
        this.#found(new Found({ gid: descriptor.gid, peers: members }));
    });
  }

  propose(gid: string, command: Command): void {
    this.enter(() => this.#propose(new Propose({ gid, command: encodeCommand(command) })));
  }

  ask(what: Get | Put | Delete | Apply | Read | Commit | Scan): void {
    this.enter(() => {
      if (what instanceof Get) this.#get(what);
      else if (what instanceof Put) this.#put(what);
      else if (what instanceof Delete) this.#delete(what);
      else if (what instanceof Apply) this.#apply(what);
      else if (what instanceof Read) this.#read(what);
      else if (what instanceof Scan) this.#scan(what);
      else this.#commit(what);
    });
  }

  askOne(what: Get | Put): void {
    this.enter(() => {
      if (what instanceof Get) this.#getOne(what);
      else this.#putOne(what);
    });
  }

  #take(one: object): void {
    this.answers.push(one as StoreAnswer);
  }
}

/** A simulated store. */
export type World = Simulation<typeof StorePeer>;

/** Three members and a client at the fourth node. */
export function storeWorld(seed: number): World {
  const world = simulate(StorePeer, { seed, nodes: 4 }).boot();
  world.runFor(50);
  for (const index of [0, 1, 2]) world.node(index).root.found();
  world.runFor(3000);
  for (const { descriptor } of groups)
    for (const index of [0, 1, 2])
      world
        .node(index)
        .root.propose(descriptor.gid, { kind: "found", ordered: true, ...descriptor });
  world.runFor(500);
  return world;
}

/** Asks at the fourth node, and gives the answer, which has to be of that class. */
export function asked<C extends EventClass<StoreAnswer>>(
  world: World,
  cls: C,
  what: Parameters<StorePeer["ask"]>[0],
): C["prototype"] {
  const { root } = world.node(3);
  const { length } = root.answers;
  root.ask(what);
  world.until(() => root.answers.length > length, { within: 30_000 });
  const given = root.answers[length];
  if (given instanceof (cls as unknown as new (...init: never[]) => object)) return given;
  throw new Error(`the answer is ${given?.constructor.name} ${JSON.stringify(given)}`);
}
