/** A peer for tests of multicast: a replica of the group on the first three nodes, and a member everywhere. */

import { ScheduleTimeout, timeout, Timer } from "@kith/core";
import { partition, simulate, type Simulation } from "@kith/sim";
import { stepping } from "@kith/testing/compliance";
import { GroupGate } from "../client/group-gate.ts";
import { keepPlaces, type MulticastHarness, MulticastPeer } from "../compliance/index.ts";
import type { PeerAddress } from "../config.ts";
import { replicatedGroups } from "../host.ts";
import { Consensus, Found, LeaderChanged, Refused } from "../port.ts";
import { addressAt } from "../register.test.ts";
import type { GroupSettings } from "../settings.ts";
import { GroupMulticast } from "./group-multicast.ts";
import { multicastSequence } from "./sequence.ts";

/** What a peer has to know. */
export interface PeerInit {
  /** Where the replicas are. */
  readonly replicas: readonly PeerAddress[];
  /** Whether this peer is one of them. */
  readonly isReplica: boolean;
  readonly settings?: Partial<GroupSettings>;
  /** How often a member asks for what it has missed; default 500 ms. */
  readonly poll?: number;
}

const gid = "multicast";

class Again extends timeout("multicast-test/Again") {}

/** A peer. */
export class Peer extends MulticastPeer {
  readonly consensus = this.requires(Consensus);
  readonly groups;
  readonly gate = this.create(GroupGate);
  readonly provider;
  leads = false;
  readonly timer = this.requires(Timer);
  readonly #found = this.consensus.onAnswer(Found, (answer) => {
    if (answer instanceof Refused && answer.reason === "pending") this.#later();
  });

  constructor({ replicas, isReplica, settings = {}, poll = 500 }: PeerInit) {
    super();
    this.groups = this.create(
      replicatedGroups(multicastSequence(keepPlaces)),
      { announce: true, settings },
      { name: "groups" },
    );
    this.provider = this.create(
      GroupMulticast,
      { gid, members: replicas, poll },
      { name: "multicast" },
    );
    const { consensus } = this.groups.ports;
    this.connect(consensus, this.consensus);
    this.connect(consensus, this.gate.ports.consensus);
    this.connect(consensus, this.provider.ports.consensus);
    this.connect(this.provider.ports.multicast, this.multicast);
    this.consensus.on(LeaderChanged, ({ here }) => void (this.leads = here));
    this.timer.on(Again, () => this.#found(new Found({ gid, peers: replicas })));
    if (isReplica) this.onStart(() => this.#later());
  }

  #later(): void {
    this.timer.trigger(new ScheduleTimeout({ delay: 20, timeout: new Again() }));
  }
}

/** Four simulated nodes, three of which hold replicas. */
export function multicastWorld(
  seed = 1,
  settings?: Partial<GroupSettings>,
): Simulation<typeof Peer> {
  const replicas = [0, 1, 2].map(addressAt);
  return simulate(Peer, {
    seed,
    nodes: 4,
    initOf: ({ index }) => ({
      replicas,
      isReplica: index < 3,
      ...(settings === undefined ? {} : { settings }),
    }),
  }).boot();
}

/** The simulated processes of the suite. */
export function simulatedMulticast(seed = 1): MulticastHarness {
  const world = multicastWorld(seed);
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
      world.node(index).system.swapThen("/Peer-1/multicast", {}, (result) => {
        if ("cause" in result) throw result.cause;
      });
    },
  };
}
