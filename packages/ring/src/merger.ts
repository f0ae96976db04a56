/**
 * The merger: makes one ring of two after a partition (Shafaat, Ghodsi, Haridi 2007, 2009; algorithms.md §4).
 *
 * It remembers peers that were once known and vanished from the view (`passive`), and asks some of them now
 * and then. Who answers from the same cluster is looked up in both rings: `Seek` goes round to where the
 * other's identifier belongs, `Meet` tells the other who stands there, and so on, until the two rings are
 * closed into each other like the sides of a zip. Where the two are one ring already, a lookup ends at its
 * target, and nothing has happened.
 *
 * Invariants: **MG2** nothing passes between two clusters; **MG3** at rest there are probes alone: an answer
 * takes a peer off the passive list, and a queue of bounded length is worked off once a second. A pointer
 * is never written: the ring is asked to `Consider`, and believes whom it has contacted (**MG4**).
 */

import {
  Component,
  event,
  type Millis,
  port,
  SchedulePeriodic,
  ScheduleTimeout,
  setting,
  timeout,
  Timer,
} from "@kith/core";
import { clusterId, inOpen, PeerSampling, ringSize, Sample } from "@kith/membership";
import {
  addressOf,
  formatLife,
  isLater,
  message,
  Network,
  outlives,
  parsePeer,
  type PeerRef,
  samePeer,
  self,
} from "@kith/network";
import { Consider, Ring, RingView } from "./port.ts";
import { closestBefore, includes, without } from "./state.ts";

/** Peers that were known in an earlier life: they are probed as those are that have vanished. */
export class Remember extends event("ring/Remember")<{ readonly peers: readonly PeerRef[] }> {}

/** Who is probed now; keep it, and give it back by `Remember` in the next life. */
export class Passive extends event("ring/Passive")<{ readonly peers: readonly PeerRef[] }> {}

/** Merges rings after a partition. What it does is a hint to the ring. Provider: `RingMerger`. */
export const Merger = port("Merger", { requests: [Remember], indications: [Passive] });

/** Asks whether a peer lives and is of the same cluster. */
export class Knock extends message("ring/Knock")<{ readonly cluster: string }> {}

/** It is, and does. */
export class KnockAnswer extends message("ring/KnockAnswer")<{ readonly cluster: string }> {}

/** Goes to where the target's identifier belongs in the ring of whoever gets it. */
export class Seek extends message("ring/Seek")<{
  readonly cluster: string;
  readonly target: PeerRef;
  /** How many others are still to look from elsewhere. */
  readonly fanout: number;
  /** How many peers it may still pass. */
  readonly hops: number;
  /** Whether it waits in the receiver's queue first. */
  readonly queued: boolean;
}> {}

/** In the sender's ring, the receiver belongs between these two. */
export class Meet extends message("ring/Meet")<{
  readonly cluster: string;
  readonly before: PeerRef;
  readonly behind: PeerRef;
}> {}

/** This one may be the receiver's successor. */
export class Closer extends message("ring/Closer")<{
  readonly cluster: string;
  readonly peer: PeerRef;
}> {}

class Probe extends timeout("ring/MergerProbe") {}
class Work extends timeout("ring/MergerWork") {}

/** How often passive peers are probed, in milliseconds. Raise it: fewer messages, later merges. */
export const mergerProbe = setting.duration("merger.probe", 5000, { min: 10 });
/** How often one of the queue is looked up, in milliseconds. Raise it: calmer and slower merges. */
export const mergerWork = setting.duration("merger.work", 1000, { min: 10 });
/** How many peers look for one at a time. Raise it: faster merges, more messages. */
export const mergerFanout = setting.integer("merger.fanout", 3, { min: 1, max: 16 });

const passiveMax = 64;
const queueMax = 64;
const hopsMax = 256;
/** How likely a round of probes includes a random peer: its answer costs a lookup. */
const sampleChance = 0.05;
/** Whoever was looked up is not looked up again for so long. */
const seenMillis = 4000;
const seenMax = 256;
/** The same for those that stand where this peer belongs. */
const meetMillis = 1000;

/** What a merger knows. */
interface MergerState {
  /** Once known, and out of the view; the latest last. */
  passive: readonly PeerRef[];
  queue: readonly { readonly peer: PeerRef; readonly fanout: number }[];
  seen: Map<string, Millis>;
  view: {
    readonly predecessor: PeerRef | null;
    readonly successors: readonly PeerRef[];
  };
  /** Whether this peer is of a ring: else there is nothing to merge, here or elsewhere. */
  member: boolean;
  sample: readonly PeerRef[];
}

/** Merges the rings of one cluster. */
export class RingMerger extends Component {
  readonly merger = this.provides(Merger);
  readonly ring = this.requires(Ring);
  readonly sampling = this.requires(PeerSampling);
  readonly net = this.requires(Network);
  readonly timer = this.requires(Timer);
  readonly state = this.declareState<MergerState>({
    passive: [],
    queue: [],
    seen: new Map(),
    view: { predecessor: null, successors: [] },
    member: false,
    sample: [],
  });
  readonly #self = parsePeer(this.setting(self));
  readonly #size = this.setting(ringSize);
  readonly #cluster = this.setting(clusterId);
  readonly #fanout = this.setting(mergerFanout);
  readonly #draw = this.random("merger");

  constructor() {
    super();
    this.merger.on(Remember, ({ peers }) => {
      for (const peer of peers) this.#remember(peer);
    });
    this.ring.on(RingView, ({ status, predecessor, successors }) => {
      this.state.member = status === "in";
      this.#viewed(predecessor, successors);
    });
    this.sampling.on(Sample, ({ peers }) => {
      this.state.sample = peers;
    });
    this.net.on(Knock, ({ from, cluster }) => {
      if (cluster !== this.#cluster || !this.state.member) return;
      this.net.trigger(new KnockAnswer({ ...this.#to(from), cluster }));
    });
    this.net.on(KnockAnswer, ({ from, cluster }) => {
      if (cluster === this.#cluster && this.state.member) this.#answered(from);
    });
    this.net.on(Seek, (seek) => {
      if (seek.cluster !== this.#cluster || !this.state.member) return;
      if (seek.queued) this.#enqueue(seek.target, seek.fanout);
      else this.#seek(seek.target, seek.fanout, seek.hops);
    });
    this.net.on(Meet, ({ cluster, before, behind }) => {
      if (cluster === this.#cluster && this.state.member) this.#meet(before, behind);
    });
    this.net.on(Closer, ({ cluster, peer }) => {
      if (cluster === this.#cluster) this.#consider(peer);
    });
    this.timer.on(Probe, () => this.#probe());
    this.timer.on(Work, () => this.#work());
    this.onStart(() => {
      const period = this.setting(mergerProbe);
      const delay = period * (0.5 + this.#draw.float());
      this.timer.trigger(new SchedulePeriodic({ period, delay, timeout: new Probe() }));
    });
  }

  #to(peer: PeerRef): { readonly to: PeerRef; readonly from: PeerRef } {
    return { to: peer, from: this.#self };
  }

  // --- who is to be found again --------------------------------------------------------------------

  #viewed(predecessor: PeerRef | null, successors: readonly PeerRef[]): void {
    // While a successor is looked for there is nothing to compare with.
    if (successors.length === 0 || predecessor === null) return;
    const { view } = this.state;
    this.state.view = { predecessor, successors };
    const known = this.#neighbours();
    // Whoever has a later life in the view is found again: nobody answers for the past one.
    this.#keep(
      this.state.passive.filter(
        (one) => !known.some((peer) => peer.peerId === one.peerId && outlives(peer, one)),
      ),
    );
    for (const peer of view.successors)
      if (!includes(known, peer) && !this.#displaced(peer, view.successors)) this.#remember(peer);
    const before = view.predecessor;
    const closer =
      before !== null && inOpen(predecessor.peerId, before.peerId, this.#self.peerId, this.#size);
    if (before !== null && !closer && !includes(known, before)) this.#remember(before);
  }

  /** Whether a successor has only been pushed off the end of the list by closer ones. */
  #displaced(peer: PeerRef, former: readonly PeerRef[]): boolean {
    const { successors } = this.state.view;
    const last = successors.at(-1);
    return (
      last !== undefined &&
      successors.length >= former.length &&
      inOpen(last.peerId, this.#self.peerId, peer.peerId, this.#size)
    );
  }

  #neighbours(): PeerRef[] {
    const { predecessor, successors } = this.state.view;
    return [...(predecessor === null ? [] : [predecessor]), ...successors];
  }

  #remember(peer: PeerRef): void {
    if (peer.peerId === this.#self.peerId) return;
    // Of one address only the latest life can answer.
    const others = this.state.passive.filter(
      (one) => addressOf(one) !== addressOf(peer) || one.peerId !== peer.peerId,
    );
    this.#keep([...others, peer].slice(-passiveMax));
  }

  #keep(passive: readonly PeerRef[]): void {
    const { length } = this.state.passive;
    if (passive.length === length && passive.at(-1) === this.state.passive.at(-1)) return;
    this.state.passive = passive;
    this.merger.trigger(new Passive({ peers: passive }));
  }

  #probe(): void {
    const { passive, sample, member } = this.state;
    if (!member) return;
    const targets = this.#draw.shuffle(passive).slice(0, 2);
    // A random peer tells of a ring that nobody here remembers; rarely, for its answer costs a lookup.
    if (sample.length > 0 && this.#draw.chance(sampleChance)) targets.push(this.#draw.pick(sample));
    for (const peer of targets)
      this.net.trigger(new Knock({ ...this.#to(peer), cluster: this.#cluster }));
  }

  #answered(from: PeerRef): void {
    // A random peer that answers is no alarm: one looks for it, not many.
    const fanout = includes(this.state.passive, from) ? this.#fanout : 1;
    // This very life has answered: an earlier one at its address is not passive, it is over.
    this.#keep(without(this.state.passive, from).filter((one) => !outlives(from, one)));
    if (!includes(this.#neighbours(), from)) this.#enqueue(from, fanout);
  }

  // --- the two rings -------------------------------------------------------------------------------

  #enqueue(peer: PeerRef, fanout: number): void {
    const { queue } = this.state;
    if (samePeer(peer, this.#self) || !this.#once("seek", peer, seenMillis)) return;
    if (queue.length >= queueMax) return;
    this.state.queue = [...queue, { peer, fanout }];
    // At rest nothing is queued, and no timer runs.
    if (queue.length === 0) this.#workLater(0.5 + this.#draw.float());
  }

  #workLater(periods: number): void {
    const delay = this.setting(mergerWork) * periods;
    this.timer.trigger(new ScheduleTimeout({ delay, timeout: new Work(), id: "work" }));
  }

  /** Whether this was not done to that peer lately. Without it two that cannot link yet would send each other on for ever. */
  #once(what: "seek" | "meet", peer: PeerRef, millis: Millis): boolean {
    const { seen } = this.state;
    const now = this.clock.monotonic;
    const key = `${what} ${peer.peerId}#${formatLife(peer)}`;
    if (now - (seen.get(key) ?? -millis) < millis) return false;
    seen.delete(key);
    seen.set(key, now);
    for (const [oldest] of seen) {
      if (seen.size <= seenMax) break;
      seen.delete(oldest);
    }
    return true;
  }

  #work(): void {
    const [first, ...others] = this.state.queue;
    if (first === undefined || !this.state.member) return;
    this.state.queue = others;
    if (others.length > 0) this.#workLater(1);
    const { peer, fanout } = first;
    this.#seek(peer, fanout, hopsMax);
    this.#send(peer, this.#self, fanout, hopsMax, false);
  }

  #send(to: PeerRef, target: PeerRef, fanout: number, hops: number, queued: boolean): void {
    const cluster = this.#cluster;
    this.net.trigger(new Seek({ ...this.#to(to), cluster, target, fanout, hops, queued }));
  }

  #seek(target: PeerRef, fanout: number, hops: number): void {
    const { predecessor, successors } = this.state.view;
    const [successor] = successors;
    if (successor === undefined || samePeer(target, this.#self)) return;
    if (target.peerId === successor.peerId) {
      // It is there, or another life of it: nobody else stands before that place.
      if (isLater(target, successor)) this.#consider(target);
      return;
    }
    const others = successors.filter((peer) => !samePeer(peer, this.#self));
    const left = fanout > 1 && others.length > 0 ? fanout - 1 : fanout;
    if (left < fanout) this.#send(this.#draw.pick(others), target, left, hops, true);
    const cluster = this.#cluster;
    const at = target.peerId;
    if (inOpen(at, this.#self.peerId, successor.peerId, this.#size)) {
      this.#consider(target);
      const place = { cluster, before: this.#self, behind: successor };
      this.net.trigger(new Meet({ ...this.#to(target), ...place }));
    } else if (
      predecessor !== null &&
      inOpen(at, predecessor.peerId, this.#self.peerId, this.#size)
    ) {
      const place = { cluster, before: predecessor, behind: this.#self };
      this.net.trigger(new Meet({ ...this.#to(target), ...place }));
    } else if (hops > 0) {
      // Random peers are short cuts, but some may be of the other ring: good for looking around only.
      const ways = fanout > 1 ? others : [...others, ...this.state.sample];
      const next = closestBefore({ size: this.#size }, at, ways);
      // Nearer each time: what goes back and forth is copied with each copy that the network makes of it.
      if (next !== undefined && inOpen(next.peerId, this.#self.peerId, at, this.#size))
        this.#send(next, target, left, hops - 1, false);
    }
  }

  /** This peer belongs between these two in their ring; they belong somewhere in this one's. */
  #meet(before: PeerRef, behind: PeerRef): void {
    const { predecessor } = this.state.view;
    this.#consider(behind);
    if (this.#once("meet", behind, meetMillis)) this.#seek(behind, 1, hopsMax);
    if (
      predecessor === null ||
      samePeer(predecessor, this.#self) ||
      inOpen(before.peerId, predecessor.peerId, this.#self.peerId, this.#size)
    )
      this.net.trigger(
        new Closer({ ...this.#to(before), cluster: this.#cluster, peer: this.#self }),
      );
    if (this.#once("meet", before, meetMillis)) this.#seek(before, 1, hopsMax);
  }

  #consider(peer: PeerRef): void {
    if (!samePeer(peer, this.#self)) this.ring.trigger(new Consider({ peers: [peer] }));
  }
}
