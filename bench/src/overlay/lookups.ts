/**
 * Lookups on a ring that stands still, simulated: how many hops they take, and how many messages. Forming rings of this size
 * and filling their tables by lookups alone would take minutes, so the neighbours are given, and each table hears of some peers
 * at random, as it does from peer sampling; Chord#'s fingers find themselves. One operation is one lookup. Facts: mean and
 * most hops, log2 n beside them, messages per lookup (hops, acknowledgements, reply), and entries of a table.
 */

import { AskTimeout, Component, DrawStream, streamKey } from "@kith/core";
import { ringSize } from "@kith/membership";
import { formatPeer, type PeerRef, self } from "@kith/network";
import { Ring, RingView } from "@kith/ring";
import {
  ChordSharpRouter,
  FlexibleRouter,
  KaryRouter,
  Learn,
  Lookup,
  refreshPeriod,
  Router,
} from "@kith/router";
import { simulate, type Simulation } from "@kith/sim";
import type { Case } from "../harness.ts";

type Kind = "flexible" | "k-ary" | "Chord#";

interface Neighbours {
  readonly self: PeerRef;
  readonly predecessor: PeerRef;
  readonly successors: readonly PeerRef[];
}

/** A ring that knows its neighbours from the start. */
class GivenRing extends Component {
  readonly ring = this.provides(Ring);

  constructor(init: Neighbours) {
    super();
    this.onStart(() =>
      this.ring.trigger(new RingView({ ...init, status: "in", version: 1, stableSince: 0 })),
    );
  }
}

class Peer extends Component {
  readonly router = this.requires(Router);
  hops = 0;
  most = 0;
  found = 0;
  readonly #lookup = this.router.onAnswer(Lookup, (answer) => {
    if (answer instanceof AskTimeout || answer.peer === null) return;
    this.found++;
    this.hops += answer.hops;
    this.most = Math.max(this.most, answer.hops);
  });

  constructor({ kind, ...neighbours }: Neighbours & { readonly kind: Kind }) {
    super();
    live.push(this);
    const ring = this.create(GivenRing, neighbours);
    const routers = { flexible: FlexibleRouter, "k-ary": KaryRouter, "Chord#": ChordSharpRouter };
    const router = this.create(routers[kind]);
    this.connect(ring.ports.ring, router.ports.ring);
    this.connect(router.ports.router, this.router);
  }

  look(key: number): void {
    this.enter(() => this.#lookup(new Lookup({ key })));
  }

  learn(peers: readonly PeerRef[]): void {
    this.enter(() => this.router.trigger(new Learn({ peers })));
  }
}

/** The peers of the world that runs, in the order in which they were made. */
const live: Peer[] = [];

/** One process with one virtual peer, whose identifier is not the number of its node. */
class Host extends Component {
  constructor({
    refresh,
    ...init
  }: Neighbours & { readonly kind: Kind; readonly refresh: number }) {
    super();
    const settings = [self.of(formatPeer(init.self)), refreshPeriod.of(refresh)];
    this.create(Peer, init, { settings });
  }
}

const size = ringSize.fallback;
const successors = 8;
/** How many peers each hears of; more than a table keeps. */
const heardOf = 200;

function refsOf(count: number): PeerRef[] {
  const draw = new DrawStream(streamKey("lookups", count));
  const ids = new Set<number>();
  while (ids.size < count) ids.add(Math.floor(draw.float() * size));
  return [...ids]
    .sort((a, b) => a - b)
    .map((peerId, index) => ({ peerId, host: `n${index + 1}`, port: 7000, incarnation: 1 }));
}

function lookups(count: number, kind: Kind): Case {
  let world: Simulation<typeof Host> | undefined;
  let messages = 0;
  let asked = 0;
  const draw = new DrawStream(streamKey("keys"));
  return {
    unit: "lookup",
    count: 500,
    rounds: 3,
    prepare: async () => {
      const refs = refsOf(count);
      const at = (index: number): PeerRef => refs[(index + count) % count] as PeerRef;
      live.length = 0;
      world = simulate(Host, {
        seed: 1,
        nodes: count,
        codec: false,
        // Opening connections would be counted too: of 1,024 peers each has hardly spoken to any before.
        transport: "datagram",
        initOf: ({ index }) => ({
          self: at(index),
          predecessor: at(index - 1),
          successors: Array.from({ length: Math.min(successors, count - 1) }, (_, n) =>
            at(index + n + 1),
          ),
          kind,
          // Chord# asks for one finger at a time, ten times as often at first; the others have heard enough.
          refresh: kind === "Chord#" ? 10_000 : 3_600_000,
        }),
      });
      world.boot().runFor(1000);
      if (kind !== "Chord#")
        for (const peer of live)
          peer.learn(Array.from({ length: Math.min(heardOf, count * 4) }, () => draw.pick(refs)));
      world.runFor(kind === "Chord#" ? 20_000 : 1000);
      world.rule({
        name: "count",
        judge: () => {
          messages++;
          return undefined;
        },
      });
      return Promise.resolve();
    },
    run: (of) => {
      asked += of;
      for (let n = 0; n < of; n++) {
        draw.pick(live).look(Math.floor(draw.float() * size));
        if (n % 50 === 49) world?.runFor(50);
      }
      world?.runFor(1000);
    },
    facts: () => {
      const found = live.reduce((sum, peer) => sum + peer.found, 0);
      if (found !== asked) throw new Error(`Of ${asked} lookups ${found} have found an owner.`);
      return {
        "hops, mean": live.reduce((sum, { hops }) => sum + hops, 0) / found,
        "hops, most": live.reduce((max, { most }) => Math.max(max, most), 0),
        "log2 n": Math.log2(count),
        messages: messages / asked,
      };
    },
  };
}

/** Lookups, by the number of peers and the kind of table. */
export const lookupCases: Readonly<Record<string, Case>> = Object.fromEntries([
  ...[64, 256, 1024, 4096, 16_384].map((count) => [
    `flexible, ${count} peers`,
    lookups(count, "flexible"),
  ]),
  ...(["k-ary", "Chord#"] as const).flatMap((kind) =>
    [64, 1024, 16_384].map((count) => [`${kind}, ${count} peers`, lookups(count, kind)]),
  ),
]);
