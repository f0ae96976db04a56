/**
 * A failure detector for all peers of this process (algorithms.md §1.1, §1.4): one prober for each
 * remote process, however many of its peers are watched and by however many. Peers of this process are
 * never pinged; whoever creates them says when they come and go, and each pong says who lives.
 *
 * Invariants: the newest watched life of a process has a beat to come, and no other has one; one timer is for
 * the next of all beats; a ping that is late has a timer. What was told of a peer is what is known of it
 * (`contradiction`); no verdict on one incarnation depends on another's messages.
 *
 * **At rest** a process is asked when it has been silent for a heartbeat, so of two that watch each other the
 * first to ask does it for both, and what ring and router say saves pings. A ping gets a timer of its own only
 * where one before it is late too; the first late one is noticed at the next beat, which is soon
 * enough where several have to be missed.
 *
 * **Stalls.** When this process stands still, pongs wait beside the timers that miss them. So a ping that
 * has expired is not judged at once, but after one more timer: if that came on time, then the process has
 * looked at its input since the ping expired. If it (or any other timer of the detector) was late by more
 * than `fd.stall`, the ping is waited for once more. The specification has a timer every 50 ms for that;
 * this one runs only while there is something to judge.
 */

import {
  by,
  CancelTimeout,
  Component,
  type Millis,
  ScheduleTimeout,
  type Setting,
  timeout,
  Timer,
} from "@kith/core";
import {
  addressOf,
  ConnectionDown,
  ConnectionUp,
  Dropped,
  formatPeer,
  inLife,
  type Life,
  Message,
  Network,
  parsePeer,
  peerKey,
  type PeerRef,
  sameProcess,
  self,
} from "@kith/network";
import { fdError } from "./errors.ts";
import type { Estimate, Judge } from "./estimate.ts";
import { Ping, Pong } from "./messages.ts";
import {
  Absent,
  Arrived,
  Departed,
  FailureDetector,
  Restore,
  Returned,
  RoundTrip,
  Suspect,
  Unwatch,
  Unwatched,
  Verdict,
  Watch,
} from "./port.ts";
import { absentAfter, heartbeat, overhear, stallMin } from "./settings.ts";
import {
  accusation,
  contradiction,
  type DetectorState,
  emptyState,
  latestRebirth,
  neverReborn,
  type Place,
  type Target,
  targetOf,
  type Watched,
} from "./state.ts";

/** Each alarm carries when it is due, in monotonic milliseconds: that shows how late it is. */
class Beat extends timeout("fd/Beat")<{ readonly due: Millis }> {}

class Expiry extends timeout("fd/Expiry")<{
  readonly peer: PeerRef;
  readonly due: Millis;
  readonly seq: number;
  /** Whether this is the second look, after the ping has expired. */
  readonly confirming: boolean;
}> {}

class Absence extends timeout("fd/Absence")<{ readonly peer: PeerRef; readonly due: Millis }> {}

/** How long after its expiry a ping is looked at again. */
const confirmMillis = 50;
/** Below this the version of the list of peers begins. */
const versionsMax = 2 ** 31;
/** How many pings are remembered whose pongs may still come; more than there are heartbeats in any wait. */
const outstandingMax = 64;
/** A process that is given up is pinged so much more rarely. */
const absentSlowdown = 5;
/** A process that is heard of anyway is pinged at least once in so many heartbeats. */
const skippedBeats = 2.5;
/** One that was heard of so many heartbeats ago, or fewer, need not be asked. */
const freshBeats = 0.85;
/** Beats that lie so close together, in heartbeats, are one. */
const sameBeat = 0.125;

/** What the detectors have in common; they differ in how they judge silence. */
export abstract class NodeDetector<E extends Estimate> extends Component {
  readonly detector = this.provides(
    FailureDetector,
    by(Verdict, ({ watcher }) => watcher),
  );
  readonly net = this.requires(Network);
  readonly timer = this.requires(Timer);

  readonly #judge: Judge<E>;
  readonly #self = parsePeer(this.setting(self));
  readonly #heartbeat = this.setting(heartbeat);
  readonly #absentAfter = this.setting(absentAfter);
  readonly #stallMin = this.setting(stallMin);
  readonly #jitter = this.random("jitter");
  #state: DetectorState<E> = emptyState();

  /** @param judge builds what decides how long silence is borne, from the settings that hold here */
  protected constructor(judge: (read: <T>(setting: Setting<T>) => T) => Judge<E>) {
    super();
    this.#judge = judge((one) => this.setting(one));
    // Not from 0: what is known of another life is never taken for what this one says.
    this.#state.residents.version = this.random("residents").below(versionsMax);
    this.detector.on(Watch, ({ watcher, peer }) => this.#watch(watcher, peer));
    this.detector.on(Unwatch, ({ watcher, peer }) => this.#unwatch(watcher, peer));
    this.detector.on(Arrived, ({ peer }) => this.#resident(peer, true));
    this.detector.on(Departed, ({ peer }) => this.#resident(peer, false));
    this.net.on(Ping, (ping) => this.#pinged(ping));
    this.net.on(Pong, (pong) => this.#ponged(pong));
    if (this.setting(overhear)) this.net.on(Message, ({ from }) => this.#heard(from));
    this.net.on(ConnectionUp, ({ peer }) => this.#learned(peer));
    this.net.on(ConnectionDown, ({ peer, reason }) => {
      if (reason === "restarted") this.#replaced(peer);
    });
    this.net.on(Dropped, (dropped) => this.#calledByOldName(dropped));
    this.timer.on(Beat, (beat) => this.#beat(beat));
    this.timer.on(Expiry, (expiry) => this.#expired(expiry));
    this.timer.on(Absence, (absence) => this.#absent(absence));
  }

  /** All that is known, for a replacement of either kind. */
  exportState(): DetectorState<E> {
    return this.#state;
  }

  /** Takes over from a detector of either kind. @throws KithError `KITH_FD_STATE` */
  importState(state: DetectorState): void {
    const places = new Map<string, Place<E>>();
    for (const [address, { newest, targets }] of state.places) {
      const adopted = new Map<number, Target<E>>();
      for (const [incarnation, target] of targets)
        adopted.set(incarnation, { ...target, estimate: this.#judge.adopt(target.estimate) });
      places.set(address, { newest, targets: adopted });
    }
    this.#state = { ...state, places };
    const wrong = contradiction(this.#state, this.#self);
    if (wrong !== undefined) throw fdError("KITH_FD_STATE", wrong);
  }

  // --- watching ------------------------------------------------------------------------------------

  #watch(watcher: string, peer: PeerRef): void {
    const place = this.#placeOf(peer);
    if (peer.incarnation > place.newest) this.#supersede(place, peer);
    let target = place.targets.get(peer.incarnation);
    const isNew = target === undefined;
    target ??= this.#target(peer);
    place.targets.set(peer.incarnation, target);
    let watched = target.watched.get(peerKey(peer));
    if (watched === undefined) {
      const listedFrom = this.#isHere(peer) ? 0 : target.seq + 1;
      const { rebirth = 0 } = peer;
      watched = { peer, watchers: [], suspected: null, absent: false, listedFrom, rebirth };
      target.watched.set(peerKey(peer), watched);
    }
    const isNewcomer = !watched.watchers.includes(watcher);
    if (isNewcomer) {
      watched.watchers.push(watcher);
      if (watched.suspected !== null)
        this.detector.trigger(new Suspect({ watcher, peer, reason: watched.suspected.reason }));
      if (watched.absent) this.detector.trigger(new Absent({ watcher, peer }));
    }
    const known = this.#later(place, watched);
    this.#judgePeer(place, target, watched);
    // Whoever comes late is told of the later life as those are who were there.
    if (isNewcomer && known !== null) this.#return(watcher, peer, known);
    if (isNew && peer.incarnation === place.newest && !this.#isHere(peer)) this.#ping(target);
    this.#wake();
  }

  #unwatch(watcher: string, peer: PeerRef): void {
    const address = addressOf(peer);
    const place = this.#state.places.get(address);
    const target = place?.targets.get(peer.incarnation);
    const watched = target?.watched.get(peerKey(peer));
    if (place !== undefined && target !== undefined && watched !== undefined) {
      watched.watchers = watched.watchers.filter((one) => one !== watcher);
      if (watched.watchers.length === 0) {
        target.watched.delete(peerKey(peer));
        this.#cancel(absenceOf(peer));
      }
      if (target.watched.size === 0) place.targets.delete(peer.incarnation);
      if (place.targets.size === 0) this.#state.places.delete(address);
    }
    this.detector.trigger(new Unwatched({ watcher, peer }));
  }

  #placeOf(peer: PeerRef): Place<E> {
    const address = addressOf(peer);
    const { places } = this.#state;
    let place = places.get(address);
    if (place === undefined) {
      // A later life at the own address is this one: it knows which of them are over.
      const own = addressOf(this.#self) === address;
      place = { newest: own ? this.#self.incarnation : peer.incarnation, targets: new Map() };
      places.set(address, place);
    }
    return place;
  }

  #target(peer: PeerRef): Target<E> {
    const now = this.clock.monotonic;
    const here = this.#isHere(peer);
    return {
      peer,
      seq: 0,
      outstanding: [],
      beat: Number.POSITIVE_INFINITY,
      estimate: this.#judge.adopt(null),
      misses: 0,
      heard: now,
      ponged: now,
      silent: false,
      version: -1,
      peers: here ? this.#state.residents.peers : null,
      rebirths: here ? this.#state.residents.rebirths : neverReborn,
      listed: 0,
      told: Number.NaN,
      watched: new Map(),
    };
  }

  #isHere(peer: PeerRef): boolean {
    return sameProcess(peer, this.#self);
  }

  #resident({ peerId, rebirth = 0 }: PeerRef, lives: boolean): void {
    const { residents } = this.#state;
    const before = residents.rebirths.get(peerId) ?? 0;
    // A life that ended before this one began.
    if (rebirth < before) return;
    if (rebirth > before) residents.rebirths = new Map([...residents.rebirths, [peerId, rebirth]]);
    const others = (residents.peers ?? []).filter((one) => one !== peerId);
    residents.peers = lives ? [...others, peerId] : others;
    residents.version++;
    const target = targetOf(this.#state, this.#self);
    const place = this.#state.places.get(addressOf(this.#self));
    if (target === undefined || place === undefined) return;
    target.peers = residents.peers;
    target.rebirths = residents.rebirths;
    this.#review(place);
  }

  // --- probing -------------------------------------------------------------------------------------

  #beat({ due }: Beat): void {
    this.#late(due);
    this.#state.wake = Number.POSITIVE_INFINITY;
    const soon = this.clock.monotonic + sameBeat * this.#heartbeat;
    for (const { newest, targets } of this.#state.places.values()) {
      const target = targets.get(newest);
      if (target !== undefined && target.beat <= soon) this.#beatOf(target);
    }
    this.#wake();
  }

  #beatOf(target: Target<E>): void {
    const { heard, ponged, outstanding, estimate } = target;
    const now = this.clock.monotonic;
    for (const ping of outstanding) {
      if (ping.timed) continue;
      ping.timed = true;
      const patience = this.#judge.patience(estimate, Math.max(0, ping.sent - heard));
      this.#expire(target.peer, ping.seq, Math.max(0, ping.sent + patience - now), false);
    }
    // Now and then both of a pair ask: a pong says who lives there, and how long the way is.
    const fresh = now - heard < freshBeats * this.#heartbeat;
    if (fresh && now - ponged < skippedBeats * this.#heartbeat) this.#beatLater(target, heard);
    else this.#ping(target);
  }

  #ping(target: Target<E>): void {
    const { peer, outstanding, estimate, heard } = target;
    const now = this.clock.monotonic;
    const seq = ++target.seq;
    const timed = outstanding.length > 0 || target.misses > 0;
    outstanding.push({ seq, sent: now, missed: false, timed });
    if (outstanding.length > outstandingMax) outstanding.shift();
    this.net.trigger(new Ping({ to: peer, seq, known: target.version }));
    if (timed) this.#expire(peer, seq, this.#judge.patience(estimate, now - heard), false);
    this.#beatLater(target, now);
  }

  #beatLater(target: Target<E>, since: Millis): void {
    const { silent, watched } = target;
    const givenUp = silent && [...watched.values()].every(({ absent }) => absent);
    const period = this.#heartbeat * (givenUp ? absentSlowdown : 1);
    // Not sooner than a period: what the two have to say to each other anyway may come before that.
    target.beat = since + period * (1 + 0.2 * this.#jitter.float());
  }

  /** Sets the timer to the next beat, unless it rings before. */
  #wake(): void {
    let next = Number.POSITIVE_INFINITY;
    for (const { newest, targets } of this.#state.places.values())
      next = Math.min(next, targets.get(newest)?.beat ?? next);
    if (next >= this.#state.wake) return;
    this.#state.wake = next;
    const delay = Math.max(0, next - this.clock.monotonic);
    this.timer.trigger(
      new ScheduleTimeout({ delay, timeout: new Beat({ due: next }), id: "beat" }),
    );
  }

  #expire(peer: PeerRef, seq: number, delay: Millis, confirming: boolean): void {
    const due = this.clock.monotonic + delay;
    const expiry = new Expiry({ peer, due, seq, confirming });
    this.timer.trigger(new ScheduleTimeout({ delay, timeout: expiry }));
  }

  #expired({ peer, due, seq, confirming }: Expiry): void {
    const stalled = this.#late(due);
    const target = targetOf(this.#state, peer);
    const place = this.#state.places.get(addressOf(peer));
    const ping = target?.outstanding.find((one) => one.seq === seq);
    // Its pong has come, or nobody watches any more.
    if (target === undefined || place === undefined || ping === undefined || ping.missed) return;
    const now = this.clock.monotonic;
    const again = stalled || now - this.#state.stalled < this.#stallMin;
    if (again) this.#expire(peer, seq, this.#judge.patience(target.estimate, 0), false);
    else if (!confirming) this.#expire(peer, seq, confirmMillis, true);
    else {
      ping.missed = true;
      target.misses++;
      const silence = now - target.heard;
      if (target.silent || !this.#judge.suspects(target.estimate, target.misses, silence)) return;
      target.silent = true;
      this.#review(place);
    }
  }

  /** Notes whether a timer that was due then shows that this process has stood still. */
  #late(due: Millis): boolean {
    const now = this.clock.monotonic;
    if (now - due <= this.#stallMin) return false;
    this.#state.stalled = now;
    return true;
  }

  #pinged({ from, seq, known }: Ping): void {
    const { version, peers, rebirths } = this.#state.residents;
    const pong = { to: from, seq, version };
    const list = rebirths.size === 0 ? { peers } : { peers, rebirths };
    this.net.trigger(new Pong(known === version ? pong : { ...pong, ...list }));
    this.#heard(from);
  }

  #ponged({ from, seq, version, peers, rebirths = neverReborn }: Pong): void {
    this.#heard(from);
    const target = targetOf(this.#state, from);
    const place = this.#state.places.get(addressOf(from));
    const at = target?.outstanding.findIndex((one) => one.seq === seq) ?? -1;
    const ping = target?.outstanding[at];
    if (target === undefined || place === undefined || ping === undefined) return;
    target.outstanding.splice(at, 1);
    const now = this.clock.monotonic;
    // Each ping has its own number, so the pong is this ping's: there is no doubt about the round trip.
    target.estimate = this.#judge.sampled(target.estimate, now - ping.sent);
    target.estimate = this.#judge.heard(target.estimate, now - target.ponged);
    target.ponged = now;
    this.#tellRoundTrip(target);
    // By the order of the pings, not by the version: that of a life with the same incarnation (a disk was set back) is another one.
    if (seq < target.listed || (peers === undefined && version !== target.version)) return;
    if (peers !== undefined) {
      target.peers = peers;
      target.rebirths = rebirths;
    }
    target.version = version;
    target.listed = Math.max(target.listed, seq);
    this.#review(place);
  }

  #tellRoundTrip(target: Target<E>): void {
    const millis = target.estimate.mean;
    if (millis === null || Math.abs(millis - target.told) <= target.told / 8) return;
    target.told = millis;
    for (const { peer, watchers } of target.watched.values())
      for (const watcher of watchers)
        this.detector.trigger(new RoundTrip({ watcher, peer, millis }));
  }

  // --- signs of life -------------------------------------------------------------------------------

  #heard(from: PeerRef): void {
    const place = this.#state.places.get(addressOf(from));
    if (place === undefined || from.incarnation < place.newest) return;
    if (from.incarnation > place.newest) this.#supersede(place, from);
    const target = place.targets.get(from.incarnation);
    if (target === undefined) return;
    target.heard = this.clock.monotonic;
    target.misses = 0;
    if (!target.silent) return;
    target.silent = false;
    target.estimate = this.#judge.mistaken(target.estimate);
    this.#review(place);
  }

  /** Somebody answers at this address, in this life. */
  #learned(peer: PeerRef): void {
    const place = this.#state.places.get(addressOf(peer));
    if (place !== undefined && peer.incarnation > place.newest) this.#supersede(place, peer);
  }

  /** Somebody pings an earlier life of this process: without a connection it would never learn that there is another one. */
  #calledByOldName({ reason, tag, to, from }: Dropped): void {
    const mine = addressOf(to) === addressOf(this.#self);
    if (reason !== "wrong-incarnation" || tag !== Ping.tag || !mine) return;
    if (to.incarnation < this.#self.incarnation)
      this.net.trigger(new Ping({ to: from, seq: 0, known: -1 }));
  }

  /** Another incarnation answers at this peer's address; which one is not known. */
  #replaced(peer: PeerRef): void {
    const place = this.#state.places.get(addressOf(peer));
    const target = targetOf(this.#state, peer);
    if (place === undefined || target === undefined || target.silent) return;
    target.silent = true;
    this.#review(place);
  }

  /** A later life: those before it are over. */
  #supersede(place: Place<E>, successor: PeerRef): void {
    place.newest = successor.incarnation;
    this.#review(place);
    for (const { watched } of place.targets.values())
      for (const { peer, watchers } of watched.values())
        for (const watcher of watchers)
          if (peer.incarnation < successor.incarnation)
            this.#return(watcher, peer, { incarnation: successor.incarnation });
  }

  /** The latest life that came after the watched one, as far as its watchers were told; null where there is none. */
  #later({ newest }: Place<E>, { peer, rebirth }: Watched): Life | null {
    if (peer.incarnation < newest) return { incarnation: newest };
    return rebirth > (peer.rebirth ?? 0) ? { incarnation: newest, rebirth } : null;
  }

  #return(watcher: string, peer: PeerRef, life: Life): void {
    this.detector.trigger(new Returned({ watcher, peer, successor: inLife(peer, life) }));
  }

  // --- verdicts ------------------------------------------------------------------------------------

  #review(place: Place<E>): void {
    for (const target of place.targets.values())
      for (const watched of target.watched.values()) this.#judgePeer(place, target, watched);
  }

  #judgePeer(place: Place<E>, target: Target<E>, watched: Watched): void {
    this.#tellVerdict(place, target, watched);
    const { peer, watchers, rebirth } = watched;
    const latest = latestRebirth(target, watched);
    if (latest <= rebirth) return;
    watched.rebirth = latest;
    for (const watcher of watchers)
      this.#return(watcher, peer, { incarnation: peer.incarnation, rebirth: latest });
  }

  #tellVerdict(place: Place<E>, target: Target<E>, watched: Watched): void {
    const { peer, watchers, suspected } = watched;
    const reason = accusation(place, target, watched);
    if ((reason === null) === (suspected === null)) return;
    if (reason === null) {
      watched.suspected = null;
      watched.absent = false;
      this.#cancel(absenceOf(peer));
      for (const watcher of watchers) this.detector.trigger(new Restore({ watcher, peer }));
      return;
    }
    watched.suspected = { reason, since: this.clock.monotonic };
    for (const watcher of watchers) this.detector.trigger(new Suspect({ watcher, peer, reason }));
    this.#awaitAbsence(peer);
  }

  #awaitAbsence(peer: PeerRef): void {
    const delay = this.#absentAfter;
    const absence = new Absence({ peer, due: this.clock.monotonic + delay });
    this.timer.trigger(new ScheduleTimeout({ delay, timeout: absence, id: absenceOf(peer) }));
  }

  #absent({ peer, due }: Absence): void {
    // A process that stood still has not waited; what came meanwhile is still to be read.
    const stalled = this.#late(due);
    const watched = targetOf(this.#state, peer)?.watched.get(peerKey(peer));
    if (watched === undefined || watched.suspected === null) return;
    if (stalled) {
      this.#awaitAbsence(peer);
      return;
    }
    watched.absent = true;
    for (const watcher of watched.watchers) this.detector.trigger(new Absent({ watcher, peer }));
  }

  #cancel(id: string): void {
    this.timer.trigger(new CancelTimeout({ id }));
  }
}

function absenceOf(peer: PeerRef): string {
  return `absence ${formatPeer(peer)}`;
}
