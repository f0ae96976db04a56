/**
 * T-Man on the ring (Jelasity, Montresor, Babaoglu 2009): each round a peer exchanges the closest
 * references it has with one of its neighbours, beside a random sample. Neighbours are found in O(log n)
 * rounds from any connected beginning, and most damage heals. It promises nothing about consistency:
 * whoever uses a candidate contacts it first.
 *
 * References carry ages as in Cyclon, so that those to the gone die out: only a peer itself makes its
 * reference young. Invariant: the view holds the closest ones on both sides of all that it was shown.
 */

import { Component, SchedulePeriodic, timeout, Timer } from "@kith/core";
import { message, Network, parsePeer, type PeerRef, self } from "@kith/network";
import { Introduce, Nearest, Nearness, PeerSampling, Sample } from "./port.ts";
import { clusterId, nearnessMax, nearnessPeriod } from "./settings.ts";
import { distance, ringSize } from "./space.ts";
import { aged, type Entry, isSelf, merge } from "./view.ts";

/** The references of one peer that are closest to another. */
export class Neighbours extends message("membership/Neighbours")<{
  readonly cluster: string;
  readonly entries: readonly Entry[];
  /** Whether an answer is wanted. */
  readonly wanted: boolean;
}> {}

class Round extends timeout("membership/TManRound") {}

/** Clockwise, and counterclockwise; the nearest first. */
interface Sides {
  readonly successors: Entry[];
  readonly predecessors: Entry[];
}

/** Rounds after which a reference that its peer has not renewed is dropped. */
const ageLimit = 12;
const randomMax = 8;

/** The neighbours on the ring by gossip. What it says are hints: see `Nearness`. */
export class TMan extends Component {
  readonly nearness = this.provides(Nearness);
  readonly sampling = this.requires(PeerSampling);
  readonly net = this.requires(Network);
  readonly timer = this.requires(Timer);
  readonly state = this.declareState<{
    view: readonly Entry[];
    random: readonly PeerRef[];
    /** When the ages were right, in monotonic milliseconds. */
    agedAt: number;
  }>({ view: [], random: [], agedAt: this.clock.monotonic });
  readonly #self = parsePeer(this.setting(self));
  readonly #cluster = this.setting(clusterId);
  readonly #side = this.setting(nearnessMax);
  readonly #size = this.setting(ringSize);
  readonly #period = this.setting(nearnessPeriod);
  readonly #draw = this.random("tman");

  constructor() {
    super();
    this.nearness.on(Introduce, ({ peers }) => this.#take(peers.map((peer) => ({ peer, age: 0 }))));
    this.sampling.on(Sample, ({ peers }) => {
      this.state.random = this.#draw.shuffle(peers).slice(0, randomMax);
    });
    this.net.on(Neighbours, ({ from, cluster, entries, wanted }) => {
      if (cluster !== this.#cluster) return;
      this.#age();
      // Before the taking in, which would send back what has come.
      if (wanted) this.#send(from, false);
      this.#take([...entries, { peer: from, age: 0 }]);
    });
    this.timer.on(Round, () => this.#round());
    this.onStart(() => {
      const period = this.#period;
      const delay = this.#draw.float() * period;
      this.timer.trigger(new SchedulePeriodic({ period, delay, timeout: new Round() }));
    });
  }

  #round(): void {
    this.#age();
    const { successors, predecessors } = this.#sides(this.#self.peerId, this.state.view);
    const closest = [...successors, ...predecessors].slice(0, 2).map(({ peer }) => peer);
    const targets = [...closest, ...this.state.random.slice(0, 1)];
    if (targets.length > 0) this.#send(this.#draw.pick(targets), true);
  }

  #age(): void {
    const now = this.clock.monotonic;
    const rounds = (now - this.state.agedAt) / this.#period;
    this.state.view = aged(this.state.view, rounds, ageLimit);
    this.state.agedAt = now;
  }

  #send(to: PeerRef, wanted: boolean): void {
    const known = this.state.view.concat(
      this.state.random.map((peer) => ({ peer, age: ageLimit })),
    );
    const own: Entry = { peer: this.#self, age: 0 };
    const entries = all(this.#sides(to.peerId, known)).concat(own);
    this.net.trigger(
      new Neighbours({ to, from: this.#self, cluster: this.#cluster, entries, wanted }),
    );
  }

  #take(incoming: readonly Entry[]): void {
    this.#age();
    const merged = merge(this.state.view, incoming, [], this.#self, Number.MAX_SAFE_INTEGER);
    const sides = this.#sides(this.#self.peerId, merged);
    const { successors, predecessors } = sides;
    this.state.view = all(sides);
    this.nearness.trigger(
      new Nearest({
        successors: successors.map(({ peer }) => peer),
        predecessors: predecessors.map(({ peer }) => peer),
      }),
    );
  }

  /** The nearest of these on both sides of a point: clockwise, then counterclockwise. */
  #sides(point: number, entries: readonly Entry[]): Sides {
    const clockwise: Entry[] = [];
    const distances: number[] = [];
    for (const entry of entries) {
      const { peer } = entry;
      if (peer.peerId === point || isSelf(peer, this.#self)) continue;
      // Sorted as they come, for most come in order.
      const away = distance(point, peer.peerId, this.#size);
      let at = clockwise.length;
      for (; at > 0 && (distances[at - 1] ?? 0) > away; at--) {
        distances[at] = distances[at - 1] ?? 0;
        clockwise[at] = clockwise[at - 1] ?? entry;
      }
      distances[at] = away;
      clockwise[at] = entry;
    }
    return {
      successors: clockwise.slice(0, this.#side),
      predecessors: clockwise.slice(-this.#side).reverse(),
    };
  }
}

/** Those of both sides, none twice: where there are few, one may be of both. */
function all({ successors, predecessors }: Sides): Entry[] {
  return successors.concat(predecessors.filter((entry) => !successors.includes(entry)));
}
