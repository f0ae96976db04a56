/**
 * Cyclon: every peer keeps references to some others, and exchanges a few of them with the oldest one each
 * round (algorithms.md §5). So the graph of references stays random and connected, and references to
 * the gone are used up: whoever does not answer stays removed.
 *
 * A newcomer asks an introducer for random walks, and each walk's end trades one of its references for
 * one to the newcomer: everyone is referred to about as often as everyone else from the beginning.
 *
 * Invariants CY1 to CY4: `view.ts`; what an exchange has sent is kept by the number of the exchange.
 */

import { Component, type Millis, SchedulePeriodic, timeout, Timer } from "@kith/core";
import {
  type Envelope,
  message,
  Network,
  parsePeer,
  type PeerRef,
  samePeer,
  self,
} from "@kith/network";
import { membershipError } from "./errors.ts";
import { Introduce, PeerSampling, Sample } from "./port.ts";
import { clusterId, shuffleLength, shufflePeriod, shuffleTimeout, viewMax } from "./settings.ts";
import { aged, type Entry, isSelf, merge, misfit, oldest } from "./view.ts";

/** Offers some references, and asks for as many. */
export class Shuffle extends message("membership/Shuffle")<{
  readonly cluster: string;
  readonly number: number;
  readonly entries: readonly Entry[];
}> {}

/** The answer to a shuffle. */
export class Shuffled extends message("membership/Shuffled")<{
  readonly number: number;
  readonly entries: readonly Entry[];
}> {}

/** A newcomer, or a random walk on its behalf. */
export class Walk extends message("membership/Walk")<{
  readonly cluster: string;
  readonly newcomer: PeerRef;
  /** How many steps it still goes; -1 from the newcomer itself, who wants several walks. */
  readonly steps: number;
}> {}

/** One reference for a newcomer, from the end of a walk. */
export class Welcome extends message("membership/Welcome")<{
  readonly entry: Entry;
}> {}

class Round extends timeout("membership/CyclonRound") {}

const walkSteps = 5;
const pendingMax = 16;

/** A view of random peers. What it says are hints: see `PeerSampling`. */
export class Cyclon extends Component {
  readonly sampling = this.provides(PeerSampling);
  readonly net = this.requires(Network);
  readonly timer = this.requires(Timer);
  readonly #self = parsePeer(this.setting(self));
  readonly #cluster = this.setting(clusterId);
  readonly #max = this.setting(viewMax);
  readonly #length = this.setting(shuffleLength);
  readonly #period = this.setting(shufflePeriod);
  readonly #draw = this.random("cyclon");
  #state: CyclonState = {
    view: [],
    introducers: [],
    introducedBy: 0,
    number: 0,
    pending: new Map(),
    agedAt: this.clock.monotonic,
  };

  constructor() {
    super();
    this.sampling.on(Introduce, ({ peers }) => this.#introduce(peers));
    this.net.on(Shuffle, (shuffle) => this.#shuffled(shuffle));
    this.net.on(Shuffled, (answer) => this.#answered(answer));
    this.net.on(Walk, (walk) => this.#walk(walk));
    this.net.on(Welcome, ({ entry }) => {
      this.#age();
      this.#merge([entry], []);
    });
    this.timer.on(Round, () => this.#round());
    this.onStart(() => {
      const period = this.#period;
      const delay = this.#draw.float() * period;
      this.timer.trigger(new SchedulePeriodic({ period, delay, timeout: new Round() }));
    });
  }

  /** The references that are held, for tests and monitors. */
  get view(): readonly Entry[] {
    return this.#state.view;
  }

  /** All that is known, for a replacement. */
  exportState(): CyclonState {
    return this.#state;
  }

  /** Takes over. @throws KithError `KITH_MEMBERSHIP_STATE` */
  importState(state: CyclonState): void {
    const wrong = misfit(state.view, this.#self, this.#max);
    if (wrong !== undefined) throw membershipError("KITH_MEMBERSHIP_STATE", `Of a view: ${wrong}.`);
    this.#state = state;
  }

  #introduce(peers: readonly PeerRef[]): void {
    const others = peers.filter((peer) => !isSelf(peer, this.#self));
    this.#state.introducers = this.#draw.shuffle(others);
    if (this.#state.view.length === 0) this.#join();
  }

  /** Asks the next introducer: the one before may not have answered. */
  #join(): void {
    const { introducers } = this.#state;
    const to = introducers[this.#state.introducedBy++ % Math.max(1, introducers.length)];
    if (to === undefined) return;
    const newcomer = this.#self;
    this.net.trigger(new Walk({ ...this.#to(to), cluster: this.#cluster, newcomer, steps: -1 }));
  }

  #round(): void {
    const state = this.#state;
    this.#age();
    const target = oldest(state.view, (list) => this.#draw.shuffle(list));
    if (target === undefined) {
      this.#join();
      return;
    }
    state.view = state.view.filter((entry) => entry !== target);
    const others = this.#draw.shuffle(state.view).slice(0, this.#length - 1);
    const sent = [...others, { peer: this.#self, age: 0 }];
    const number = ++state.number;
    const now = this.clock.monotonic;
    // What was removed to be asked and has not answered stays removed: it has failed.
    for (const [past, { until }] of state.pending)
      if (until <= now || state.pending.size >= pendingMax) state.pending.delete(past);
    const until = now + this.setting(shuffleTimeout);
    state.pending.set(number, { target: target.peer, sent: others, until });
    const shuffle = { ...this.#to(target.peer), cluster: this.#cluster, number, entries: sent };
    this.net.trigger(new Shuffle(shuffle));
    this.sampling.trigger(new Sample({ peers: state.view.map(({ peer }) => peer) }));
  }

  #shuffled({ from, cluster, number, entries }: Shuffle): void {
    if (cluster !== this.#cluster) return;
    this.#age();
    const fitting = this.#state.view.filter(({ peer }) => peer.peerId !== from.peerId);
    const out = this.#draw.shuffle(fitting).slice(0, Math.min(this.#length, entries.length));
    this.net.trigger(new Shuffled({ ...this.#to(from), number, entries: out }));
    this.#merge(entries, out);
  }

  #answered({ from, number, entries }: Shuffled): void {
    const pending = this.#state.pending.get(number);
    if (pending === undefined || !samePeer(pending.target, from)) return;
    this.#state.pending.delete(number);
    if (pending.until <= this.clock.monotonic) return;
    this.#age();
    this.#merge(entries, pending.sent);
  }

  #walk({ newcomer, cluster, steps }: Walk): void {
    if (cluster !== this.#cluster || isSelf(newcomer, this.#self)) return;
    this.#age();
    const { view } = this.#state;
    const ways = view.filter(({ peer }) => peer.peerId !== newcomer.peerId);
    if (steps < 0) {
      const walks = Math.max(1, Math.min(this.#max, ways.length));
      for (let walk = 0; walk < walks; walk++) this.#step(newcomer, walkSteps, ways);
    } else if (steps > 0) {
      this.#step(newcomer, steps - 1, ways);
    } else {
      this.#welcome(newcomer);
    }
  }

  #step(newcomer: PeerRef, steps: number, ways: readonly Entry[]): void {
    if (ways.length === 0) {
      this.#welcome(newcomer);
      return;
    }
    const { peer } = this.#draw.pick(ways);
    this.net.trigger(new Walk({ ...this.#to(peer), cluster: this.#cluster, newcomer, steps }));
  }

  /** Trades a reference for one to the newcomer; one to oneself where there is room for both. */
  #welcome(newcomer: PeerRef): void {
    const { view } = this.#state;
    const entry =
      view.length < this.#max
        ? { peer: this.#self, age: 0 }
        : this.#draw.pick(view.filter(({ peer }) => peer.peerId !== newcomer.peerId));
    this.net.trigger(new Welcome({ ...this.#to(newcomer), entry }));
    this.#merge([{ peer: newcomer, age: 0 }], [entry]);
  }

  /** The envelope of a message: a virtual peer speaks for itself, not for its process. */
  #to(to: PeerRef): Envelope {
    return { to, from: this.#self };
  }

  /** Brings the ages up to now. */
  #age(): void {
    const now = this.clock.monotonic;
    const rounds = (now - this.#state.agedAt) / this.#period;
    this.#state.view = aged(this.#state.view, rounds, 2 * this.#max);
    this.#state.agedAt = now;
  }

  #merge(incoming: readonly Entry[], sent: readonly Entry[]): void {
    this.#state.view = merge(this.#state.view, incoming, sent, this.#self, this.#max);
  }
}

/** A shuffle that waits for its answer. */
interface Pending {
  readonly target: PeerRef;
  readonly sent: readonly Entry[];
  /** In monotonic milliseconds. */
  readonly until: Millis;
}

/** What Cyclon hands to its replacement. */
export interface CyclonState {
  view: readonly Entry[];
  /** When the ages were right, in monotonic milliseconds. */
  agedAt: number;
  introducers: readonly PeerRef[];
  /** How often an introducer was asked. */
  introducedBy: number;
  /** The number of the last shuffle. */
  number: number;
  /** The shuffles that wait for an answer, by number. */
  pending: Map<number, Pending>;
}
