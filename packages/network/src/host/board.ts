/**
 * The switchboard of a process: its links to others, and the calls that become their connections.
 * It outlives the component in a swap. What happens on wires waits until the component lends it its turn.
 *
 * Invariants: one connection for each pair of processes, known by their names; users are told of its
 * beginning before anything that came over it, and of its end once. Where both sides call at once, the call of
 * the one with the smaller name wins, and the other waits, proved and ready, until that is decided. A call
 * that began before the connection was made is late, and is sent away; one that began after it shows
 * that its side has lost the connection, and takes its place.
 */

import type { Codec } from "../codec.ts";
import { formatPeer, type PeerRef } from "../peer-ref.ts";
import { ConnectionDown, type ConnectionDownReason, ConnectionUp } from "../port.ts";
import { writeBatch } from "./batch.ts";
import { Call, type Desk, type Happening } from "./call.ts";
import { Complaints } from "./complaints.ts";
import { describeThrown } from "./failure.ts";
import {
  downReason,
  farewell,
  type FarewellCode,
  grievance,
  printable,
  reasonOf,
} from "./farewell.ts";
import {
  CalledHandshake,
  CallerHandshake,
  type Handshake,
  type Identity,
  type Met,
} from "./handshake.ts";
import type { Limits } from "./limits.ts";
import { Inbox } from "./inbox.ts";
import { Link, processName } from "./link.ts";
import { pulse } from "./pulse.ts";
import { type Switching, Traffic } from "./traffic.ts";
import type { Place, Transport, WireOptions, WireUser } from "./transport.ts";

/** What a board has to know. */
export interface BoardOptions {
  readonly identity: Omit<Identity, "codec" | "fingerprint">;
  readonly codec: Codec;
  readonly transport: Transport;
  readonly limits: Limits;
  readonly wire: WireOptions;
  /** Where to listen; null for a process that only calls. */
  readonly listen: Place | null;
  /** Told when the listening socket fails. */
  readonly failed: (cause: unknown) => void;
}

/** How often deadlines are looked at. */
const tickMs = 100;
/** Of so many ticks at most only one is one, where nothing is waited for. */
const restedTicksMax = 5;
/** A tick that comes so much later shows that the process stood still: what it did not hear then may have come. */
const stallMs = 1000;
/** How often a call in a row may lose against another one that then is not there. */
const duplicatesMax = 3;

/** The switchboard of one process. */
export class Board implements Desk, Switching {
  readonly traffic: Traffic;
  readonly #options: BoardOptions;
  readonly #self: PeerRef;
  readonly #name: string;
  readonly #links = new Map<string, Link>();
  readonly #calls = new Set<Call>();
  /** Those of them of the other side that have not shown who they are, oldest first. */
  readonly #callers = new Set<Call>();
  /** A budget of their own, so that strangers cannot use up that of the peers. */
  readonly #ofStrangers = new Complaints("calls of others");
  readonly #ofPeers = new Complaints("calls and connections");
  #connections = 0;
  #attempts = 0;
  readonly #inbox: Inbox;
  #lastLink: Link | null = null;
  #stopped = false;
  #ticked = false;
  #tickedAt = 0;
  #stopTicking: (() => void) | null = null;
  #stopListening: (() => void) | null = null;

  constructor(options: BoardOptions) {
    this.#options = options;
    this.#self = options.identity.self;
    this.#name = processName(this.#self);
    const { codec, limits, transport } = options;
    this.#inbox = new Inbox(limits.inboxBytesMax, limits.frameBytesMax);
    this.traffic = new Traffic(this.#self, codec, limits, transport, this);
  }

  /** Begins to listen. */
  open(): void {
    const { listen, transport, wire, failed } = this.#options;
    if (listen === null || transport.listen === null) return;
    this.#stopListening = transport.listen(
      listen,
      {
        called: (arrived, from) => this.#called(arrived, from),
        failed,
        troubled: (cause) => {
          const line = `a call could not be taken: ${describeThrown(cause)}`;
          this.#ofStrangers.say(this.traffic.sink?.log, transport.now(), line, undefined);
        },
      },
      wire,
    );
  }

  /** Ends all connections in order, and listens no more. What waits still goes out. */
  stop(): void {
    this.#stopped = true;
    this.#stopListening?.();
    this.#stopListening = null;
    this.traffic.sink = null;
    for (const call of [...this.#calls]) {
      if (call.link !== null) this.traffic.flush(call.link, call, Infinity);
      call.phase = "over";
      call.wire?.close(farewell.stopped, reasonOf(farewell.stopped));
    }
    this.#calls.clear();
    this.#callers.clear();
    this.#links.clear();
    this.#inbox.clear();
    this.#stopTicking?.();
    this.#stopTicking = null;
  }

  /** The links, for whoever takes over. */
  get links(): Iterable<Link> {
    return this.#links.values();
  }

  // --- the component's turn --------------------------------------------------------------------

  happened(happening: Happening): void {
    if (this.#stopped) return;
    this.#inbox.put(happening);
    this.traffic.wake();
  }

  drained(call: Call): void {
    if (call.link?.call === call)
      this.traffic.flush(call.link, call, this.#options.limits.windowBytes);
  }

  /** Deals with what has happened; in the component's turn. */
  work(): void {
    this.traffic.turn(() => {
      if (this.#inbox.deal((happening) => this.#deal(happening))) this.traffic.wake();
      if (!this.#ticked) return;
      this.#ticked = false;
      this.#tick(this.#options.transport.now());
    });
  }

  #deal(happening: Happening): void {
    const { call } = happening;
    if (call.phase === "over") return;
    if (happening.kind !== "ended" && call.inboxBytes > this.#inbox.floodBytes)
      this.end(call, farewell.flooded, "");
    else if (happening.kind === "opened") {
      if (call.hello !== null) call.wire?.send(call.hello);
    } else if (happening.kind === "ended") this.#ended(call, happening.end);
    else if (happening.frame === null) this.end(call, farewell.malformed, "text, not bytes");
    else if (call.phase === "up" || call.phase === "leaving")
      this.traffic.take(call, happening.frame);
    else this.#greet(call, happening.frame);
  }

  // --- calls -----------------------------------------------------------------------------------

  linkTo(peer: PeerRef): Link | null {
    const last = this.#lastLink;
    if (
      last !== null &&
      peer.port !== 0 &&
      last.peer.port === peer.port &&
      last.peer.host === peer.host
    )
      return last;
    const name = processName(peer);
    let link = this.#links.get(name);
    if (link === undefined) {
      // Whoever only calls can be reached while its call is up.
      if (peer.port === 0) return null;
      link = new Link(peer, this.#options.limits);
      this.#links.set(name, link);
    } else if (peer.port === 0 && link.call === null) return null;
    this.#lastLink = link;
    return link;
  }

  wanted(link: Link): void {
    if (link.dial !== null || link.leaving !== null || link.peer.port === 0) return;
    if (this.#options.transport.now() < link.notBefore) this.#beginTicking();
    else this.#dial(link);
  }

  #dial(link: Link): void {
    const { transport, limits, wire } = this.#options;
    const { host, port } = link.peer;
    const nonce = transport.nonce();
    const shake = new CallerHandshake(this.#identity(), link.name, ++this.#attempts, nonce);
    const call = this.#begin(link.name, shake, shake.hello);
    call.link = link;
    link.dial = call;
    if (this.#connections >= limits.connectionsMax) {
      this.#fail(call, "there are too many connections here");
      return;
    }
    try {
      call.wire = transport.dial({ host, port }, call, wire);
    } catch (cause) {
      this.#fail(call, cause instanceof Error ? cause.message : String(cause));
    }
  }

  /** A call that has come to nothing before it was a wire. */
  #fail(call: Call, detail: string): void {
    this.happened({ kind: "ended", call, end: { code: 1006, detail } });
  }

  #called(wire: Call["wire"], from: string): WireUser {
    const { transport, limits } = this.#options;
    const shake = new CalledHandshake(this.#identity(), transport.nonce());
    const call = this.#begin(from, shake, null);
    call.wire = wire;
    if (this.#stopped) this.end(call, farewell.stopped, "");
    this.#callers.add(call);
    const [oldest] = this.#callers;
    // The oldest has had the most time; whoever comes in earnest is through in two round trips.
    if (this.#callers.size > limits.callersMax && oldest !== undefined)
      this.end(oldest, farewell.callers, "");
    return call;
  }

  #begin(name: string, shake: Handshake, hello: Uint8Array | null): Call {
    const { transport, limits } = this.#options;
    const call = new Call(this, name, shake, hello, transport.now() + limits.handshakeMs);
    this.#calls.add(call);
    if (!this.#stopped) this.#beginTicking();
    return call;
  }

  #identity(): Identity {
    const { identity, codec } = this.#options;
    return { ...identity, codec: codec.name, fingerprint: codec.fingerprint() };
  }

  #greet(call: Call, frame: Uint8Array): void {
    const step =
      call.phase === "greeting"
        ? call.handshake.take(frame)
        : ({ kind: "refuse", code: farewell.malformed, detail: "it does not wait" } as const);
    switch (step.kind) {
      case "send":
        call.wire?.send(step.frame);
        return;
      case "refuse":
        this.end(call, step.code, step.detail);
        return;
      case "welcomed":
        this.#welcomed(call, step.met);
        return;
      case "met":
        this.#callers.delete(call);
        call.met = step.met;
        call.welcome = step.welcome;
        call.name = formatPeer(step.met.peer);
        this.#meet(call, step.met);
        return;
    }
  }

  #welcomed(call: Call, met: Met): void {
    const { link } = call;
    if (link === null) return;
    link.dial = null;
    call.met = met;
    if (link.call !== null) this.end(call, farewell.duplicate, "");
    else this.#up(call, link, met);
    if (link.parked !== null) this.end(link.parked, farewell.duplicate, "");
  }

  /** Decides over a call of the other side that has proved itself. */
  #meet(call: Call, met: Met): void {
    const name = processName(met.peer);
    let link = this.#links.get(name);
    if (link === undefined) {
      link = new Link(met.peer, this.#options.limits);
      this.#links.set(name, link);
    }
    call.link = link;
    const { call: old, dial, parked } = link;
    if (met.peer.incarnation < link.life) {
      this.end(call, farewell.superseded, "");
      return;
    }
    if (old !== null) {
      const before = old.met?.peer.incarnation ?? 0;
      if (met.peer.incarnation === before && met.attempt < (old.met?.attempt ?? 0)) {
        this.end(call, farewell.duplicate, "");
        return;
      }
      const restarted = met.peer.incarnation > before;
      this.end(old, restarted ? farewell.restarted : farewell.replaced, "");
    }
    if (dial !== null && this.#name < name) {
      if (parked !== null) this.end(parked, farewell.duplicate, "");
      call.phase = "parked";
      link.parked = call;
      return;
    }
    if (dial !== null) {
      // It has not failed: nothing waits the longer for it.
      link.dial = null;
      this.end(dial, farewell.duplicate, "");
    }
    this.#accept(call, link, met);
  }

  #accept(call: Call, link: Link, met: Met): void {
    if (this.#connections >= this.#options.limits.connectionsMax) {
      this.end(call, farewell.connections, "");
      return;
    }
    // Before the other one ends, so that nobody calls because of that.
    link.call = call;
    if (link.leaving !== null) this.end(link.leaving, farewell.idle, "");
    if (call.welcome !== null) call.wire?.send(call.welcome(++this.#attempts));
    this.#up(call, link, met);
  }

  #up(call: Call, link: Link, met: Met): void {
    const { codec, transport } = this.#options;
    const { peer } = met;
    const now = transport.now();
    call.phase = "up";
    call.name = formatPeer(peer);
    call.upAt = call.heardAt = call.spokeAt = call.usedAt = now;
    call.wire?.admit();
    link.call = call;
    link.peer = peer;
    link.life = peer.incarnation;
    this.#connections++;
    const log = this.traffic.sink?.log;
    if (met.fingerprint !== codec.fingerprint())
      log?.warn(`${call.name} knows other message classes than this process`, {
        theirs: printable(met.fingerprint),
      });
    if (link.blamed === 0) log?.debug(`connected with ${call.name}`);
    else log?.info(`connected with ${call.name} again`);
    link.blamed = 0;
    this.traffic.tell(new ConnectionUp({ peer }));
    this.traffic.flushSoon(link);
  }

  // --- ends ------------------------------------------------------------------------------------

  /** Ends a call from this side, and says why on both. */
  end(call: Call, code: FarewellCode, detail: string): void {
    if (call.phase === "over") return;
    call.wire?.close(code, reasonOf(code, detail));
    this.#over(call, code, reasonOf(code, detail), true);
  }

  #ended(call: Call, end: { readonly code: number; readonly detail: string }): void {
    this.#over(call, end.code, printable(end.detail), false);
  }

  #over(call: Call, code: number, text: string, own: boolean): void {
    const { phase, link } = call;
    call.phase = "over";
    this.#calls.delete(call);
    this.#callers.delete(call);
    const log = this.traffic.sink?.log;
    const quiet =
      code === farewell.duplicate || (phase !== "greeting" && downReason(code) === "closed");
    const what =
      phase === "up" || phase === "leaving"
        ? "the connection with"
        : call.hello === null
          ? "a call of"
          : "a call to";
    const who = own ? "ended here" : "ended";
    const line = `${what} ${call.name} ${who}: ${text === "" ? "without a reason" : text}`;
    const now = this.#options.transport.now();
    if (quiet) log?.debug(line, { code });
    else if (link === null) this.#ofStrangers.say(log, now, line, { code });
    else if (link.blamed === grievance(code)) log?.debug(line, { code });
    else {
      link.blamed = grievance(code);
      this.#ofPeers.say(log, now, line, { code });
    }
    if (link === null) return;
    if (link.parked === call) link.parked = null;
    if (phase === "up" || phase === "leaving") this.#down(link, call, code, phase);
    else if (link.dial === call) this.#dialFailed(link, code);
  }

  #down(link: Link, call: Call, code: number, phase: "up" | "leaving"): void {
    const { transport, limits } = this.#options;
    const { queue, peer } = link;
    const orderly = code === farewell.idle && peer.port !== 0;
    this.#connections--;
    if (link.leaving === call) link.leaving = null;
    if (link.call === call) link.call = null;
    const now = transport.now();
    if (orderly || now - call.upAt > limits.backOffMsMax) link.failures = 0;
    else this.#pause(link, now);
    const reason: ConnectionDownReason = downReason(code);
    if (link.call === null)
      for (const asked of queue.clearOpen()) this.traffic.answer(asked, "unknown", "disconnected");
    this.traffic.tell(new ConnectionDown({ peer: call.met?.peer ?? peer, reason }));
    // Nothing that waits was on its way when both sides let go in peace.
    if (!orderly && phase === "up") this.traffic.loseAll(queue.clearWaiting(), "disconnected");
    this.traffic.mark(link);
    if (link.call === null && queue.length > 0) this.wanted(link);
  }

  #dialFailed(link: Link, code: number): void {
    const { queue, parked } = link;
    link.dial = null;
    if (parked !== null && parked.met !== null) {
      link.parked = null;
      this.#accept(parked, link, parked.met);
      return;
    }
    if (link.call !== null) return;
    this.#pause(link, this.#options.transport.now());
    if (code === farewell.duplicate && link.failures <= duplicatesMax) return;
    this.traffic.tell(
      new ConnectionDown({ peer: queue.first?.message.to ?? link.peer, reason: "refused" }),
    );
    this.traffic.loseAll(queue.clearWaiting(), "unreachable");
    this.traffic.mark(link);
  }

  /** The pause before the next attempt: doubled with each failure, and never the same twice. */
  #pause(link: Link, now: number): void {
    const { backOffMs, backOffMsMax } = this.#options.limits;
    link.failures++;
    const pause = Math.min(backOffMsMax, backOffMs * 2 ** Math.min(30, link.failures - 1));
    link.notBefore = now + pause * (0.5 + (this.traffic.sink?.draw() ?? 0.5) / 2);
  }

  byeHeard(call: Call): void {
    const { link } = call;
    if (link !== null) this.traffic.flush(link, call, Infinity);
    this.end(call, farewell.idle, "");
  }

  // --- time ------------------------------------------------------------------------------------

  #beginTicking(): void {
    if (this.#stopTicking !== null) return;
    const { transport } = this.#options;
    this.#tickedAt = transport.now();
    let rested = 0;
    const { heartbeatMs, silenceMs, idleMs } = this.#options.limits;
    const shortest = Math.min(heartbeatMs, silenceMs, idleMs > 0 ? idleMs : Infinity);
    const restedTicks = Math.min(restedTicksMax, shortest / (10 * tickMs));
    this.#stopTicking = transport.every(tickMs, () => {
      const late = transport.now() - this.#tickedAt - tickMs;
      // Where all is as it should be, what is looked at takes seconds.
      if (late <= stallMs && ++rested < restedTicks && this.#rests()) {
        this.#tickedAt = transport.now();
        return;
      }
      rested = 0;
      this.#ticked = true;
      this.traffic.wake();
    });
  }

  /** Whether all calls are up and quiet, and nothing waits for one. */
  #rests(): boolean {
    for (const { phase, wire } of this.#calls)
      if (phase !== "up" || (wire?.waiting ?? 1) > 0) return false;
    for (const { call, queue } of this.#links.values())
      if (call === null && queue.length > 0) return false;
    return true;
  }

  #tick(now: number): void {
    const late = now - this.#tickedAt - tickMs;
    this.#tickedAt = now;
    for (const call of [...this.#calls]) {
      if (late > stallMs) {
        call.deadline += late;
        call.heardAt += late;
      }
      if (call.phase === "up") this.#tickConnection(call, now);
      else if (now >= call.deadline)
        this.end(call, call.phase === "leaving" ? farewell.idle : farewell.slow, "");
    }
    for (const link of [...this.#links.values()]) {
      if (link.call === null && link.queue.length > 0) this.wanted(link);
      if (!link.idle(now)) continue;
      this.#links.delete(link.name);
      if (this.#lastLink === link) this.#lastLink = null;
    }
    const all = [this.#ofStrangers, this.#ofPeers];
    for (const complaints of all) complaints.tick(this.traffic.sink?.log, now);
    if (this.#calls.size > 0 || this.#links.size > 0) return;
    if (all.some(({ pending }) => pending)) return;
    this.#stopTicking?.();
    this.#stopTicking = null;
  }

  #tickConnection(call: Call, now: number): void {
    const { link, wire } = call;
    const { limits } = this.#options;
    const found = pulse(call, now, limits);
    if (found === "fine" || link === null || wire === null) return;
    if (found === "silent") this.end(call, farewell.silent, "");
    else if (found === "idle") {
      this.traffic.flush(link, call, Infinity);
      wire.send(writeBatch([], undefined, true));
      call.phase = "leaving";
      call.deadline = now + limits.closeMs;
      link.call = null;
      link.leaving = call;
    } else {
      wire.send(writeBatch([]));
      call.spokeAt = now;
    }
  }
}
