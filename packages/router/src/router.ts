/**
 * The component around a table: it has the messages, the timers, the asks of its user and the hops of others. All
 * decisions on ways are made in `route.ts`, all on entries in `state.ts` and the table's own rules.
 *
 * A packet goes from peer to peer; each hop is acknowledged, and one that is not is tried with the next best peer.
 * The end of the way replies to the source directly; where that is not acknowledged, over whoever brought the packet. The
 * source tries the whole again after a time, so that no ask hangs on one lost message.
 *
 * Invariants: a call, leg or report in the state has a timer; what is bounded refuses instead of growing (RT3); a
 * payload is in `delivered` before it is triggered (RT4).
 */

import {
  CancelTimeout,
  Component,
  type Millis,
  type ReplyToken,
  ScheduleTimeout,
  type Setting,
  timeout,
  Timer,
} from "@kith/core";
import { clusterId, ringSize } from "@kith/membership";
import { Network, parsePeer, type PeerRef, samePeer, self } from "@kith/network";
import { Ring, RingView } from "@kith/ring";
import { routerError } from "./errors.ts";
import { covers, shares, without } from "./interval.ts";
import {
  AskFinger,
  Finger,
  type Goal,
  Hop,
  HopAck,
  type Outcome,
  type Packet,
  Relay,
  Reply,
  ReplyAck,
} from "./messages.ts";
import { packed, unpacked } from "./payload.ts";
import {
  Covered,
  type Interval,
  Learn,
  Located,
  Lookup,
  type RouteFailure,
  type Routed,
  Router,
  SendToInterval,
  SendToKey,
  SendToPeer,
  Sent,
} from "./port.ts";
import { decide, ttlFor } from "./route.ts";
import {
  attemptsMax,
  attemptTimeout,
  callsMax,
  deliveredMax,
  hopTimeout,
  legsMax,
  proximity,
  refreshPeriod,
} from "./settings.ts";
import {
  type Asker,
  avoid,
  type Call,
  contradiction,
  emptyState,
  type Entry,
  entryOf,
  type Hearing,
  learn,
  measured,
  missed,
  nameOf,
  peersAbout,
  type RouterState,
  trim,
} from "./state.ts";
import type { Table } from "./table.ts";

class Refreshing extends timeout("router/Refreshing") {}
class AttemptOver extends timeout("router/AttemptOver")<{ readonly seq: number }> {}
class HopOver extends timeout("router/HopOver")<{ readonly hop: number }> {}
class ReplyOver extends timeout("router/ReplyOver")<{ readonly reply: number }> {}

/** How often one peer tries to hand a packet on. */
const triesMax = 4;
const excludedMax = 4;
/** How long what was passed on or delivered is remembered, in milliseconds. */
const memoryMillis = 60_000;
const passedMax = 1024;
const reportsMax = 1024;
/** Rounds of refreshing that come ten times as fast. */
const earlyRounds = 16;
const hopMillisMin = 100;
const hopMillisMax = 2000;

/** What the providers of Router have in common. */
export abstract class RouterNode extends Component {
  readonly router = this.provides(Router);
  readonly ring = this.requires(Ring);
  readonly net = this.requires(Network);
  readonly timer = this.requires(Timer);
  readonly #table: Table;
  readonly #draw = this.random("router");
  #state: RouterState = emptyState({
    self: parsePeer(this.setting(self)),
    size: this.setting(ringSize),
    cluster: this.setting(clusterId),
  });

  /** @param table makes the rules of the table, from the settings that hold here */
  protected constructor(table: (read: <T>(setting: Setting<T>) => T) => Table) {
    super();
    this.#table = table((one) => this.setting(one));
    this.#check(this.#state.self.peerId);
    this.router.on(Lookup, ({ key }, token) => {
      this.#check(key);
      this.#call({ kind: "lookup", token }, key, { kind: "lookup" });
    });
    this.router.on(SendToKey, ({ key, payload }, token) => {
      this.#check(key);
      this.#call({ kind: "send", token }, key, { kind: "key", payload: this.#packed(payload) });
    });
    this.router.on(SendToPeer, ({ peer, payload }, token) =>
      this.#call({ kind: "send", token }, peer.peerId, {
        kind: "peer",
        peer,
        payload: this.#packed(payload),
      }),
    );
    this.router.on(SendToInterval, ({ interval, payload }, token) => {
      this.#check(interval.first);
      this.#check(interval.last);
      const goal: Goal = {
        kind: "interval",
        until: interval.last,
        payload: this.#packed(payload),
      };
      this.#call({ kind: "interval", token }, interval.first, goal, [interval]);
    });
    this.router.on(Learn, ({ peers }) => {
      for (const peer of peers) this.#learn(peer, false);
    });
    this.ring.on(RingView, (view) => this.#viewed(view));
    this.net.on(Hop, (hop) => this.#hopped(hop));
    this.net.on(HopAck, (ack) => this.#acknowledged(ack));
    this.net.on(Reply, ({ from, cluster, reply, outcome }) => {
      if (cluster !== this.#state.cluster) return;
      this.net.trigger(new ReplyAck({ ...this.#to(from), reply }));
      this.#learn(from, true);
      this.#concluded(outcome);
    });
    this.net.on(ReplyAck, ({ from, reply }) => {
      this.#learn(from, true);
      if (this.#state.reports.delete(reply)) this.#cancel(`reply/${reply}`);
    });
    this.net.on(Relay, (relay) => this.#relayed(relay));
    this.net.on(AskFinger, ({ from, cluster, level }) => {
      if (cluster !== this.#state.cluster) return;
      const peer = this.#table.finger(this.#state, level);
      this.net.trigger(new Finger({ ...this.#to(from), level, peer }));
      this.#learn(from, true);
    });
    this.net.on(Finger, ({ from, level, peer }) => this.#fingerTold(from, level, peer));
    this.timer.on(Refreshing, () => this.#refresh());
    this.timer.on(AttemptOver, ({ seq }) => this.#attempt(seq, null));
    this.timer.on(HopOver, ({ hop }) => this.#hopOver(hop));
    this.timer.on(ReplyOver, ({ reply }) => this.#replyOver(reply));
    this.onStart(() => this.#refreshLater());
  }

  /** What is known, for a replacement of any kind, and for monitors. */
  exportState(): RouterState {
    return this.#state;
  }

  /** Takes over from a router of any kind. @throws KithError `KITH_ROUTER_STATE` */
  importState(state: RouterState): void {
    const wrong = contradiction(state);
    if (wrong !== undefined)
      throw routerError("KITH_ROUTER_STATE", `Of a router's state: ${wrong}.`);
    this.#state = state;
    for (const entry of [...state.entries])
      if (state.entries.includes(entry)) this.#table.trim(state, entry);
  }

  // --- what is asked -------------------------------------------------------------------------------

  #check(key: number): void {
    if (Number.isSafeInteger(key) && key >= 0 && key < this.#state.size) return;
    throw routerError("KITH_ROUTER_KEY", `${key} is no key.`);
  }

  #packed(payload: Routed): ReturnType<typeof packed> {
    return packed(payload, this.#state.self);
  }

  #call(asker: Asker, key: number, goal: Goal, gaps: Interval[] = []): void {
    const state = this.#state;
    const seq = ++state.seq;
    const call: Call = { seq, asker, key, goal, attempt: 0, left: false, gaps, by: [] };
    if (state.calls.size >= this.setting(callsMax)) {
      this.#tell(call, "busy", null);
      return;
    }
    state.calls.set(seq, call);
    this.#attempt(seq, null);
  }

  /** Begins the next attempt, or ends the call (RT3). */
  #attempt(seq: number, failure: RouteFailure | null): void {
    const state = this.#state;
    const call = state.calls.get(seq);
    if (call === undefined) return;
    if (call.attempt >= this.setting(attemptsMax)) {
      this.#end(call, failure ?? (state.view.status === "in" ? "silence" : "out"), null);
      return;
    }
    call.attempt++;
    const delay = this.setting(attemptTimeout);
    const over = new AttemptOver({ seq });
    this.timer.trigger(new ScheduleTimeout({ delay, timeout: over, id: `call/${seq}` }));
    const parts = call.goal.kind === "interval" ? call.gaps : [{ first: call.key, last: call.key }];
    for (const { first: key, last } of [...parts]) {
      const { goal, attempt } = call;
      const ttl = ttlFor(peersAbout(state));
      const packet: Packet = {
        source: state.self,
        seq,
        attempt,
        key,
        goal: goal.kind === "interval" ? { ...goal, until: last } : goal,
        last: false,
        hops: 0,
        ttl,
        excluded: [],
      };
      // Straight to a peer that is named: over others only where that fails.
      if (goal.kind === "peer" && attempt === 1 && !samePeer(goal.peer, state.self))
        this.#send(packet, goal.peer, true, 0);
      else this.#route(packet, null);
    }
  }

  #end(call: Call, failure: RouteFailure | null, outcome: Outcome | null): void {
    if (this.#state.calls.delete(call.seq)) this.#cancel(`call/${call.seq}`);
    this.#tell(call, failure, outcome);
  }

  #tell(
    { asker, key, left, gaps, by }: Call,
    failure: RouteFailure | null,
    outcome: Outcome | null,
  ): void {
    const peer = failure === null ? (outcome?.peer ?? null) : null;
    const hops = outcome?.hops ?? 0;
    switch (asker.kind) {
      case "lookup": {
        const after = outcome?.predecessor?.peerId ?? null;
        const located = { key, peer, after: peer === null ? null : after, hops, failure };
        this.#reply(asker.token, new Located(located));
        break;
      }
      case "send": {
        const status =
          failure === null ? "delivered" : left && !definite(failure) ? "unknown" : "failed";
        this.#reply(asker.token, new Sent({ status, by: peer, hops, failure }));
        break;
      }
      case "interval":
        this.#reply(asker.token, new Covered({ by, gaps, failure }));
        break;
      case "refresh":
    }
  }

  #reply<R extends Located | Sent | Covered>(token: ReplyToken<R>, answer: R): void {
    this.router.reply(token, answer);
  }

  // --- the way -------------------------------------------------------------------------------------

  /** Takes a packet a step further; `via` has brought it. */
  #route(packet: Packet, via: PeerRef | null, tries = 0): void {
    const state = this.#state;
    const table = this.setting(proximity) ? this.#table : null;
    const decision = decide(state, packet, table, this.#draw);
    switch (decision.kind) {
      case "deliver":
        this.#arrived(packet, via);
        break;
      case "forward":
        this.#send(packet, decision.step.to, decision.step.last, tries);
        break;
      case "nobody":
        this.#report(packet, via, "nobody", null);
        break;
      case "out":
        // The source itself waits: it may come into the ring before the next attempt.
        if (!samePeer(packet.source, state.self)) this.#report(packet, via, "nobody", null);
    }
  }

  #send(packet: Packet, to: PeerRef, last: boolean, tries: number): void {
    const state = this.#state;
    if (packet.ttl <= 0) {
      this.#report(packet, null, "nobody", null);
      return;
    }
    const own = state.calls.get(packet.seq);
    if (own !== undefined && samePeer(packet.source, state.self)) own.left = true;
    const hop = ++state.hop;
    const sent = { ...packet, last, hops: packet.hops + 1, ttl: packet.ttl - 1 };
    state.legs.set(hop, { packet, to, sent: this.clock.monotonic, tries });
    const delay = this.#patience(to);
    const over = new HopOver({ hop });
    this.timer.trigger(new ScheduleTimeout({ delay, timeout: over, id: `hop/${hop}` }));
    this.net.trigger(new Hop({ ...this.#to(to), cluster: state.cluster, hop, packet: sent }));
  }

  #hopped({ from, cluster, hop, packet }: Hop): void {
    const state = this.#state;
    if (cluster !== state.cluster) return;
    this.#learn(from, true);
    const named = packet.goal.kind === "peer" && samePeer(packet.goal.peer, state.self);
    const member = state.view.status === "in" || state.former !== null || named;
    const full = state.legs.size >= this.setting(legsMax);
    const taking = !member ? "out" : full ? "busy" : state.former !== null ? "leaving" : "taken";
    const { predecessor } = state.view;
    this.net.trigger(new HopAck({ ...this.#to(from), hop, taking, predecessor }));
    if (!member || full) return;
    // The copy of a retry: the first one is on its way.
    const { source, seq, attempt, key } = packet;
    const name = `${nameOf(source)}/${seq}/${attempt}/${key}`;
    if (state.passed.has(name)) return;
    state.passed.set(name, this.clock.monotonic);
    trim(state.passed, passedMax);
    this.#learn(source, false);
    this.#route(packet, from);
  }

  #acknowledged({ from, hop, taking, predecessor }: HopAck): void {
    const state = this.#state;
    this.#learn(from, true, predecessor?.peerId ?? null);
    if (predecessor !== null) this.#learn(predecessor, false);
    const leg = state.legs.get(hop);
    if (leg === undefined || !samePeer(leg.to, from)) return;
    state.legs.delete(hop);
    this.#cancel(`hop/${hop}`);
    measured(state, from, this.clock.monotonic - leg.sent);
    if (taking === "leaving") avoid(state, from, "left", this.clock.monotonic);
    if (taking === "out") avoid(state, from, "silent", this.clock.monotonic);
    if (taking === "out" || taking === "busy") this.#again(leg);
  }

  #hopOver(hop: number): void {
    const leg = this.#state.legs.get(hop);
    if (leg === undefined) return;
    this.#state.legs.delete(hop);
    missed(this.#state, leg.to, this.clock.monotonic);
    this.#again(leg);
  }

  /** Tries the next best; after some the source has to try anew. */
  #again({
    packet,
    to,
    tries,
  }: {
    readonly packet: Packet;
    readonly to: PeerRef;
    readonly tries: number;
  }): void {
    if (tries + 1 >= triesMax) return;
    const others = packet.excluded.filter((one) => !samePeer(one, to));
    const excluded = [...others, to].slice(-excludedMax);
    this.#route({ ...packet, excluded }, null, tries + 1);
  }

  /** How long an acknowledgement of this peer is waited for. */
  #patience(peer: PeerRef): Millis {
    const { roundTrip, deviation } = entryOf(this.#state, peer) ?? {
      roundTrip: null,
      deviation: 0,
    };
    if (roundTrip === null) return this.setting(hopTimeout);
    return Math.min(hopMillisMax, Math.max(hopMillisMin, roundTrip + 4 * deviation));
  }

  // --- the end of the way --------------------------------------------------------------------------

  #arrived(packet: Packet, via: PeerRef | null): void {
    const { goal, key, source, seq } = packet;
    const state = this.#state;
    if (goal.kind === "lookup") {
      this.#report(packet, via, null, null);
      return;
    }
    if (goal.kind === "peer" && !samePeer(goal.peer, state.self)) {
      // Its heir, or its next life: neither is meant.
      this.#report(packet, via, "nobody", null);
      return;
    }
    const name = `${nameOf(source)}/${seq}`;
    let failure: RouteFailure | null = null;
    if (!state.delivered.has(name)) {
      const payload = unpacked(goal.payload);
      if (payload === undefined) failure = "unknown-payload";
      else if (!this.#remember(name)) failure = "busy";
      else this.router.trigger(payload);
    }
    if (goal.kind !== "interval") {
      this.#report(packet, via, failure, null);
      return;
    }
    const part = covers(state, { first: key, last: goal.until });
    this.#report(packet, via, failure, failure === null ? part : null);
    if (part.last === goal.until) return;
    const rest = { first: (part.last + 1) % state.size, last: goal.until };
    for (const share of shares(state, rest)) {
      const { first, last } = share.part;
      // The parts shrink; each has a way of its own.
      const ttl = ttlFor(peersAbout(state));
      const next = { ...packet, key: first, goal: { ...goal, until: last }, last: false, ttl };
      const fresh = { ...next, excluded: [] };
      if (share.via === null) this.#route(fresh, via);
      else this.#send(fresh, share.via, false, 0);
    }
  }

  /** Whether there was room to remember that this was delivered (RT4). */
  #remember(name: string): boolean {
    const { delivered } = this.#state;
    const now = this.clock.monotonic;
    forget(delivered, now);
    if (delivered.size >= this.setting(deliveredMax)) return false;
    delivered.set(name, now);
    return true;
  }

  #report(
    packet: Packet,
    via: PeerRef | null,
    failure: RouteFailure | null,
    covered: Interval | null,
  ): void {
    const state = this.#state;
    const { source, seq, hops } = packet;
    const { predecessor, successors } = state.view;
    const about = { peer: state.self, predecessor, successors };
    const outcome: Outcome = { seq, failure, ...about, hops, covered };
    if (samePeer(source, state.self)) {
      this.#concluded(outcome);
      return;
    }
    const reply = ++state.reply;
    // Beyond the bound one is sent all the same, but nobody waits for its acknowledgement.
    if (state.reports.size < reportsMax) {
      state.reports.set(reply, { target: source, outcome, via });
      const over = new ReplyOver({ reply });
      const delay = this.#patience(source);
      this.timer.trigger(new ScheduleTimeout({ delay, timeout: over, id: `reply/${reply}` }));
    }
    const { cluster } = state;
    this.net.trigger(new Reply({ ...this.#to(source), cluster, reply, outcome }));
  }

  #replyOver(reply: number): void {
    const { reports, cluster } = this.#state;
    const report = reports.get(reply);
    if (report === undefined) return;
    reports.delete(reply);
    const { target, outcome, via } = report;
    // What fails now is for the source's next attempt.
    if (via !== null && !samePeer(via, target))
      this.net.trigger(new Relay({ ...this.#to(via), cluster, target, outcome }));
    else this.net.trigger(new Reply({ ...this.#to(target), cluster, reply, outcome }));
  }

  #relayed({ cluster, target, outcome }: Relay): void {
    if (cluster !== this.#state.cluster) return;
    const reply = ++this.#state.reply;
    this.net.trigger(new Reply({ ...this.#to(target), cluster, reply, outcome }));
  }

  /** An outcome has come to this peer, the source. */
  #concluded(outcome: Outcome): void {
    const state = this.#state;
    const { seq, failure, peer, predecessor, successors, covered } = outcome;
    this.#learnRun([predecessor, peer, ...successors]);
    const call = state.calls.get(seq);
    if (call === undefined) return;
    if (covered !== null) {
      call.gaps = without(call.gaps, covered, state.size);
      if (!call.by.some((one) => samePeer(one, peer))) call.by.push(peer);
      if (call.gaps.length === 0) this.#end(call, null, outcome);
      return;
    }
    if (failure === null || definite(failure)) this.#end(call, failure, outcome);
    // Whoever was asked knows of nobody: another attempt is made in its time, if there is one left.
    else if (call.attempt >= this.setting(attemptsMax) && call.goal.kind !== "interval")
      this.#end(call, failure, outcome);
  }

  // --- the table -----------------------------------------------------------------------------------

  #viewed({ status, predecessor, successors }: RingView): void {
    const state = this.#state;
    const { view } = state;
    if (status === "in") {
      if (view.status !== "in") {
        state.rounds = 0;
        this.#refreshLater();
      }
      state.former = null;
    } else if (view.status === "in") {
      state.former = view;
    }
    state.view = { status, predecessor, successors };
    if (status === "in") this.#learnRun([predecessor, state.self, ...successors], true);
  }

  /** Takes peers up that stand one behind the other in the ring. */
  #learnRun(run: readonly (PeerRef | null)[], firstHand = false): void {
    let before: PeerRef | null = null;
    for (const peer of run) {
      // A ring of one, or a list that goes round.
      if (peer !== null) this.#learn(peer, firstHand, before?.peerId ?? null);
      before = peer;
    }
  }

  #learn(peer: PeerRef, firstHand: boolean, after: number | null = null): void {
    const hearing: Hearing = { firstHand, after, now: this.clock.monotonic };
    if (!learn(this.#state, peer, hearing, this.#table.refuses)) return;
    const entry: Entry | undefined = entryOf(this.#state, peer);
    if (entry !== undefined) this.#table.trim(this.#state, entry);
  }

  #fingerTold(from: PeerRef, level: number, peer: PeerRef | null): void {
    const state = this.#state;
    this.#learn(from, true);
    const { asked } = state;
    if (asked === null || asked.level !== level || !samePeer(asked.peer, from)) return;
    state.asked = null;
    // Without the trimming, which would throw out what is no finger yet.
    if (peer !== null) learn(state, peer, { firstHand: false, now: this.clock.monotonic });
    this.#table.fingerTold(state, level, peer);
  }

  #refreshLater(): void {
    const { rounds } = this.#state;
    const period = this.setting(refreshPeriod) / (rounds < earlyRounds ? 10 : 1);
    const delay = period * (0.8 + 0.4 * this.#draw.float());
    this.timer.trigger(new ScheduleTimeout({ delay, timeout: new Refreshing(), id: "refresh" }));
  }

  #refresh(): void {
    const state = this.#state;
    this.#refreshLater();
    forget(state.passed, this.clock.monotonic);
    forget(state.delivered, this.clock.monotonic);
    if (state.view.status !== "in") return;
    if (state.asked !== null) {
      missed(state, state.asked.peer, this.clock.monotonic);
      state.asked = null;
    }
    const refresh = this.#table.refresh(state, this.#draw);
    state.rounds++;
    if (refresh === null) return;
    if (refresh.kind === "lookup") {
      this.#call({ kind: "refresh" }, refresh.key, { kind: "lookup" });
      return;
    }
    const { peer, level } = refresh;
    state.asked = { peer, level };
    this.net.trigger(new AskFinger({ ...this.#to(peer), cluster: state.cluster, level }));
  }

  // --- small things --------------------------------------------------------------------------------

  /** The envelope: a virtual peer speaks for itself, not for its process. */
  #to(peer: PeerRef): { readonly to: PeerRef; readonly from: PeerRef } {
    return { to: peer, from: this.#state.self };
  }

  #cancel(id: string): void {
    this.timer.trigger(new CancelTimeout({ id }));
  }
}

/** Whether another attempt could not change it, and nothing was delivered. */
function definite(failure: RouteFailure): boolean {
  return failure === "unknown-payload";
}

/** Removes what is older than the memory; the oldest stand first. */
function forget(table: Map<string, Millis>, now: Millis): void {
  for (const [name, since] of table) {
    if (now - since < memoryMillis) return;
    table.delete(name);
  }
}
