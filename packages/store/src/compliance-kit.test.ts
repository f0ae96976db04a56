/** The processes of the suites of Registers and Store: simulated, and on sockets and disks. */

import type { ComponentClass } from "@kith/core";
import { parsePeer, self as ownPeer } from "@kith/network";
import type { Addresses } from "@kith/node/compliance";
import { RealProcesses } from "@kith/node/compliance";
import { GroupClient, type GroupSettings, type PeerAddress } from "@kith/paxos";
import { partition, simulate } from "@kith/sim";
import { stepping } from "@kith/testing/compliance";
import { AbdReplica, AbdStore } from "./abd/index.ts";
import { RegistersPeer, type StoreHarness, StoreUsingPeer } from "./compliance/index.ts";
import { type KnownGroup, StoreClient } from "./store-client.ts";
import { Founding, FoundStore, StoreMember } from "./store-member.ts";

export { registersCases } from "./compliance/index.ts";

/** What a process of a suite is told. */
export interface KitInit {
  /** The first three processes. */
  readonly members: readonly PeerAddress[];
  readonly settings: Partial<GroupSettings>;
}

/** A process with Registers on consistent quorums. */
export class AbdPeer extends RegistersPeer {
  readonly provider;

  constructor({ members }: KitInit) {
    super();
    const views = [
      { rid: "low", version: 1, lo: "", hi: "\u0080", members },
      { rid: "high", version: 1, lo: "\u0080", hi: null, members },
    ];
    const { peerId } = parsePeer(this.setting(ownPeer));
    if (members.some((one) => one.peerId === peerId))
      this.create(AbdReplica, { views }, { name: "replica" });
    this.provider = this.create(AbdStore, { views }, { name: "provider" });
    this.connect(this.provider.ports.registers, this.registers);
  }
}

/** Where the groups of the suite begin. */
const bounds = ["", "g", "p"];

/** A process with a Store over replicated groups. */
export class GroupsPeer extends StoreUsingPeer {
  readonly founding = this.requires(Founding);
  readonly provider;
  readonly #found = this.founding.onAnswer(FoundStore, () => undefined);

  constructor({ members, settings: group }: KitInit) {
    super();
    const groups: KnownGroup[] = bounds.map((lo, i) => ({
      descriptor: { gid: `g${i}`, epoch: 1, lo, hi: bounds[i + 1] ?? null },
      members,
    }));
    const known = Object.fromEntries(groups.map((one) => [one.descriptor.gid, one.members]));
    const toGroups = { sessions: false, retry: 300, groups: known, name: "suite" };
    const guest = this.create(GroupClient, toGroups, { name: "guest" });
    this.provider = this.create(StoreClient, { groups, ordered: true }, { name: "provider" });
    this.connect(guest.ports.replicated, this.provider.ports.replicated);
    this.connect(this.provider.ports.store, this.store);
    const member = this.create(StoreMember, { groups, ordered: true, group }, { name: "member" });
    this.connect(member.ports.founding, this.founding);
    const { peerId } = parsePeer(this.setting(ownPeer));
    this.onStart(() => {
      if (members.some((one) => one.peerId === peerId))
        this.#found(new FoundStore({ groups, ordered: true }));
    });
  }
}

const providerPath = (main: string): string => `/${main}-1/provider`;
const quick = { heartbeat: 50, electionMin: 300, electionMax: 600 };

/** Simulated processes. */
export function simulated<P extends RegistersPeer | StoreUsingPeer>(
  main: new (init: KitInit) => P,
  seed = 1,
): StoreHarness<P> {
  const members = [0, 1, 2].map((i) => ({ peerId: i + 1, host: `n${i + 1}`, port: 7000 }));
  const world = simulate(main, { seed, nodes: 4, init: { members, settings: quick } }).boot();
  const mends: (() => void)[] = [];
  return {
    wait: stepping((duration) => world.runFor(duration), 10),
    enter: (index, action) => {
      const { system } = world.node(index);
      const { instance } = system;
      system.enter(() => action(instance));
    },
    crash: (index) => world.node(index).crash(),
    restart: (index) => world.node(index).start(),
    isolate: (...indices) => {
      const names = world.nodes.map(({ name }) => name);
      for (const index of indices) {
        const own = names[index] ?? "";
        mends.push(
          world.rule(
            partition(
              [own],
              names.filter((name) => name !== own),
            ),
          ),
        );
      }
    },
    mend: () => {
      for (const mend of mends.splice(0)) mend();
    },
    swap: (index) => {
      world.node(index).system.swapThen(providerPath(main.name), {}, (result) => {
        if ("cause" in result) throw result.cause;
      });
    },
  };
}

/** Processes on sockets and disks. */
export function onSockets<P extends RegistersPeer | StoreUsingPeer>(
  main: new (init: KitInit) => P,
  provider: ComponentClass,
  addresses: Addresses,
): StoreHarness<P> {
  const processes: RealProcesses<new (init: KitInit) => P> = new RealProcesses({
    main,
    initOf: (): KitInit => ({
      members: [0, 1, 2].map((index) => {
        const { peerId, host, port } = processes.self(index);
        return { peerId, host, port };
      }),
      settings: { heartbeat: 30, electionMin: 250, electionMax: 500 },
    }),
    settings: [],
    addresses,
    scale: 0.2,
    durable: true,
  });
  return {
    patience: processes.patience,
    wait: (until, within, done) => processes.wait(until, within, done),
    enter: (index, action) => processes.enter(index, action),
    crash: (index) => processes.crash(index),
    restart: (index) => processes.start(index),
    swap: (index) => processes.swap(index, providerPath(main.name), provider),
    close: () => processes.close(),
  };
}
