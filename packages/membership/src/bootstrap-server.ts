/**
 * A bootstrap server: remembers for a while who has said to take part, and names some of them to whoever
 * asks (algorithms.md §13). All that it knows is soft: a server that starts empty knows the cluster again
 * after one period of refreshes, and one that is gone is missed by nobody who has another one to ask.
 *
 * Invariants: it names nobody who has been silent for three periods; of several lives of a process it names
 * the latest; it keeps at most `entriesMax` peers of all clusters together.
 */

import { Component, type Millis, SchedulePeriodic, timeout, Timer } from "@kith/core";
import { addressOf, Dropped, isLater, Network, type PeerRef } from "@kith/network";
import { Answer, Ask, Reborn, Refresh } from "./bootstrap-messages.ts";
import { refreshPeriod } from "./settings.ts";

/** A peer that was heard of. */
export interface Registered {
  readonly peer: PeerRef;
  /** In monotonic milliseconds. */
  readonly seen: Millis;
}

class Sweep extends timeout("membership/BootstrapSweep") {}

const entriesMax = 10_000;
/** How many peers an answer names. */
const namedMax = 20;
/** After so many periods of silence a peer is forgotten. */
const periodsKept = 3;

/** Names peers to newcomers. It never says that there are none: an empty answer means nothing. */
export class BootstrapServer extends Component {
  readonly net = this.requires(Network);
  readonly timer = this.requires(Timer);
  /** By cluster, then by peer id and address; the longest silent first. */
  readonly state = this.declareState<{ clusters: Map<string, Map<string, Registered>> }>({
    clusters: new Map(),
  });
  readonly #draw = this.random("named");
  readonly #keptMillis = this.setting(refreshPeriod) * periodsKept;

  constructor() {
    super();
    this.net.on(Ask, ({ from, cluster }) => this.#asked(from, cluster));
    this.net.on(Refresh, ({ cluster, peers }) => {
      for (const peer of peers) this.#register(cluster, peer);
    });
    // Where there are no connections nobody else says that the server has restarted.
    this.net.on(Dropped, ({ reason, tag, from }) => {
      const asked = tag === Ask.tag || tag === Refresh.tag;
      if (reason === "wrong-incarnation" && asked) this.net.trigger(new Reborn({ to: from }));
    });
    this.timer.on(Sweep, () => this.#sweep());
    this.onStart(() => {
      const period = this.setting(refreshPeriod);
      this.timer.trigger(new SchedulePeriodic({ period, timeout: new Sweep() }));
    });
  }

  #asked(from: PeerRef, cluster: string): void {
    const now = this.clock.monotonic;
    const entries = this.state.clusters.get(cluster) ?? new Map<string, Registered>();
    const drawn = this.#places(entries.size);
    const known: PeerRef[] = [];
    let at = 0;
    let taken = 0;
    // Ten thousand may be passed over for each newcomer: those that were not drawn are not looked at.
    for (const entry of entries.values()) {
      if (drawn !== null) {
        if (taken === drawn.length) break;
        if (at++ !== drawn[taken]) continue;
        taken++;
      }
      const { peer, seen } = entry;
      if (now - seen <= this.#keptMillis && addressOf(peer) !== addressOf(from)) known.push(peer);
    }
    const peers = this.#draw.shuffle(known).slice(0, namedMax);
    this.net.trigger(new Answer({ to: from, cluster, peers }));
  }

  /** Some places of many entries, in order, for the whole of a large cluster is not shuffled for 20 names; null for all of a few. */
  #places(entries: number): readonly number[] | null {
    if (entries <= 4 * namedMax) return null;
    const places = new Set<number>();
    while (places.size < 2 * namedMax) places.add(this.#draw.below(entries));
    return [...places].toSorted((a, b) => a - b);
  }

  #register(cluster: string, peer: PeerRef): void {
    const { clusters } = this.state;
    const entries = clusters.get(cluster) ?? new Map<string, Registered>();
    clusters.set(cluster, entries);
    const key = `${peer.peerId}@${addressOf(peer)}`;
    const known = entries.get(key);
    if (known !== undefined && isLater(known.peer, peer)) return;
    // At the end again: the longest silent come first.
    entries.delete(key);
    entries.set(key, { peer, seen: this.clock.monotonic });
    let total = 0;
    for (const { size } of clusters.values()) total += size;
    if (total <= entriesMax) return;
    for (const [first] of entries) {
      entries.delete(first);
      break;
    }
  }

  #sweep(): void {
    const now = this.clock.monotonic;
    for (const [cluster, entries] of this.state.clusters) {
      for (const [key, { seen }] of entries) if (now - seen > this.#keptMillis) entries.delete(key);
      if (entries.size === 0) this.state.clusters.delete(cluster);
    }
  }
}
