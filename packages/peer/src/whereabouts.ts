/**
 * Where the members of the groups are now: tells the store of this peer what the overlay knows of them (algorithms.md §6.5.11).
 *
 * A membership names the addresses at which it was made. A member that comes back elsewhere, on its own disk, says so itself to
 * whoever it calls; who calls *it*, or has come back too, would call the old address. So whatever ring and gossip say of a member is passed
 * on, and one that cannot be reached where it should be is looked up on the ring, by its identity, more and more rarely.
 *
 * All of it is hints: a peer is believed to be another one's later life by its incarnation alone, and a wrong one costs messages.
 */

import {
  AskTimeout,
  Component,
  event,
  type Millis,
  port,
  ScheduleTimeout,
  timeout,
  Timer,
} from "@kith/core";
import { PeerSampling, Sample } from "@kith/membership";
import { addressOf, ConnectionDown, ConnectionUp, isLater, type PeerRef } from "@kith/network";
import { Ring, RingView } from "@kith/ring";
import { Located, Lookup, Router } from "@kith/router";
import type { KnownGroup } from "@kith/store";
import { Connections } from "./peer-network.ts";

/** A member of a group is there. */
export class MemberAt extends event("peer/MemberAt")<{ readonly peer: PeerRef }> {}

/** Tells where members are. Provider: `Whereabouts`. */
export const Places = port("Places", { indications: [MemberAt] });

/** What has to be known to find them. */
export interface WhereaboutsInit {
  readonly groups: readonly KnownGroup[];
  /** The peer for which it looks. */
  readonly peerId: number;
}

class Search extends timeout("peer/Search") {}

interface Missing {
  due: Millis;
  wait: Millis;
}

const firstMs: Millis = 1000;
const lastMs: Millis = 30_000;
const patienceMs: Millis = 5000;

/** Finds members of groups that are not where they were. */
export class Whereabouts extends Component {
  readonly places = this.provides(Places);
  readonly ring = this.requires(Ring);
  readonly router = this.requires(Router);
  readonly sampling = this.requires(PeerSampling);
  readonly connections = this.requires(Connections);
  readonly timer = this.requires(Timer);
  /** Where each member was last told to be. */
  readonly #at = new Map<number, Omit<PeerRef, "peerId">>();
  /** Members at whose address nobody answers. */
  readonly #missing = new Map<number, Missing>();
  #searching = false;
  readonly #look = this.router.onAnswer(Lookup, (answer) => {
    if (!(answer instanceof AskTimeout) && answer instanceof Located && answer.peer !== null)
      this.#heard(answer.peer);
  });

  constructor({ groups, peerId: own }: WhereaboutsInit) {
    super();
    for (const { members } of groups)
      for (const { peerId, host, port: at } of members)
        if (peerId !== own) this.#at.set(peerId, { host, port: at, incarnation: 0 });
    this.ring.on(RingView, ({ predecessor, successors }) => {
      if (predecessor !== null) this.#heard(predecessor);
      for (const peer of successors) this.#heard(peer);
    });
    this.sampling.on(Sample, ({ peers }) => {
      for (const peer of peers) this.#heard(peer);
    });
    this.connections.on(ConnectionUp, ({ peer }) => {
      for (const peerId of this.#living(peer)) this.#missing.delete(peerId);
    });
    this.connections.on(ConnectionDown, ({ peer }) => {
      for (const peerId of this.#living(peer)) this.#miss(peerId);
    });
    this.timer.on(Search, () => this.#search());
  }

  /** The members at an address. */
  #living(peer: PeerRef): number[] {
    const address = addressOf(peer);
    return [...this.#at]
      .filter(([peerId, at]) => addressOf({ peerId, ...at }) === address)
      .map(([peerId]) => peerId);
  }

  #heard(peer: PeerRef): void {
    const { peerId } = peer;
    const known = this.#at.get(peerId);
    // Of an earlier life, or of this one again.
    if (known === undefined || !isLater(peer, known)) return;
    this.#at.set(peerId, peer);
    this.#missing.delete(peerId);
    this.places.trigger(new MemberAt({ peer }));
  }

  #miss(peerId: number): void {
    if (this.#missing.has(peerId)) return;
    this.#missing.set(peerId, { due: this.clock.monotonic + firstMs, wait: firstMs });
    this.#arm();
  }

  #search(): void {
    this.#searching = false;
    const now = this.clock.monotonic;
    for (const [peerId, one] of this.#missing) {
      if (one.due > now) continue;
      one.wait = Math.min(lastMs, 2 * one.wait);
      one.due = now + one.wait;
      this.#look(new Lookup({ key: peerId }), { timeout: patienceMs });
    }
    this.#arm();
  }

  #arm(): void {
    if (this.#searching || this.#missing.size === 0) return;
    this.#searching = true;
    this.timer.trigger(new ScheduleTimeout({ delay: firstMs, timeout: new Search() }));
  }
}
