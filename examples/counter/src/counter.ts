/**
 * A counter without a server: every node counts for itself, and the nodes tell each other what they
 * have heard. The total is the sum of the largest count heard of each node (a grow-only counter;
 * Shapiro et al. 2011, "Conflict-free replicated data types", §3.1.1).
 *
 * Invariants:
 *
 * - A node tells nobody a count of its own that would not survive a power cut, or another life of it
 *   would tell the same number for something else. So an increment counts once it is flushed.
 * - A count never shrinks: what is heard is merged by the maximum, in any order and any number of times.
 */

import {
  Component,
  type Millis,
  port,
  type ReplyToken,
  request,
  event,
  SchedulePeriodic,
  timeout,
  Timer,
} from "@kith/core";
import {
  addressOf,
  ConnectionDown,
  ConnectionUp,
  Dropped,
  message,
  Network,
  parseAddress,
  parsePeer,
  type PeerRef,
  self,
} from "@kith/network";
import { Flushed, KeyValue, ReadKey, Storage, Write } from "@kith/storage";

/** Answers an Increment: the increment will not be forgotten. */
export class Counted extends event("counter/Counted")<{
  /** How many increments this node has counted, in all its lives. */
  readonly own: number;
}> {}

/** Counts one more. */
export class Increment extends request("counter/Increment", Counted) {}

/** The total is another one now. The first one comes when the node knows what it counted in earlier lives. */
export class Total extends event("counter/Total")<{
  readonly total: number;
  /** What this node has counted of it. */
  readonly own: number;
}> {}

/** A counter that all nodes share. */
export const Counting = port("Counting", { requests: [Increment], indications: [Total] });

/** All that a node has heard: counts by peerId, and where nodes are. */
export class Gossip extends message("counter/Gossip")<{
  readonly counts: ReadonlyMap<number, number>;
  readonly peers: readonly PeerRef[];
}> {}

class Tick extends timeout("counter/Tick") {}

const place = { namespace: "counter", key: new TextEncoder().encode("own") };

/** The shared counter's part on one node. */
export class Counter extends Component {
  readonly counting = this.provides(Counting);
  readonly timer = this.requires(Timer);
  readonly net = this.requires(Network);
  readonly storage = this.requires(Storage);

  readonly state = this.declareState<CounterState>({
    counts: new Map(),
    peers: new Map(),
    begun: null,
    early: [],
    total: -1,
  });

  readonly #self = parsePeer(this.setting(self));
  readonly #whom = this.random("whom");

  readonly #load = this.storage.onAnswer(ReadKey, (answer) => {
    if (!(answer instanceof KeyValue)) throw new Error("What was counted cannot be read.");
    const { state } = this;
    state.begun = answer.value === null ? 0 : Number(new TextDecoder().decode(answer.value));
    this.#merge(new Map([[this.#self.peerId, state.begun]]));
    for (const token of state.early.splice(0)) this.#increment(token);
  });

  readonly #save = this.storage.onAnswer(Write, (answer, _write, context: Saved) => {
    // A node whose disk fails must not go on: nobody can say what another life of it would find.
    if (!(answer instanceof Flushed)) throw new Error("What was counted cannot be written.");
    this.#merge(new Map([[this.#self.peerId, context.own]]));
    this.counting.reply(context.token, new Counted({ own: context.own }));
  });

  constructor(init: CounterInit) {
    super();
    this.counting.on(Increment, (_increment, token) => this.#increment(token));
    this.timer.on(Tick, () => this.#gossip());
    this.net.on(Gossip, (gossip) => {
      this.#meet(gossip.from);
      for (const peer of gossip.peers) this.#hearOf(peer);
      this.#merge(gossip.counts);
    });
    // Whoever answers at an address is the one who lives there now, whomever one had expected.
    this.net.on(ConnectionUp, ({ peer }) => this.#meet(peer));
    // What is lost is told again at a later tick.
    this.net.on(ConnectionDown, () => undefined);
    this.net.on(Dropped, () => undefined);
    this.onStart(() => {
      for (const address of init.join ?? [])
        this.#hearOf({ ...parseAddress(address), peerId: 0, incarnation: 0 });
      this.#load(new ReadKey(place));
      const { every } = init;
      this.timer.trigger(new SchedulePeriodic({ period: every, timeout: new Tick() }));
    });
  }

  #increment(token: ReplyToken<Counted>): void {
    const { state } = this;
    if (state.begun === null) {
      state.early.push(token);
      return;
    }
    const own = ++state.begun;
    const value = new TextEncoder().encode(String(own));
    const put = { kind: "put", key: place.key, value } as const;
    this.#save(new Write({ namespace: place.namespace, operations: [put] }), {
      context: { own, token },
    });
  }

  #merge(counts: ReadonlyMap<number, number>): void {
    const { state } = this;
    for (const [peerId, count] of counts)
      if (count > (state.counts.get(peerId) ?? -1)) state.counts.set(peerId, count);
    const total = [...state.counts.values()].reduce((sum, count) => sum + count, 0);
    if (state.begun === null || total === state.total) return;
    state.total = total;
    this.counting.trigger(new Total({ total, own: state.counts.get(this.#self.peerId) ?? 0 }));
  }

  #gossip(): void {
    const { begun, counts, peers } = this.state;
    // Before that, others may have told an older count of this node than it has.
    if (begun === null || peers.size === 0) return;
    const known = [...peers.values()];
    this.net.trigger(
      new Gossip({ to: this.#whom.pick(known), counts: new Map(counts), peers: known }),
    );
  }

  #meet(peer: PeerRef): void {
    this.state.peers.set(addressOf(peer), peer);
  }

  #hearOf(peer: PeerRef): void {
    const address = addressOf(peer);
    if (address === addressOf(this.#self)) return;
    const known = this.state.peers.get(address);
    if (known === undefined || known.incarnation < peer.incarnation) this.#meet(peer);
  }
}

/** What a counter has to know. */
export interface CounterInit {
  /** How often it gossips, in milliseconds. */
  readonly every: Millis;
  /** Addresses (`host:port`) of nodes to begin with; the others are heard of. */
  readonly join?: readonly string[];
}

interface CounterState {
  /** The largest count heard of each node; one's own is the flushed one. */
  readonly counts: Map<number, number>;
  /** Who was last met at an address, or heard of there. */
  readonly peers: Map<string, PeerRef>;
  /** Increments that are on the disk or on their way to it; null until what earlier lives counted is known. */
  begun: number | null;
  /** Those who asked before that. */
  readonly early: ReplyToken<Counted>[];
  total: number;
}

interface Saved {
  readonly own: number;
  readonly token: ReplyToken<Counted>;
}
