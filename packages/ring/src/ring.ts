/**
 * The component around a ring's transition functions: it has the timers, the messages and the watches, and
 * tells the view. All decisions are made in `relaxed.ts` or `chord.ts`.
 *
 * Invariants: after each step the state does not contradict itself; exactly the peers that the state
 * depends on are watched; a retry is under way while a place or a successor is looked for.
 */

import { Component, ScheduleTimeout, timeout, Timer } from "@kith/core";
import { FailureDetector, Restore, Returned, Suspect, Unwatch, Watch } from "@kith/fd";
import { clusterId, ringSize } from "@kith/membership";
import {
  type Life,
  type Message,
  Network,
  parsePeer,
  type PeerRef,
  samePeer,
  self,
} from "@kith/network";
import { Effects, type RingProtocol } from "./effects.ts";
import { ringError } from "./errors.ts";
import {
  Goto,
  IdInUse,
  Join,
  JoinOk,
  Leaving,
  Linked,
  NewSuccessor,
  peersIn,
  Stabilise,
  Stabilised,
  Successors,
} from "./messages.ts";
import {
  Consider,
  FoundRing,
  JoinRefused,
  JoinRing,
  LeaveRing,
  Ring,
  RingLeft,
  RingView,
} from "./port.ts";
import { leave, consider } from "./relaxed.ts";
import { joinTimeout, stabilisePeriod, successorsMax } from "./settings.ts";
import {
  contradiction,
  emptyRing,
  end,
  includes,
  learnLives,
  noteWays,
  type RingState,
  sameList,
  suspect,
  without,
} from "./state.ts";

class Period extends timeout("ring/Period") {}
class Retry extends timeout("ring/Retry") {}
class Farewell extends timeout("ring/Farewell") {}

/** All messages of a ring. */
export const ringMessages = [
  Join,
  JoinOk,
  Goto,
  IdInUse,
  NewSuccessor,
  Linked,
  Successors,
  Stabilise,
  Stabilised,
  Leaving,
] as const;

/** How many of the peers that are considered are asked at once. */
const consideredMax = 8;
/** How long one who has left stays, so that its neighbours can be told again, in milliseconds. */
const farewellMillis = 1000;

/** What the providers of Ring have in common. */
export abstract class RingNode extends Component {
  readonly ring = this.provides(Ring);
  readonly net = this.requires(Network);
  readonly timer = this.requires(Timer);
  readonly detector = this.requires(FailureDetector);
  readonly #protocol: RingProtocol;
  readonly #jitter = this.random("stabilise");
  #state: RingState = emptyRing({
    self: parsePeer(this.setting(self)),
    size: this.setting(ringSize),
    successorsMax: this.setting(successorsMax),
    cluster: this.setting(clusterId),
  });
  #watched: readonly PeerRef[] = [];
  /** What the watched ones were found from: while it is the same, they are. */
  #watchedFor: readonly unknown[] = [];
  /** What was seen not to contradict itself. */
  #sound: readonly unknown[] = [];

  /** @param protocol decides */
  protected constructor(protocol: RingProtocol) {
    super();
    this.#protocol = protocol;
    this.ring.on(FoundRing, () => this.#found());
    this.ring.on(JoinRing, ({ introducers }) => this.#join(introducers));
    this.ring.on(LeaveRing, () => this.#leave());
    this.ring.on(Consider, ({ peers }) =>
      this.#step((state, effects) => {
        noteWays(state, peers);
        for (const peer of peers.slice(0, consideredMax)) consider(state, peer, effects);
      }),
    );
    for (const cls of ringMessages) this.net.on(cls, (message) => this.#received(message));
    this.detector.on(Suspect, ({ watcher, peer, reason }) => {
      if (watcher === this.#watcher) this.#suspected(peer, reason !== "silent");
    });
    this.detector.on(Returned, ({ watcher, peer, successor }) => {
      if (watcher !== this.#watcher) return;
      this.#suspected(peer, true, successor);
      // It may be of another ring by now, and the only one of it that is known here.
      this.#step((state, effects) => consider(state, successor, effects));
    });
    this.detector.on(Restore, ({ watcher, peer }) => {
      if (watcher !== this.#watcher) return;
      this.#step((state, effects) => {
        state.suspects = without(state.suspects, peer);
        protocol.restored(state, peer, effects);
      });
    });
    this.timer.on(Period, () => {
      this.#step((state, effects) => protocol.stabilise(state, effects));
      this.#schedule();
    });
    this.timer.on(Retry, () =>
      this.#step((state, effects) => {
        state.retrying = false;
        protocol.retry(state, effects);
      }),
    );
    this.timer.on(Farewell, () => this.ring.trigger(new RingLeft()));
    this.onStart(() => this.#schedule());
  }

  /** What is known, for a replacement of either kind. */
  exportState(): { readonly ring: RingState; readonly watched: readonly PeerRef[] } {
    return { ring: this.#state, watched: this.#watched };
  }

  /** Takes over from a ring of either kind. @throws KithError `KITH_RING_STATE` */
  importState({
    ring,
    watched,
  }: {
    readonly ring: RingState;
    readonly watched: readonly PeerRef[];
  }): void {
    const wrong = contradiction(ring);
    if (wrong !== undefined) throw ringError("KITH_RING_STATE", `Of a ring's state: ${wrong}.`);
    this.#state = ring;
    this.#watched = watched;
  }

  get #watcher(): string {
    return `ring/${this.#state.self.peerId}`;
  }

  // --- requests ------------------------------------------------------------------------------------

  #found(): void {
    this.#step((state) => {
      if (state.status === "in" || state.left) return;
      state.status = "in";
      state.predecessor = state.self;
      state.successors = [state.self];
    });
  }

  #join(introducers: readonly PeerRef[]): void {
    this.#step((state, effects) => {
      if (state.status === "in" || state.left) return;
      state.introducers = introducers.filter(({ peerId }) => peerId !== state.self.peerId);
      state.status = "joining";
      state.asking = null;
      this.#protocol.retry(state, effects);
    });
  }

  #leave(): void {
    this.#step(leave);
    const delay = farewellMillis;
    this.timer.trigger(new ScheduleTimeout({ delay, timeout: new Farewell(), id: "farewell" }));
  }

  // --- what comes ----------------------------------------------------------------------------------

  #received(message: Message): void {
    if ("cluster" in message && message.cluster !== this.#state.cluster) return;
    this.#step((state, effects) => {
      learnLives(state, peersIn(message), (past) => this.#protocol.failed(state, past, effects));
      this.#protocol.receive(state, message, effects);
    });
  }

  #suspected(peer: PeerRef, forGood: boolean, later?: Life): void {
    this.#step((state, effects) => {
      if (forGood) end(state, peer, later);
      else suspect(state, peer);
      this.#protocol.failed(state, peer, effects);
    });
  }

  #schedule(): void {
    const period = this.setting(stabilisePeriod);
    const delay = period * (0.8 + 0.4 * this.#jitter.float());
    this.timer.trigger(new ScheduleTimeout({ delay, timeout: new Period(), id: "period" }));
  }

  // --- a step --------------------------------------------------------------------------------------

  #step(action: (state: RingState, effects: Effects) => void): void {
    const state = this.#state;
    const { predecessor, successors, status } = state;
    const effects = new Effects(state.self);
    action(state, effects);
    this.#assert();
    for (const message of effects.messages) this.net.trigger(message);
    if (effects.refusedBy !== null)
      this.ring.trigger(new JoinRefused({ reason: "id-in-use", by: effects.refusedBy }));
    this.#retryLater();
    this.#watch();
    const samePredecessor =
      predecessor === null || state.predecessor === null
        ? predecessor === state.predecessor
        : samePeer(predecessor, state.predecessor);
    if (samePredecessor && status === state.status && sameList(successors, state.successors))
      return;
    const [first, before] = [state.successors[0], successors[0]];
    const sameSuccessor = first !== undefined && before !== undefined && samePeer(first, before);
    if (!samePredecessor || !sameSuccessor) state.stableSince = this.clock.monotonic;
    state.version++;
    this.#tell();
  }

  /** Complains of a state that contradicts itself; lists do not change, so what was sound is. */
  #assert(): void {
    const state = this.#state;
    const { status, predecessor, successors, followers, ended } = state;
    const past = this.#sound;
    if (
      successors === past[0] &&
      followers === past[1] &&
      ended === past[2] &&
      predecessor === past[3] &&
      status === past[4]
    )
      return;
    const wrong = contradiction(state);
    if (wrong !== undefined)
      throw ringError("KITH_RING_STATE", `Of peer ${state.self.peerId}: ${wrong}.`);
    this.#sound = [successors, followers, ended, predecessor, status];
  }

  #tell(): void {
    const { self: own, status, predecessor, successors, version, stableSince } = this.#state;
    this.ring.trigger(
      new RingView({ self: own, status, predecessor, successors, version, stableSince }),
    );
  }

  #retryLater(): void {
    const state = this.#state;
    const looking =
      state.status === "joining" || (state.status === "in" && state.successors.length === 0);
    if (!looking || state.retrying) return;
    state.retrying = true;
    const delay = this.setting(joinTimeout) * (0.8 + 0.4 * this.#jitter.float());
    this.timer.trigger(new ScheduleTimeout({ delay, timeout: new Retry(), id: "retry" }));
  }

  /** Watches whom the state depends on: the neighbours, whoever is asked, and those that may come back. */
  #watch(): void {
    const {
      self: own,
      predecessor,
      successors,
      asking,
      candidates,
      followers,
      suspects,
    } = this.#state;
    const past = this.#watchedFor;
    // After each message; at rest nothing has changed, and nothing need be made to see it.
    if (
      predecessor === past[0] &&
      successors[0] === past[1] &&
      asking === past[2] &&
      candidates === past[3] &&
      followers === past[4] &&
      suspects === past[5]
    )
      return;
    const neighbours = [predecessor, successors[0], asking];
    this.#watchedFor = [...neighbours, candidates, followers, suspects];
    const wanted: PeerRef[] = [];
    // All candidates at one time: each is asked for a moment only, too short for a verdict.
    for (const peer of [...neighbours, ...candidates, ...followers, ...suspects])
      if (peer !== null && peer !== undefined && !samePeer(peer, own) && !includes(wanted, peer))
        wanted.push(peer);
    const watcher = this.#watcher;
    for (const peer of this.#watched)
      if (!includes(wanted, peer)) this.detector.trigger(new Unwatch({ watcher, peer }));
    for (const peer of wanted)
      if (!includes(this.#watched, peer)) this.detector.trigger(new Watch({ watcher, peer }));
    this.#watched = wanted;
  }
}
