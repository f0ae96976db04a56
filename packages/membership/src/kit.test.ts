/** A simulated process with everything of this package in it. */

import type { Component, System } from "@kith/core";
import type { PeerRef } from "@kith/network";
import { simulate, type Simulation } from "@kith/sim";
import { stepping } from "@kith/testing/compliance";
import { type MembershipHarness, Participant } from "./compliance/index.ts";
import { BootstrapClient, BootstrapServer, Cyclon, TMan } from "./index.ts";

export const peerAt = (index: number, incarnation = 1): PeerRef => ({
  peerId: index + 1,
  host: `n${index + 1}`,
  port: 7000,
  incarnation,
});

/** A provider of Nearness. */
export type NearClass = new () => Component & Pick<TMan, "nearness">;

export class Process extends Participant {
  readonly cyclon = this.create(Cyclon, {}, { name: "Cyclon" });
  readonly tman;

  constructor({
    server,
    servers = [peerAt(0, 0), peerAt(1, 0)],
  }: {
    readonly server: boolean;
    readonly servers?: readonly PeerRef[];
  }) {
    super();
    this.offers(this.cyclon.ports.sampling);
    this.tman = this.create(this.near, {}, { name: "TMan" });
    const client = this.create(BootstrapClient, { servers }, { name: "Client" });
    this.connect(client.ports.bootstrap, this.bootstrap);
    this.connect(this.cyclon.ports.sampling, this.sampling);
    this.connect(this.tman.ports.nearness, this.nearness);
    if (server) this.create(BootstrapServer, {}, { name: "Server" });
  }

  /** The provider of Nearness; another one in a subclass. */
  get near(): NearClass {
    return TMan;
  }

  /** The instance behind the handle. */
  get sampler(): Cyclon {
    return (this.cyclon as unknown as { core: { instance: Cyclon } }).core.instance;
  }
}

export type World = Simulation<typeof Process>;

export function build(nodes: number, seed: number, main = Process): World {
  return simulate(main, {
    seed,
    nodes,
    initOf: ({ index }) => ({ server: index < 2 }),
  }).boot();
}

export function harness(main = Process): MembershipHarness {
  const count = 6;
  const world = build(count, 1, main);
  return {
    count,
    wait: stepping((duration) => world.runFor(duration), 50),
    self: (index) => world.peer(index),
    enter: (index, action) => {
      const { system } = world.node(index);
      const { instance }: System<Process> = system;
      system.enter(() => action(instance));
    },
    crash: (index) => world.node(index).crash(),
    restart: (index) => world.node(index).start(),
  };
}
