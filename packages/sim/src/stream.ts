/**
 * Connections, which behave as those of TCP do: what the rules lose is sent again after 200 ms,
 * 400 ms, … and holds up what comes behind it; when that has lasted too long the connection breaks,
 * each side learns it in its own time, and a suffix of what was sent is lost. So within a connection
 * nothing is lost, doubled or reordered, as the Network port promises.
 *
 * A connection joins two addresses: what is for another life than the one that answers is carried
 * there, and dropped there.
 *
 * Invariants: at most one connection joins two processes; arrivals on a lane never go back in time;
 * what arrives at an end arrives before that end is closed, and after it was opened.
 */

import { mix } from "@kith/core";
import {
  ConnectionDown,
  type ConnectionDownReason,
  ConnectionUp,
  NetworkDrained,
  NetworkFull,
  type PeerRef,
} from "@kith/network";
import { type Deed, Doing } from "./deed.ts";
import type { Endpoint } from "./endpoint.ts";
import { always, type Engine } from "./engine.ts";
import type { Fabric } from "./fabric.ts";
import { Lane } from "./lane.ts";
import type { Item, Route } from "./place.ts";
import { lateness, type Verdict } from "./rules.ts";

const retryMicros = 200_000;
const attemptsMax = 7;
/** Sets apart the draws of a message's attempts. */
const perAttempt = 0x1000_0000;
/** Set apart the draws of answers to dials and of notices from those of dials; and of acknowledgements. */
const answers = 0x100;
const notices = 0x200;
const acknowledgements = 0x1000;

/** What of the network's deeds is done on connections. */
type StreamDeed = Extract<Deed, { readonly lane: Lane }>;

/** The connections of all endpoints. */
export class Streams {
  readonly #engine: Engine;
  readonly #fabric: Fabric;

  constructor(engine: Engine, fabric: Fabric) {
    this.#engine = engine;
    this.#fabric = fabric;
  }

  /** Sends a message over the connection to its receiver, which is made where there is none. */
  send(from: Endpoint, route: Route, item: Item): void {
    const lane = from.lane(item.to.host) ?? this.#connect(from, item.to, route);
    if (lane.waiting >= this.#fabric.waitingMax) {
      this.#fabric.counts.full++;
      this.#fabric.drop(from, item, "full");
      return;
    }
    item.number = ++lane.messages;
    if (!lane.up || lane.blocked || !this.#launch(lane, item)) (lane.outbox ??= []).push(item);
    if (!lane.full && lane.waiting * 2 >= this.#fabric.waitingMax) {
      lane.full = true;
      from.indicate(new NetworkFull({ peer: lane.to }));
    }
  }

  /** The life of an endpoint has ended: the others learn it, after what it sent or in the midst of that. */
  ended(endpoint: Endpoint, crashed: boolean): void {
    for (const lane of endpoint.lanes) {
      lane.closed = true;
      const { other } = lane;
      if (other === null) continue;
      if (crashed) this.#later(other, "lost");
      else this.#later(other, "closed", lane.lastArrival + 1);
    }
  }

  /** Both sides learn, each in its time, that the connection is gone. */
  break(lane: Lane): void {
    this.#later(lane, "lost");
    if (lane.other !== null) this.#later(lane.other, "lost");
  }

  /** One end is gone at once; the other believes in it until what it sends comes back as a reset. */
  close(lane: Lane, reason: ConnectionDownReason): void {
    if (lane.closed) return;
    const { end, up, unacknowledged, outbox } = lane;
    lane.closed = true;
    lane.up = false;
    lane.outbox = null;
    end.forget(lane);
    if (up || lane.dialled) end.indicate(new ConnectionDown({ peer: lane.to, reason }));
    for (const item of unacknowledged ?? []) end.settle(item, "unknown", "disconnected");
    this.#fabric.counts.broken += lane.flying + (outbox?.length ?? 0);
    const dropped = up ? "disconnected" : "unreachable";
    for (const item of outbox ?? []) this.#fabric.drop(end, item, dropped);
    if (lane.full) end.indicate(new NetworkDrained({ peer: lane.to }));
    lane.full = false;
  }

  /** Does what was put off. */
  do(deed: StreamDeed): void {
    switch (deed.verb) {
      case "dialled":
        this.#dialled(deed.lane, deed.attempt);
        return;
      case "redial":
        if (deed.lane.closed || deed.lane.up) return;
        if (deed.attempt + 1 < attemptsMax) this.#dial(deed.lane, deed.attempt + 1);
        else this.close(deed.lane, "refused");
        return;
      case "open":
        this.#open(deed.lane);
        return;
      case "close":
        this.close(deed.lane, deed.reason);
        return;
      case "retry":
        deed.lane.blocked = false;
        if (!deed.lane.closed) this.#pump(deed.lane);
        return;
      case "arrive":
        this.#arrive(deed.lane, deed.item);
        return;
      case "arrived":
        this.#arrived(deed.lane, deed.other, deed.item);
        return;
      case "acknowledge":
        this.#acknowledge(deed.lane, deed.other, deed.item, deed.attempt);
        return;
      case "acknowledged":
        if (deed.lane.unacknowledged?.delete(deed.item) === true)
          deed.lane.end.settle(deed.item, "acknowledged");
    }
  }

  #at(micros: number, tie: number, deed: Deed): void {
    this.#engine.queue(micros, tie, new Doing(always, this.#fabric, deed));
  }

  // --- making one ----------------------------------------------------------------------------------

  #connect(from: Endpoint, to: PeerRef, route: Route): Lane {
    const lane = new Lane(from, to, route, true);
    from.keep(lane);
    this.#dial(lane, 0);
    return lane;
  }

  /** Sends what opens a connection, again and again until it is answered or nobody hopes any more. */
  #dial(lane: Lane, attempt: number): void {
    const { route, controlKey } = lane;
    const verdict = this.#fabric.verdict(route, controlKey, attempt);
    if (loses(verdict)) {
      this.#redial(lane, attempt);
      return;
    }
    const tie = mix(controlKey, attempt);
    const time = this.#fabric.latency(route, tie) + lateness(verdict);
    this.#at(this.#engine.micros + time, tie, { verb: "dialled", lane, attempt });
  }

  #redial(lane: Lane, attempt: number): void {
    this.#fabric.counts.rules++;
    const tie = mix(lane.controlKey, answers * 2 + attempt);
    const time = this.#engine.micros + patience(attempt);
    const deed: Deed = { verb: "redial", lane, attempt };
    this.#engine.queue(time, tie, new Doing(lane.end.life, this.#fabric, deed));
  }

  /** A dial has arrived. Its answer opens the end that dialled. */
  #dialled(lane: Lane, attempt: number): void {
    const { route, end, controlKey, closed } = lane;
    if (closed || !end.life.alive) return;
    const there = route.target.endpoint;
    const back = route.back();
    const verdict = this.#fabric.verdict(back, controlKey, answers + attempt);
    const tie = mix(controlKey, answers + attempt);
    const time = this.#engine.micros + this.#fabric.latency(back, mix(tie, 8)) + lateness(verdict);
    if (there === null || there.peer.port !== lane.to.port) {
      if (loses(verdict)) this.#redial(lane, attempt);
      else
        this.#at(time, tie, {
          verb: "meet",
          at: end,
          then: { verb: "close", lane, reason: "refused" },
        });
      return;
    }
    const other = this.#meetingEnd(lane, there, back);
    if (loses(verdict)) {
      this.#redial(lane, attempt);
    } else {
      // What is sent from there comes behind the answer.
      other.lastArrival = Math.max(other.lastArrival, time);
      this.#at(time, tie, { verb: "meet", at: end, then: { verb: "open", lane } });
    }
    there.meet({ verb: "open", lane: other });
  }

  /** The other end of a lane whose dial has arrived there. */
  #meetingEnd(lane: Lane, there: Endpoint, back: Route): Lane {
    let other = there.lane(lane.end.peer.host);
    if (other !== undefined && other.other !== null && other.other !== lane) {
      // It believed in an earlier connection, of which the dialler knows nothing any more.
      this.close(other, "lost");
      other = undefined;
    }
    if (other === undefined) {
      other = new Lane(there, lane.end.peer, back, false);
      there.keep(other);
    }
    // Where both have dialled, their two ends become one connection.
    lane.to = there.peer;
    other.to = lane.end.peer;
    lane.other = other;
    other.other = lane;
    return other;
  }

  #open(lane: Lane): void {
    if (lane.closed || lane.up) return;
    lane.up = true;
    lane.end.indicate(new ConnectionUp({ peer: lane.to }));
    this.#pump(lane);
  }

  // --- using it ------------------------------------------------------------------------------------

  /** Lets go what waits on a lane, in order. */
  #pump(lane: Lane): void {
    const { outbox } = lane;
    if (outbox === null) return;
    let gone = 0;
    for (const item of outbox) {
      if (!this.#launch(lane, item)) break;
      gone++;
    }
    lane.outbox = gone === outbox.length ? null : outbox.slice(gone);
  }

  /** @returns false where it has to wait, and all behind it: within a connection nothing overtakes */
  #launch(lane: Lane, item: Item): boolean {
    const { route, end, key } = lane;
    const draw = item.number + item.attempts * perAttempt;
    const verdict = this.#fabric.verdict(route, key, draw, item);
    if (loses(verdict)) {
      lane.blocked = true;
      if (verdict?.kind === "reset") this.break(lane);
      else this.#retry(lane, item);
      return false;
    }
    lane.flying++;
    if (item.asked?.until === "acknowledged") (lane.unacknowledged ??= new Set()).add(item);
    else end.settle(item, "sent");
    const tie = mix(key, item.number);
    const time = this.#engine.micros + this.#fabric.latency(route, tie) + lateness(verdict);
    // Strictly later than what was sent before it: a tie would be broken at random.
    lane.lastArrival = Math.max(lane.lastArrival + 1, time);
    this.#at(lane.lastArrival, tie, { verb: "arrive", lane, item });
    return true;
  }

  #retry(lane: Lane, item: Item): void {
    this.#fabric.counts.rules++;
    const wait = patience(item.attempts);
    if (++item.attempts >= attemptsMax) {
      this.break(lane);
      return;
    }
    const tie = mix(lane.key, item.number + item.attempts * perAttempt);
    this.#at(this.#engine.micros + wait, tie, { verb: "retry", lane });
  }

  #arrive(lane: Lane, item: Item): void {
    const { other } = lane;
    if (other === null || other.closed || !other.end.life.alive) {
      // Nobody is there who knows the connection: its reset comes back.
      this.#later(lane, "lost");
      return;
    }
    other.end.meet({ verb: "arrived", lane, other, item });
  }

  #arrived(lane: Lane, other: Lane, item: Item): void {
    if (other.closed) return;
    // Where the answer to its dial was lost, what comes over the connection is an answer too.
    this.#open(other);
    lane.flying--;
    this.#fabric.accept(other.end, item, lane.key);
    if (item.asked?.until === "acknowledged") this.#acknowledge(lane, other, item, 0);
    if (lane.closed || !lane.full || lane.waiting * 4 > this.#fabric.waitingMax) return;
    lane.full = false;
    lane.end.indicate(new NetworkDrained({ peer: lane.to }));
  }

  #acknowledge(lane: Lane, other: Lane, item: Item, attempt: number): void {
    if (lane.closed || other.closed || !other.end.life.alive) return;
    const draw = acknowledgements + item.number + attempt * perAttempt;
    const verdict = this.#fabric.verdict(other.route, other.controlKey, draw);
    const tie = mix(other.controlKey, draw);
    if (loses(verdict)) {
      this.#fabric.counts.rules++;
      if (attempt + 1 >= attemptsMax || verdict?.kind === "reset") this.break(lane);
      else {
        const time = this.#engine.micros + patience(attempt);
        this.#at(time, tie, { verb: "acknowledge", lane, other, item, attempt: attempt + 1 });
      }
      return;
    }
    const time = this.#engine.micros + this.#fabric.latency(other.route, tie) + lateness(verdict);
    const then: Deed = { verb: "acknowledged", lane, item };
    this.#at(time, tie, { verb: "meet", at: lane.end, then });
  }

  /** One side learns of its connection's end, a latency from now. */
  #later(lane: Lane, reason: ConnectionDownReason, notBefore = 0): void {
    if (lane.closed) return;
    const tie = mix(lane.controlKey, notices + lane.notices++);
    const time = Math.max(notBefore, this.#engine.micros + this.#fabric.latency(lane.route, tie));
    this.#at(time, tie, { verb: "meet", at: lane.end, then: { verb: "close", lane, reason } });
  }
}

function loses(verdict: Verdict | undefined): boolean {
  return verdict?.kind === "drop" || verdict?.kind === "reset";
}

/** How long to wait before sending again. */
function patience(attempts: number): number {
  return retryMicros * 2 ** attempts;
}
