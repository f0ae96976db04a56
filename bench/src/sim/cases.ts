/**
 * The simulator beside a bare loop: every node pings a random other once a simulated second. One
 * operation is one event that a node handles (a tick, a ping or a pong), so a node and second are three.
 */

import { Component, SchedulePeriodic, timeout, Timer } from "@kith/core";
import { message, Network, type PeerRef } from "@kith/network";
import { simulate, type Simulation } from "@kith/sim";
import type { Case } from "../harness.ts";
import { BareSimulation } from "./bare.ts";

class Tick extends timeout("bench-sim/Tick") {}
class Ping extends message("bench-sim/Ping")<{ n: number }> {}
class Pong extends message("bench-sim/Pong")<{ n: number }> {}

class Pinging extends Component {
  readonly timer = this.requires(Timer);
  readonly network = this.requires(Network);
  pongs = 0;

  constructor(init: { nodes: number }) {
    super();
    const others = this.random("other");
    let n = 0;
    this.timer.on(Tick, () =>
      this.network.trigger(new Ping({ to: peer(others.below(init.nodes)), n: ++n })),
    );
    this.network.on(Ping, (ping) => this.network.trigger(new Pong({ to: ping.from, n: ping.n })));
    this.network.on(Pong, () => {
      this.pongs++;
    });
    const delay = this.random("phase").below(1_000_000) / 1000;
    this.onStart(() =>
      this.timer.trigger(new SchedulePeriodic({ period: 1000, delay, timeout: new Tick() })),
    );
  }
}

function peer(index: number): PeerRef {
  return { peerId: index + 1, host: `n${index + 1}`, port: 7000, incarnation: 1 };
}

const handledPerRound = 600_000;

interface Variant {
  readonly codec?: boolean;
  readonly transport?: "stream" | "datagram";
  readonly inspected?: boolean;
}

function kith(
  nodes: number,
  { codec = false, transport = "datagram", inspected = false }: Variant = {},
): Case {
  const seconds = Math.max(1, Math.round(handledPerRound / 3 / nodes));
  let simulation: Simulation<typeof Pinging> | undefined;
  let before = 0;
  let records = 0;
  return {
    unit: "event",
    count: seconds * nodes * 3,
    rounds: 3,
    prepare() {
      globalThis.gc?.();
      const heap = process.memoryUsage().heapUsed;
      simulation = simulate(Pinging, { seed: 42, nodes, init: { nodes }, codec, transport });
      simulation.boot();
      simulation.runFor(1);
      globalThis.gc?.();
      before = (process.memoryUsage().heapUsed - heap) / nodes;
      if (inspected) for (const node of simulation.nodes) node.system.inspect(() => records++);
      return Promise.resolve();
    },
    run() {
      simulation?.runFor(seconds * 1000);
    },
    facts: () => ({
      "bytes a node at the start": Math.round(before),
      "simulated seconds a round": seconds,
      ...(records === 0 ? {} : { records }),
    }),
  };
}

/** What one decision costs in the hash; about three are taken for an event. */
function hashing(): Case {
  // The engine is no part of the published types: benchmarks may look inside.
  const { engine } = simulate(Pinging, { seed: 42, init: { nodes: 1 } }) as unknown as {
    readonly engine: { readonly trace: { add(kind: number, micros: number, about: number): void } };
  };
  const { trace } = engine;
  return {
    unit: "decision",
    count: 10_000_000,
    run(count) {
      for (let i = 0; i < count; i++) trace.add(0, i, i);
    },
  };
}

function bare(nodes: number): Case {
  const seconds = Math.max(1, Math.round(handledPerRound / 3 / nodes));
  let simulation: BareSimulation | undefined;
  return {
    unit: "event",
    count: seconds * nodes * 3,
    rounds: 3,
    prepare() {
      simulation = new BareSimulation(nodes);
      return Promise.resolve();
    },
    run() {
      simulation?.runFor(seconds);
    },
  };
}

function size(nodes: number): Readonly<Record<string, Case>> {
  return {
    "bare loop": bare(nodes),
    "Kith, codec off": kith(nodes),
    "Kith, codec on": kith(nodes, { codec: true }),
  };
}

/** The suites of the simulator. */
export const simSuites: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  "sim, 64 nodes": {
    ...size(64),
    "Kith, codec off, over connections": kith(64, { transport: "stream" }),
    "Kith, codec on, over connections": kith(64, { codec: true, transport: "stream" }),
    "Kith, codec off, inspected": kith(64, { inspected: true }),
    "the hash alone": hashing(),
  },
  "sim, 1,024 nodes": size(1024),
  "sim, 8,192 nodes": size(8192),
  "sim, 65,536 nodes": size(65_536),
};
