/**
 * The entry of a peer into the ring: finds others, joins, introduces itself to the gossip and what gossip finds to the
 * router, and lets itself be named to newcomers as long as it is in.
 *
 * Invariant: it founds a ring only where it was told to, or told to after a while alone. An answer that does not come gives
 * nobody else that right, so it goes on asking for ever (algorithms.md §6.5.12).
 */

import { AskTimeout, Component, type Millis, ScheduleTimeout, timeout, Timer } from "@kith/core";
import {
  Bootstrap,
  FindPeers,
  Introduce,
  Nearness,
  PeerSampling,
  Register,
  Sample,
  Unregister,
} from "@kith/membership";
import { parsePeer, type PeerRef, self } from "@kith/network";
import { FoundRing, JoinRing, Ring, type RingStatus, RingView } from "@kith/ring";
import { Learn, Router } from "@kith/router";

/** How a peer begins. */
export interface EntryInit {
  /** Whether it begins a ring of its own: only for whoever has the authority to found a cluster. */
  readonly founds: boolean;
  /** Peers that are known beforehand, such as the founder in the same process. */
  readonly known: readonly PeerRef[];
  /**
   * After so many milliseconds without a ring it begins one: only for whoever belongs to a cluster already, where all may have
   * been gone at once. That is no authority over anything but a ring: two of them are merged when they meet.
   */
  readonly foundsAfter?: Millis;
}

interface EntryState {
  status: RingStatus;
  left: boolean;
  /** How often Bootstrap was asked since this peer is in. */
  anew: number;
}

class Again extends timeout("peer/EntryAgain") {}
class Anew extends timeout("peer/EntryAnew") {}
class Alone extends timeout("peer/EntryAlone") {}

/** A join that has not led into the ring for so long is tried with other peers, in milliseconds. */
const patienceMillis = 5000;

/**
 * Half of the cluster may have forgotten the other half: Bootstrap is asked again now and then, in milliseconds. Soon after
 * this peer has come in, for its ring may be as young, and nobody in it know of another; then half as often each time, down to the most.
 */
const anewMillisMin = 2500;
const anewMillisMax = 60_000;

/** Leads a peer into the ring. */
export class Entry extends Component {
  readonly bootstrap = this.requires(Bootstrap);
  readonly ring = this.requires(Ring);
  readonly sampling = this.requires(PeerSampling);
  readonly nearness = this.requires(Nearness);
  readonly router = this.requires(Router);
  readonly timer = this.requires(Timer);
  readonly state = this.declareState<EntryState>({ status: "out", left: false, anew: 0 });
  readonly #self = parsePeer(this.setting(self));
  readonly #draw = this.random("entry");
  readonly #find = this.bootstrap.onAnswer(FindPeers, (answer) => {
    if (answer instanceof AskTimeout) this.#seek();
    else if (this.state.status === "in") this.#introduce(answer.peers);
    else this.#join(answer.peers);
  });

  constructor({ founds, known, foundsAfter }: EntryInit) {
    super();
    this.ring.on(RingView, ({ status }) => this.#viewed(status));
    // Candidates for its fingers, which it asks before it believes in them. A component of its own for that would be dear.
    this.sampling.on(Sample, ({ peers }) => this.router.trigger(new Learn({ peers })));
    this.timer.on(Again, () => this.#seek());
    this.timer.on(Anew, () => {
      if (this.state.left) return;
      if (this.state.status === "in") this.#find(new FindPeers(), { timeout: patienceMillis });
      this.#later();
    });
    this.timer.on(Alone, () => {
      if (this.state.status !== "in" && !this.state.left) this.ring.trigger(new FoundRing());
    });
    this.onStart(() => {
      this.#later();
      if (foundsAfter !== undefined)
        this.timer.trigger(new ScheduleTimeout({ delay: foundsAfter, timeout: new Alone() }));
      if (founds) this.ring.trigger(new FoundRing());
      else if (known.length > 0) this.#join(known);
      else this.#seek();
    });
  }

  #seek(): void {
    if (this.state.status !== "in" && !this.state.left)
      this.#find(new FindPeers(), { timeout: patienceMillis });
  }

  #join(peers: readonly PeerRef[]): void {
    if (this.state.status === "in" || this.state.left) return;
    this.ring.trigger(new JoinRing({ introducers: peers }));
    this.#introduce(peers);
    const delay = patienceMillis;
    this.timer.trigger(new ScheduleTimeout({ delay, timeout: new Again(), id: "again" }));
  }

  #introduce(peers: readonly PeerRef[]): void {
    this.sampling.trigger(new Introduce({ peers }));
    this.nearness.trigger(new Introduce({ peers }));
  }

  /** Two rings of which no peer remembers one of the other meet at the servers of Bootstrap. */
  #later(): void {
    const period = Math.min(anewMillisMax, anewMillisMin * 2 ** this.state.anew);
    this.state.anew++;
    const delay = period * (0.5 + this.#draw.float());
    this.timer.trigger(new ScheduleTimeout({ delay, timeout: new Anew(), id: "anew" }));
  }

  #viewed(status: RingStatus): void {
    const before = this.state.status;
    if (status === before) return;
    this.state.status = status;
    const peer = this.#self;
    if (status === "in") {
      this.bootstrap.trigger(new Register({ peer }));
      this.state.anew = 0;
      this.#later();
    }
    if (before !== "in") return;
    // Who was in and is out has left: it does not come back in this life.
    this.state.left = true;
    this.bootstrap.trigger(new Unregister({ peer }));
  }
}
