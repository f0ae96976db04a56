/**
 * SWIM with Lifeguard: membership by probing one member at a time, asking others to probe it where it does
 * not answer, and passing on what one hears with each message (algorithms.md §1.3).
 *
 * The rules stand in `swim-state.ts`; here are the timers and the messages. A process that has stood
 * still accuses and buries nobody for what it missed: its late timers wait once more.
 */

import { CancelTimeout, Component, type Millis, ScheduleTimeout, timeout, Timer } from "@kith/core";
import {
  message,
  Network,
  parsePeer,
  type PeerRef,
  processOf,
  sameProcess,
  self,
} from "@kith/network";
import {
  Enter,
  Leave,
  MemberAlive,
  MemberDead,
  MemberLeft,
  Membership,
  MemberSuspected,
} from "./members.ts";
import { stallMin, swimPeriod } from "./settings.ts";
import {
  doubt,
  emptySwim,
  fullView,
  learn,
  type Member,
  type News,
  nextProbe,
  piggyback,
  population,
  predecessors,
  refutation,
  suspicionMillis,
  type SwimState,
} from "./swim-state.ts";

/** Asks a member whether it lives. */
export class Probe extends message("fd/Probe")<{
  readonly seq: number;
  /** The sender's own number: each message says that its sender is alive. */
  readonly number: number;
  readonly news: readonly News[];
}> {}

/** It does: the prober itself, or another one of whom the prober had asked it. */
export class Ack extends message("fd/Ack")<{
  readonly seq: number;
  readonly number: number;
  readonly news: readonly News[];
}> {}

/** Asks to probe another one on one's behalf. */
export class ProbeRequest extends message("fd/ProbeRequest")<{
  readonly seq: number;
  readonly number: number;
  readonly target: PeerRef;
  readonly news: readonly News[];
}> {}

/** The one who was asked lives, but has no answer from the target either. */
export class Nack extends message("fd/Nack")<{ readonly seq: number }> {}

/** All that one knows, or a part of it that should spread fast. */
export class View extends message("fd/View")<{
  readonly number: number;
  readonly news: readonly News[];
  /** Whether the other's view is wanted in return. */
  readonly wanted: boolean;
}> {}

class Period extends timeout("fd/SwimPeriod")<{ readonly due: Millis }> {}
class NoAck extends timeout("fd/SwimNoAck")<{ readonly seq: number; readonly due: Millis }> {}
class NoAckFor extends timeout("fd/SwimNoAckFor")<{ readonly seq: number }> {}
class Verdict extends timeout("fd/SwimVerdict")<{ readonly peer: PeerRef; readonly due: Millis }> {}
class Exchange extends timeout("fd/SwimExchange") {}

/** The probe of this period. */
interface Probing {
  readonly peer: PeerRef;
  readonly seq: number;
  acknowledged: boolean;
  /** How many were asked to help, and how many of them answered that they had no answer either. */
  helpers: number;
  nacks: number;
}

/** A probe on behalf of another. */
interface Errand {
  readonly asker: PeerRef;
  readonly seq: number;
}

interface State extends SwimState {
  seq: number;
  probing: Probing | null;
  /** By the number of the probe that was sent on behalf. */
  errands: Map<number, Errand>;
  seeds: readonly PeerRef[];
  seedAt: number;
}

const helpersMax = 3;
const errandsMax = 1000;
/** How long news still go to one who was called dead, so that it can contradict. */
const afterlifeMillis = 30_000;
/** How long the dead are remembered, so that old news do not bring them back. */
const graveMillis = 600_000;
const exchangeMillis = 30_000;

/** Knows who takes part. What it says is a hint: see `Membership`. */
export class Swim extends Component {
  readonly membership = this.provides(Membership);
  readonly net = this.requires(Network);
  readonly timer = this.requires(Timer);
  readonly state = this.declareState<State>({
    ...emptySwim(),
    seq: 0,
    probing: null,
    errands: new Map(),
    seeds: [],
    seedAt: 0,
  });
  readonly #self = parsePeer(this.setting(self));
  readonly #period = this.setting(swimPeriod);
  readonly #stallMin = this.setting(stallMin);
  readonly #draw = this.random("swim");

  constructor() {
    super();
    this.membership.on(Enter, ({ seeds }) => this.#enter(seeds));
    this.membership.on(Leave, () => this.#leave());
    this.net.on(Probe, (probe) => this.#probed(probe));
    this.net.on(Ack, (ack) => this.#acknowledged(ack));
    this.net.on(ProbeRequest, (asked) => this.#asked(asked));
    this.net.on(Nack, ({ seq }) => this.#nack(seq));
    this.net.on(View, (view) => this.#viewed(view));
    this.timer.on(Period, ({ due }) => this.#turn(due));
    this.timer.on(NoAck, (late) => this.#noAck(late));
    this.timer.on(NoAckFor, ({ seq }) => this.#noAckFor(seq));
    this.timer.on(Verdict, ({ peer, due }) => this.#verdict(peer, due));
    this.timer.on(Exchange, () => this.#exchange());
  }

  // --- taking part ---------------------------------------------------------------------------------

  #enter(seeds: readonly PeerRef[]): void {
    this.state.seeds = seeds.filter((seed) => !sameProcess(seed, this.#self));
    this.state.seedAt = 0;
    if (this.state.entered) return;
    this.state.entered = true;
    this.#askSeed();
    this.#later(this.#draw.below(this.#period));
    const delay = exchangeMillis * (0.5 + this.#draw.float());
    this.timer.trigger(new ScheduleTimeout({ delay, timeout: new Exchange() }));
  }

  #leave(): void {
    const { state } = this;
    if (!state.entered || state.left) return;
    state.left = true;
    const mine: News = { peer: this.#self, status: "left", number: state.number };
    for (const { peer } of this.#some(tellAtLeave)) this.#view(peer, [mine], false);
  }

  #askSeed(): void {
    const { seeds, members } = this.state;
    if (members.size > 0 || seeds.length === 0) return;
    const seed = seeds[this.state.seedAt++ % seeds.length];
    if (seed !== undefined) this.#view(seed, [], true);
  }

  // --- the round -----------------------------------------------------------------------------------

  #turn(due: Millis): void {
    const { state } = this;
    if (state.left) return;
    const stalled = this.#late(due);
    this.#conclude(stalled);
    this.#askSeed();
    this.#tellTheDead();
    const member = nextProbe(state, (keys) => this.#draw.shuffle(keys));
    if (member !== null) {
      const seq = ++state.seq;
      state.probing = { peer: member.peer, seq, acknowledged: false, helpers: 0, nacks: 0 };
      this.#probe(member.peer, seq);
      const delay = this.#patience(0.5);
      const noAck = new NoAck({ seq, due: this.clock.monotonic + delay });
      this.timer.trigger(new ScheduleTimeout({ delay, timeout: noAck }));
    }
    this.#later(this.#patience(1));
  }

  #later(delay: Millis): void {
    const due = this.clock.monotonic + delay;
    this.timer.trigger(new ScheduleTimeout({ delay, timeout: new Period({ due }), id: "period" }));
  }

  /** So many periods, longer while this process doubts itself. */
  #patience(periods: number): Millis {
    return periods * this.#period * (this.state.health + 1);
  }

  #late(due: Millis): boolean {
    return this.clock.monotonic - due > this.#stallMin;
  }

  #probe(peer: PeerRef, seq: number): void {
    const news = piggyback(this.state, peer);
    this.net.trigger(new Probe({ to: peer, seq, number: this.state.number, news }));
  }

  /** The direct probe has failed: others shall try. */
  #noAck({ seq, due }: { readonly seq: number; readonly due: Millis }): void {
    const { probing, number } = this.state;
    if (probing === null || probing.seq !== seq || probing.acknowledged || this.#late(due)) return;
    const helpers = this.#some(helpersMax, probing.peer);
    probing.helpers = helpers.length;
    for (const { peer } of helpers) {
      const news = piggyback(this.state, peer);
      const target = probing.peer;
      this.net.trigger(new ProbeRequest({ to: peer, seq, number, target, news }));
    }
  }

  /** The period is over. */
  #conclude(stalled: boolean): void {
    const { state } = this;
    const { probing } = state;
    state.probing = null;
    if (probing === null) return;
    if (probing.acknowledged) {
      doubt(state, -1);
      return;
    }
    // Whose own input has waited accuses nobody.
    if (stalled) {
      doubt(state, 1);
      return;
    }
    doubt(state, probing.helpers > 0 ? probing.helpers - probing.nacks : 1);
    const member = state.members.get(processOf(probing.peer));
    if (member === undefined) return;
    const { peer, number } = member;
    this.#learn({ peer, status: "suspect", number, from: processOf(this.#self) });
  }

  #some(count: number, but?: PeerRef): Member[] {
    const fit = [...this.state.members.values()].filter(
      ({ peer, status }) => status === "alive" && !(but !== undefined && sameProcess(peer, but)),
    );
    return this.#draw.shuffle(fit).slice(0, count);
  }

  // --- messages ------------------------------------------------------------------------------------

  #probed({ from, seq, number, news }: Probe): void {
    this.#hear(from, number, news);
    if (this.state.left) return;
    const back = piggyback(this.state, from);
    this.net.trigger(new Ack({ to: from, seq, number: this.state.number, news: back }));
  }

  #acknowledged({ from, seq, number, news }: Ack): void {
    this.#hear(from, number, news);
    const { probing, errands } = this.state;
    if (probing !== null && probing.seq === seq) probing.acknowledged = true;
    const errand = errands.get(seq);
    if (errand === undefined) return;
    errands.delete(seq);
    const { asker } = errand;
    const back = piggyback(this.state, asker);
    const ack = { to: asker, seq: errand.seq, number: this.state.number, news: back };
    this.net.trigger(new Ack(ack));
  }

  #asked({ from, seq, number, target, news }: ProbeRequest): void {
    this.#hear(from, number, news);
    const { state } = this;
    if (state.errands.size >= errandsMax) return;
    const own = ++state.seq;
    state.errands.set(own, { asker: from, seq });
    this.#probe(target, own);
    const delay = this.#period * 0.4;
    this.timer.trigger(new ScheduleTimeout({ delay, timeout: new NoAckFor({ seq: own }) }));
  }

  #noAckFor(seq: number): void {
    const errand = this.state.errands.get(seq);
    this.state.errands.delete(seq);
    if (errand !== undefined) this.net.trigger(new Nack({ to: errand.asker, seq: errand.seq }));
  }

  #nack(seq: number): void {
    const { probing } = this.state;
    if (probing?.seq === seq && probing.nacks < probing.helpers) probing.nacks++;
  }

  #viewed({ from, number, news, wanted }: View): void {
    const leaves = news.some(({ peer, status }) => status === "left" && sameProcess(peer, from));
    if (!leaves) this.#hear(from, number, []);
    for (const one of news) this.#learn(one);
    if (wanted && !this.state.left) this.#view(from, fullView(this.state), false);
  }

  #view(to: PeerRef, news: readonly News[], wanted: boolean): void {
    this.net.trigger(new View({ to, number: this.state.number, news, wanted }));
  }

  #exchange(): void {
    const { state } = this;
    if (state.left) return;
    const [member] = this.#some(1);
    if (member !== undefined) this.#view(member.peer, fullView(state), true);
    this.timer.trigger(new ScheduleTimeout({ delay: exchangeMillis, timeout: new Exchange() }));
  }

  #tellTheDead(): void {
    const now = this.clock.monotonic;
    const dead: Member[] = [];
    for (const [key, member] of this.state.members) {
      if (member.status === "alive" || member.status === "suspect") continue;
      if (now - member.since > graveMillis) this.state.members.delete(key);
      else if (member.status === "dead" && now - member.since <= afterlifeMillis) dead.push(member);
    }
    if (dead.length > 0) {
      const { peer } = this.#draw.pick(dead);
      this.#view(peer, piggyback(this.state, peer), false);
    }
  }

  // --- news ----------------------------------------------------------------------------------------

  #hear(from: PeerRef, number: number, news: readonly News[]): void {
    this.#learn({ peer: from, status: "alive", number });
    for (const one of news) this.#learn(one);
  }

  #learn(news: News): void {
    const { state } = this;
    const { peer } = news;
    if (!state.entered) return;
    if (sameProcess(peer, this.#self)) {
      const number = refutation(state, news);
      if (number === null) return;
      // At once, for what goes along with probes may come too late.
      const mine: News = { peer: this.#self, status: "alive", number };
      for (const { peer: other } of this.#some(helpersMax)) this.#view(other, [mine], false);
      return;
    }
    const outcome = learn(state, news, this.clock.monotonic);
    if (outcome === "old") return;
    if (outcome === "confirmed") {
      this.#awaitVerdict(peer);
      return;
    }
    this.#changed(peer, news.status, outcome === "changed");
  }

  #changed(peer: PeerRef, status: News["status"], told: boolean): void {
    if (status === "suspect") this.#awaitVerdict(peer);
    else this.timer.trigger(new CancelTimeout({ id: verdictOf(peer) }));
    if (status === "alive")
      for (const { peer: past, number } of predecessors(this.state, peer))
        this.#learn({ peer: past, status: "dead", number });
    if (!told) return;
    if (status === "alive") this.membership.trigger(new MemberAlive({ peer }));
    else if (status === "suspect") this.membership.trigger(new MemberSuspected({ peer }));
    else if (status === "dead") this.membership.trigger(new MemberDead({ peer }));
    else this.membership.trigger(new MemberLeft({ peer }));
  }

  #awaitVerdict(peer: PeerRef, again: Millis = 0): void {
    const member = this.state.members.get(processOf(peer));
    if (member === undefined) return;
    const confirmations = Math.max(0, member.accusers.length - 1);
    const whole = suspicionMillis(population(this.state), this.#period, confirmations);
    const now = this.clock.monotonic;
    const delay = Math.max(again, member.since + whole - now);
    const verdict = new Verdict({ peer, due: now + delay });
    this.timer.trigger(new ScheduleTimeout({ delay, timeout: verdict, id: verdictOf(peer) }));
  }

  #verdict(peer: PeerRef, due: Millis): void {
    const member = this.state.members.get(processOf(peer));
    if (member === undefined || member.status !== "suspect") return;
    if (this.#late(due)) this.#awaitVerdict(peer, 2 * this.#period);
    else this.#learn({ peer, status: "dead", number: member.number });
  }
}

/** How many are told by one who leaves. */
const tellAtLeave = 5;

function verdictOf(peer: PeerRef): string {
  return `verdict ${processOf(peer)}`;
}
