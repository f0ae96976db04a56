/** Networks on real sockets for tests: addresses that are free, worlds, and lines that can be cut. */

import { type LogRecord, RealScheduler, type System } from "@kith/core";
import type { NetworkHarness, Process } from "../compliance/index.ts";
import { addressOf, type Codec, type PeerRef, PlainCodec } from "../index.ts";
import { bindAddress, type BoundAddress, WebSocketNetwork, type WebSocketInit } from "./index.ts";
import { nodeTransport } from "./node-transport.ts";
import { NodeWire } from "./node-wire.ts";
import type { Transport } from "./transport.ts";

/** Looks again and again until a condition holds; false where it does not in time. */
export function waitUntil(condition: () => boolean, within: number): Promise<boolean> {
  const end = performance.now() + within;
  return new Promise((resolve) => {
    const look = (): void => {
      if (condition()) resolve(true);
      else if (performance.now() > end) resolve(false);
      else setTimeout(look, 2);
    };
    look();
  });
}

/** Addresses for the tests of one file, bound beforehand, because a harness has to name them at once. */
export class Addresses {
  readonly #free: BoundAddress[] = [];

  async bind(count: number): Promise<void> {
    for (let i = 0; i < count; i++) this.#free.push(await bindAddress());
  }

  take(): BoundAddress {
    const address = this.#free.pop();
    if (address === undefined) throw new Error("bind more addresses");
    return address;
  }

  close(): void {
    for (const address of this.#free.splice(0)) address.close();
  }
}

/** Wires of the processes of one test: who is connected with whom can be cut. */
export class Lines {
  readonly #cuts = new Set<string>();
  readonly #wires = new Map<string, Set<NodeWire>>();

  /** The transport of one process. */
  of(self: string): Transport & { crash(): void } {
    const own = new Set<NodeWire>();
    const stops: (() => void)[] = [];
    const timers: (() => void)[] = [];
    let dead = false;
    return {
      ...nodeTransport,
      dial: (to, user, options) => {
        const pair = pairOf(self, `${to.host}:${to.port}`);
        if (dead || this.#cuts.has(pair)) {
          setTimeout(() => user.ended({ code: 1006, detail: "the line is cut" }));
          return { waiting: 0, send() {}, close() {}, pause() {}, resume() {}, admit() {} };
        }
        const wire = nodeTransport.dial(to, user, options);
        if (wire instanceof NodeWire) {
          own.add(wire);
          this.#wires.set(pair, (this.#wires.get(pair) ?? new Set()).add(wire));
        }
        return wire;
      },
      listen: (at, user, options) => {
        const called: typeof user.called = (wire, from) => {
          if (wire instanceof NodeWire) own.add(wire);
          return user.called(wire, from);
        };
        const stop = nodeTransport.listen?.(
          at,
          { called, failed: (e) => user.failed(e), troubled: (e) => user.troubled(e) },
          options,
        );
        if (stop !== undefined) stops.push(stop);
        return () => stop?.();
      },
      every: (ms, callback) => {
        const timer = nodeTransport.every(ms, callback);
        timers.push(timer);
        return timer;
      },
      crash: () => {
        dead = true;
        for (const timer of timers) timer();
        for (const stop of stops) stop();
        for (const wire of own) wire.cut();
      },
    };
  }

  cut(a: string, b: string): void {
    this.#cuts.add(pairOf(a, b));
    for (const wire of this.#wires.get(pairOf(a, b)) ?? []) wire.cut();
  }

  restore(a: string, b: string): void {
    this.#cuts.delete(pairOf(a, b));
  }
}

function pairOf(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}

/** A class of networks with these parts. */
export function networkOf(
  codec: Codec,
  transport: Transport,
): new (init: WebSocketInit) => WebSocketNetwork {
  return class NetworkOfTest extends WebSocketNetwork {
    protected readonly codec = codec;
    protected readonly transport = transport;
  };
}

/**
 * A scheduler that runs until nothing is left to do: its clock stands still meanwhile. So it is certain that a
 * hundred thousand messages lie in a queue before the first of them can leave.
 */
function boundless(): RealScheduler {
  let now = 0;
  const clock = { monotonicMicros: () => now, wallMicros: () => now };
  return new RealScheduler(clock, (slice) => {
    setImmediate(() => {
      now = Math.floor(performance.now() * 1000);
      slice();
    });
  });
}

/** A harness of real processes' networks within this one, for the compliance suite. */
export function realHarness(
  addresses: Addresses,
  init: Partial<WebSocketInit> = {},
  codec: Codec = new PlainCodec(),
): NetworkHarness {
  const lines = new Lines();
  const homes = new Map<number, { readonly at: BoundAddress; lives: number }>();
  const classes = new Map<string, ReturnType<typeof networkOf>>();
  const inits = new Map<string, WebSocketInit>();
  const transports = new Map<string, ReturnType<Lines["of"]>>();
  const stops: (() => void)[] = [];
  const prepare = (index: number): PeerRef => {
    const home = homes.get(index) ?? { at: addresses.take(), lives: 0 };
    homes.set(index, home);
    const { host, port } = home.at;
    const self = { peerId: 100 + index, host, port, incarnation: ++home.lives };
    const transport = lines.of(addressOf(self));
    transports.set(addressOf(self), transport);
    classes.set(addressOf(self), networkOf(codec, transport));
    inits.set(addressOf(self), { secret: "of the suite", ...init, self });
    return self;
  };
  const classOf = (self: PeerRef) => {
    const cls = classes.get(addressOf(self));
    const its = inits.get(addressOf(self));
    if (cls === undefined || its === undefined) throw new Error("there is no such process");
    return { cls, its };
  };
  const log = (r: LogRecord): void => {
    if (process.env["NETLOG"]) console.log(Math.round(performance.now()), JSON.stringify(r));
  };
  return {
    process: (index): Process => {
      const self = prepare(index);
      const { cls, its } = classOf(self);
      const scheduler = boundless();
      return {
        self,
        world: {
          scheduler,
          log,
          install: (root) => {
            const network = root.create(cls, its, { name: "Network" });
            root.offers(network.ports.network);
            stops.push(() => transports.get(addressOf(self))?.crash());
          },
        },
      };
    },
    nobody: { peerId: 1, host: "127.0.0.1", port: 1, incarnation: 1 },
    patience: 6,
    wait: (until, within, done) => void waitUntil(until, within).then(done),
    close: () => {
      for (const stop of stops) stop();
      for (const { at } of homes.values()) at.close();
    },
    cut: (a, b) => lines.cut(addressOf(a), addressOf(b)),
    restore: (a, b) => lines.restore(addressOf(a), addressOf(b)),
    crash: (self) => transports.get(addressOf(self))?.crash(),
    swapProvider: (self: PeerRef, system: System) => {
      const { its } = classOf(self);
      system.swapThen(
        "/Network",
        {
          cls: networkOf(codec, transports.get(addressOf(self)) ?? nodeTransport),
          init: its,
        },
        () => undefined,
      );
    },
    nest: (index, creator) => {
      // Its world has a Network of its own.
      const self = prepare(index + 50);
      const { cls, its } = classOf(self);
      const network = creator.create(cls, its, { name: "Nested" });
      stops.push(() => transports.get(addressOf(self))?.crash());
      return { self, network: network.ports.network };
    },
  };
}
