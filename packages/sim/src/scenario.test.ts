/** A small cluster whose nodes ping each other: what the tests of the simulator run. */

import { Component, SchedulePeriodic, timeout, Timer } from "@kith/core";
import {
  ConnectionDown,
  ConnectionUp,
  Deliver,
  Delivery,
  Dropped,
  message,
  Network,
  NetworkDrained,
  NetworkFull,
  type PeerRef,
} from "@kith/network";
import { simulate, type Simulation, type SimulationOptions } from "./index.ts";

export class Tick extends timeout("sim-test/Tick") {}
export class Ping extends message("sim-test/Ping")<{ readonly n: number }> {}
export class Pong extends message("sim-test/Pong")<{ readonly n: number }> {}

export interface PingerInit {
  readonly peers: readonly PeerRef[];
  /** Something more that is drawn, or timed. */
  readonly extra?: "draw" | "timer" | "none";
}

/** Pings a peer at random every second, at whatever instant it began. */
export class Pinger extends Component {
  readonly timer = this.requires(Timer);
  readonly net = this.requires(Network);
  pings = 0;
  pongs = 0;
  ups = 0;
  downs = 0;
  dropped = 0;
  readonly targets: number[] = [];

  constructor({ peers, extra = "none" }: PingerInit) {
    super();
    const to = this.random("to");
    this.timer.on(Tick, () => {
      this.pings++;
      const target = to.pick(peers);
      this.targets.push(target.peerId);
      this.net.trigger(new Ping({ to: target, n: this.pings }));
    });
    this.net.on(Ping, (ping) => this.net.trigger(new Pong({ to: ping.from, n: ping.n })));
    this.net.on(Pong, () => void this.pongs++);
    this.net.on(ConnectionUp, () => void this.ups++);
    this.net.on(ConnectionDown, () => void this.downs++);
    this.net.on(Dropped, () => void this.dropped++);
    this.onStart(() => {
      if (extra === "draw") this.random("extra").float();
      const delay = this.random("begin").below(1000);
      this.timer.trigger(new SchedulePeriodic({ period: 1000, delay, timeout: new Tick() }));
      if (extra === "timer")
        this.timer.trigger(new SchedulePeriodic({ period: 333, timeout: new Idle() }));
    });
  }
}

export class Idle extends timeout("sim-test/Idle") {}

export function peersOf(nodes: number): PeerRef[] {
  return Array.from({ length: nodes }, (_, i) => peerAt(i));
}

export function peerAt(index: number, incarnation = 1): PeerRef {
  return { peerId: index + 1, host: `n${index + 1}`, port: 7000, incarnation };
}

export function pingers(
  nodes: number,
  options: Partial<SimulationOptions<typeof Pinger>> = {},
): Simulation<typeof Pinger> {
  return simulate(Pinger, { seed: 42, nodes, init: { peers: peersOf(nodes) }, ...options });
}

export class Numbered extends message("sim-test/Numbered")<{
  readonly n: number;
  readonly padding?: Uint8Array;
}> {}

/** Sends and notes what it is told to, by the test. */
export class Post extends Component {
  readonly net = this.requires(Network);
  /** What came, as `sender:n`, and in between `+peer` and `-peer reason` for connections. */
  readonly seen: string[] = [];
  readonly numbers: number[] = [];
  readonly times: number[] = [];
  readonly drops: Dropped[] = [];
  readonly deliveries: { readonly n: number; readonly status: string }[] = [];
  onNumbered: ((one: Numbered) => void) | null = null;
  readonly #deliver = this.net.onAnswer(Deliver, (answer, asked) => {
    const { message: sent } = asked;
    const n = sent instanceof Numbered ? sent.n : -1;
    const status = answer instanceof Delivery ? answer.status : "timeout";
    this.deliveries.push({ n, status });
  });

  constructor() {
    super();
    this.net.on(Numbered, (one) => {
      this.seen.push(`${one.from.host}:${one.n}`);
      this.numbers.push(one.n);
      this.times.push(this.clock.monotonic);
      this.onNumbered?.(one);
    });
    this.net.on(ConnectionUp, ({ peer }) => void this.seen.push(`+${peer.host}`));
    this.net.on(
      ConnectionDown,
      ({ peer, reason }) => void this.seen.push(`-${peer.host} ${reason}`),
    );
    this.net.on(NetworkFull, ({ peer }) => void this.seen.push(`full ${peer.host}`));
    this.net.on(NetworkDrained, ({ peer }) => void this.seen.push(`drained ${peer.host}`));
    this.net.on(Dropped, (dropped) => void this.drops.push(dropped));
  }

  send(to: PeerRef, ...numbers: number[]): void {
    this.enter(() => {
      for (const n of numbers) this.net.trigger(new Numbered({ to, n }));
    });
  }

  deliver(to: PeerRef, until: "sent" | "acknowledged", ...numbers: number[]): void {
    this.enter(() => {
      for (const n of numbers)
        this.#deliver(new Deliver({ message: new Numbered({ to, n }), until }));
    });
  }
}

export function posts(
  nodes: number,
  options: Partial<SimulationOptions<typeof Post>> = {},
): Simulation<typeof Post> {
  return simulate(Post, { seed: 7, nodes, ...options }).boot();
}


export function range(count: number, from = 1): number[] {
  return Array.from({ length: count }, (_, i) => from + i);
}
