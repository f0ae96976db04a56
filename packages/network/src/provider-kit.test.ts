/** Networks for the tests of the suite: the loopback provider, right or wrong on request. */

import { type Component, ManualWorld, type Root, type System } from "@kith/core";
import { stepping } from "@kith/testing/compliance";
import type { NetworkHarness } from "./compliance/index.ts";
import {
  ConnectionDown,
  ConnectionUp,
  Delivery,
  Dropped,
  loopback,
  LoopbackHub,
  type LoopbackInit,
  Network,
  NetworkDrained,
  NetworkFull,
  type PeerRef,
} from "./index.ts";
import type { Item, News, Station } from "./loopback-hub.ts";

/** A harness around a hub: each process is a system of its own, and all are run in turn. */
export function harnessOf(
  hub: LoopbackHub = new LoopbackHub(),
  provider: new (init: LoopbackInit) => InstanceType<ReturnType<typeof loopback>> = loopback(hub),
): NetworkHarness {
  const lives = new Map<number, number>();
  const worlds = new Map<string, ManualWorld>();
  const refOf = (index: number): PeerRef => {
    const incarnation = (lives.get(index) ?? 0) + 1;
    lives.set(index, incarnation);
    return { peerId: 100 + index, host: `node-${index}`, port: 7000, incarnation };
  };
  const advance = (duration: number): void => {
    for (const world of worlds.values()) world.advance(duration);
    // What one has sent in its turn, the next has not seen yet.
    for (let work = 1; work > 0;) {
      work = 0;
      for (const world of worlds.values()) work += world.settle();
    }
  };
  return {
    process: (index) => {
      const self = refOf(index);
      const world = new ManualWorld();
      worlds.set(self.host, world);
      return {
        self,
        world: {
          scheduler: world.scheduler,
          log: world.log,
          install: (root) => {
            const network = root.create(provider, { self }, { name: "Network" });
            root.offers(network.ports.network);
          },
        },
      };
    },
    nobody: { peerId: 1, host: "nowhere", port: 1, incarnation: 1 },
    tooMany: 10_000,
    wait: stepping(advance),
    cut: (a, b) => hub.cut(a, b),
    restore: (a, b) => hub.restore(a, b),
    crash: (self) => {
      worlds.delete(self.host);
      hub.crash(self);
    },
    swapProvider: (self, system: System<Component>) =>
      void system.swap("/Network", provider, { self }),
    nest: (_, creator: Pick<Root, "create">) => {
      const self = { peerId: 900, host: "hotel", port: 7000, incarnation: 1 };
      return { self, network: creator.create(provider, { self }).ports.network };
    },
  };
}

/** A hub that does one thing wrong. */
function hub(wrong: (right: LoopbackHub) => Partial<LoopbackHub>): () => NetworkHarness {
  return () => {
    const right = new LoopbackHub();
    return harnessOf(Object.assign(right, wrong(right)));
  };
}

type Send = LoopbackHub["send"];
type Take = LoopbackHub["take"];

/** Wrong in what it takes from its users. */
function sending(change: (send: Send) => Send): () => NetworkHarness {
  return hub((right) => ({ send: change(right.send.bind(right)) }));
}

/** Wrong in what it gives to its users. */
function taking(
  change: (items: readonly Item[], station: Station) => readonly Item[],
): () => NetworkHarness {
  return hub((right) => {
    const take: Take = right.take.bind(right);
    return { take: (station, count) => change(take(station, count), station) };
  });
}

function without(wrong: (event: News) => boolean): () => NetworkHarness {
  return taking((items) => items.filter((item) => item.kind !== "news" || !wrong(item.event)));
}

/** Wrong providers, each with the case that has to find it. */
export const wrongs: readonly (readonly [
  what: string,
  make: () => NetworkHarness,
  expected: string,
])[] = [
  [
    "reorders",
    taking((items) => [...items].reverse()),
    "a thousand messages arrive once each, in their order",
  ],
  [
    "reorders messages of different classes only",
    taking((items) => {
      const late = (item: Item): boolean =>
        item.kind === "arrival" && item.parcel.message.constructor.name === "Special";
      return [...items.filter((item) => !late(item)), ...items.filter(late)];
    }),
    "order holds over turns, classes and peers of one process",
  ],
  [
    "sends twice",
    sending((send) => {
      let count = 0;
      return (station, message, asked) => {
        if (++count % 100 === 0) send(station, message, null);
        return send(station, message, asked);
      };
    }),
    "a thousand messages arrive once each, in their order",
  ],
  [
    "loses one of many",
    sending((send) => {
      let count = 0;
      return (station, message, asked) => (++count === 500 ? null : send(station, message, asked));
    }),
    "a thousand messages arrive once each, in their order",
  ],
  [
    "hands over the sender's objects",
    () => harnessOf(new LoopbackHub({ codec: null })),
    "sender and receiver share nothing",
  ],
  [
    "speaks as the process for its virtual peers",
    sending(
      (send) => (station, message, asked) =>
        send(
          station,
          Object.assign(Object.create(message), {
            from: station.self,
            constructor: message.constructor,
          }),
          asked,
        ),
    ),
    "a sender that is named is kept, and its label too",
  ],
  [
    "ignores the incarnation",
    taking((items, { self }) =>
      items.map((item) => {
        if (item.kind !== "arrival") return item;
        const { message } = item.parcel;
        const to = { ...message.to, incarnation: self.incarnation };
        return { ...item, parcel: { ...item.parcel, message: Object.assign(message, { to }) } };
      }),
    ),
    "a message to another incarnation is dropped, and the receiver's side shows it",
  ],
  [
    "does not tell that a connection is up",
    without((news) => news instanceof ConnectionUp),
    "both sides are told once that they are connected, before the first message",
  ],
  [
    "tells twice that a connection is up",
    taking((items) =>
      items.flatMap((item) =>
        item.kind === "news" && item.event instanceof ConnectionUp ? [item, item] : [item],
      ),
    ),
    "both sides are told once that they are connected, before the first message",
  ],
  [
    "does not tell that a connection has ended",
    without((news) => news instanceof ConnectionDown && news.reason === "lost"),
    "when a connection breaks, both sides are told once, and what was lost is a suffix",
  ],
  [
    "resumes behind a gap",
    sending((send) => {
      let broken = 0;
      return (station, message, asked) =>
        Reflect.get(message, "n") === 50 && broken++ === 0 ? null : send(station, message, asked);
    }),
    "when a connection breaks, both sides are told once, and what was lost is a suffix",
  ],
  [
    "is silent about what is lost",
    without((news) => news instanceof Dropped),
    "a message to an address where nobody listens is lost, and its sender is told",
  ],
  [
    "does not say that it is full",
    without((news) => news instanceof NetworkFull),
    "a queue that grows long is told, and what exceeds it is dropped and told",
  ],
  [
    "does not say that it has drained",
    without((news) => news instanceof NetworkDrained),
    "a queue that grows long is told, and what exceeds it is dropped and told",
  ],
  [
    "has no bound",
    () => harnessOf(new LoopbackHub({ queueMax: 2 ** 30 })),
    "a queue that grows long is told, and what exceeds it is dropped and told",
  ],
  [
    "acknowledges what it has only sent",
    hub((right) => {
      const send = right.send.bind(right);
      return {
        send: (station, message, asked) => {
          if (asked?.until !== "acknowledged") return send(station, message, asked);
          // Answered at once, whatever becomes of it.
          station.inbox.push({
            kind: "answer",
            token: asked.token,
            delivery: new Delivery({ status: "acknowledged" }),
          });
          return send(station, message, null);
        },
      };
    }),
    "a delivery that a break overtakes is acknowledged, failed or unknown, but never silent",
  ],
  [
    "forgets whom it owes an answer",
    hub(() => ({ acknowledge: () => undefined })),
    "what becomes of a message is told to whoever asks, once, and in order with the others",
  ],
  [
    "delivers to all virtual peers",
    () => {
      const base = new LoopbackHub();
      const right = loopback(base);
      return harnessOf(
        base,
        class extends right {
          protected override readonly hub = base;
          override readonly network = this.provides(Network);
        },
      );
    },
    "a hundred virtual peers share a Network by their keys, and each gets its own messages only",
  ],
  [
    "begins anew in a swap",
    hub((right) => {
      const add = right.add.bind(right);
      const before = new Map<string, Station>();
      return {
        add: (self, wake) => {
          const old = before.get(self.host);
          if (old !== undefined) right.remove(old, "lost");
          const station = add(self, wake);
          before.set(self.host, station);
          return station;
        },
      };
    }),
    "a swap of the provider loses, doubles and reorders nothing",
  ],
];
