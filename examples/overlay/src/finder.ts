/**
 * Finds the owner of a key by the ring alone: from list to list, to the peer that takes the key for its own,
 * which answers whoever asked. Whoever asked asks again, over others, until an answer comes or it gives up.
 *
 * Invariants: each question ends, once; an answer that comes late or twice is nobody's.
 */

import { Component, event, port, ScheduleTimeout, timeout, Timer } from "@kith/core";
import { inHalfOpen, inOpen, ringSize } from "@kith/membership";
import { message, Network, parsePeer, type PeerRef, samePeer, self } from "@kith/network";
import { Ring, RingView } from "@kith/ring";

/** Asks who owns a key. */
export class Find extends event("overlay/Find")<{ readonly id: number; readonly key: number }> {}

/** The end of a `Find`: who takes the key for its own; null where nobody has answered. */
export class Found extends event("overlay/Found")<{
  readonly id: number;
  readonly owner: PeerRef | null;
}> {}

/** Finds owners of keys. What it says is a hint. */
export const Owners = port("Owners", { requests: [Find], indications: [Found] });

/** A question on its way. */
export class Question extends message("overlay/Question")<{
  readonly asker: PeerRef;
  readonly number: number;
  readonly key: number;
  /** Whether the sender believes that the receiver owns the key. */
  readonly last: boolean;
  readonly hops: number;
}> {}

/** The key is the sender's. */
export class Mine extends message("overlay/Mine")<{ readonly number: number }> {}

class Again extends timeout("overlay/Again")<{ readonly number: number }> {}

const attemptsMax = 5;
const attemptMillis = 1000;
/** Where messages come twice, each hop makes more of them. */
const hopsMax = 20;

interface Open {
  readonly id: number;
  readonly key: number;
  attempts: number;
}

/** Asks from peer to peer. */
export class Finder extends Component {
  readonly finder = this.provides(Owners);
  readonly ring = this.requires(Ring);
  readonly net = this.requires(Network);
  readonly timer = this.requires(Timer);
  readonly state = this.declareState<{
    view: Pick<RingView, "predecessor" | "successors"> | null;
    open: Map<number, Open>;
    number: number;
  }>({ view: null, open: new Map(), number: 0 });
  readonly #self = parsePeer(this.setting(self));
  readonly #size = this.setting(ringSize);
  readonly #draw = this.random("finder");

  constructor() {
    super();
    this.ring.on(RingView, ({ status, predecessor, successors }) => {
      this.state.view = status === "in" ? { predecessor, successors } : null;
    });
    this.finder.on(Find, ({ id, key }) => {
      const number = ++this.state.number;
      this.state.open.set(number, { id, key, attempts: 0 });
      this.#attempt(number);
    });
    this.net.on(Question, (question) => this.#pass(question));
    this.net.on(Mine, ({ from, number }) => this.#end(number, from));
    this.timer.on(Again, ({ number }) => this.#attempt(number));
  }

  #attempt(number: number): void {
    const open = this.state.open.get(number);
    if (open === undefined) return;
    if (open.attempts++ >= attemptsMax) {
      this.#end(number, null);
      return;
    }
    this.timer.trigger(
      new ScheduleTimeout({ delay: attemptMillis, timeout: new Again({ number }) }),
    );
    const { key } = open;
    this.#pass({ asker: this.#self, number, key, last: false, hops: hopsMax });
  }

  #end(number: number, owner: PeerRef | null): void {
    const open = this.state.open.get(number);
    if (open === undefined) return;
    this.state.open.delete(number);
    this.finder.trigger(new Found({ id: open.id, owner }));
  }

  #pass(question: Pick<Question, "asker" | "number" | "key" | "last" | "hops">): void {
    const { asker, number, key, last, hops } = question;
    const { view } = this.state;
    if (view === null || hops <= 0) return;
    const { predecessor, successors } = view;
    const { peerId } = this.#self;
    const size = this.#size;
    if (predecessor !== null && inHalfOpen(key, predecessor.peerId, peerId, size)) {
      if (samePeer(asker, this.#self)) this.#end(number, this.#self);
      else this.net.trigger(new Mine({ to: asker, number }));
      return;
    }
    const [successor] = successors;
    const on = (to: PeerRef, isLast: boolean): void => {
      if (samePeer(to, this.#self)) return;
      this.net.trigger(new Question({ to, asker, number, key, last: isLast, hops: hops - 1 }));
    };
    // Whoever was thought to own it stands behind it: the owner is before.
    if (last && predecessor !== null) on(predecessor, true);
    else if (successor !== undefined && inHalfOpen(key, peerId, successor.peerId, size))
      on(successor, true);
    else {
      // The last one before the key; now and then another one, which may live.
      const before = successors.filter((peer) => inOpen(peer.peerId, peerId, key, size));
      const next = this.#draw.chance(0.2) ? before[0] : before.at(-1);
      if (next !== undefined) on(next, false);
    }
  }
}
