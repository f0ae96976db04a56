/**
 * Switchboards in a world of the test's own: its wires are queues, and its time stands still unless told. What
 * a wire has on its way is brought one item at a time, by whoever chooses the order; a station's turn follows
 * at once, as that of the component does.
 */

import type { LogLevel, ReplyToken } from "@kith/core";
import { expect } from "chai";
import {
  addressOf,
  ConnectionDown,
  ConnectionUp,
  type Deliver,
  type Delivery,
  Dropped,
  message,
  type Message,
  NetworkDrained,
  NetworkFull,
  type PeerRef,
  PlainCodec,
} from "../index.ts";
import { Board } from "./board.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import type { News } from "./traffic.ts";
import type { ListenerUser, Transport, Wire, WireUser } from "./transport.ts";

/** A message with a number. */
export class Numbered extends message("board/Numbered")<{ n: number; fill?: Uint8Array }> {}

type Item =
  | { readonly kind: "connect" | "open" }
  | { readonly kind: "frame"; readonly frame: Uint8Array }
  | { readonly kind: "end"; readonly code: number; readonly detail: string };

/** One end of a wire, with what is on its way to it. */
export class End implements Wire {
  readonly name: string;
  readonly at: string;
  readonly station: Station | null;
  readonly coming: Item[] = [];
  other: End;
  user: WireUser | null = null;
  open = false;
  over = false;
  reading = true;

  constructor(name: string, at: string, station: Station | null, other: End | null) {
    this.name = name;
    this.at = at;
    this.station = station;
    this.other = other ?? this;
  }

  get waiting(): number {
    return this.other.coming.reduce(
      (sum, it) => sum + (it.kind === "frame" ? it.frame.length : 0),
      0,
    );
  }

  send(frame: Uint8Array): void {
    if (this.open && !this.over && !this.other.over)
      this.other.coming.push({ kind: "frame", frame });
  }

  close(code: number, detail: string): void {
    if (this.over) return;
    this.over = true;
    this.other.coming.push({ kind: "end", code, detail });
  }

  pause(): void {
    this.reading = false;
  }

  resume(): void {
    this.reading = true;
  }

  admit(): void {}
}

/** What a station was told, in order. */
export type Told =
  | News
  | Message
  | { readonly n: number; readonly status: Delivery["status"]; readonly reason?: string };

/** One life of a process. */
export class Station {
  readonly self: PeerRef;
  readonly board: Board;
  readonly told: Told[] = [];
  readonly log: { readonly level: LogLevel; readonly text: string }[] = [];
  /** Of each message that was sent, after how many tellings. */
  readonly sent = new Map<
    number,
    { readonly at: number; readonly until: Deliver["until"] | null }
  >();
  readonly timers = new Set<{ next: number; readonly ms: number; readonly callback: () => void }>();
  listener: ListenerUser | null = null;
  alive = true;
  /** Whether it asks for a turn that it has not got. */
  woken = false;
  readonly #soon: (() => void)[] = [];
  readonly #codec = new PlainCodec();
  readonly #tokens = new Map<ReplyToken<Delivery>, number>();

  constructor(world: World, self: PeerRef, limits: Partial<Limits>) {
    this.self = self;
    let nonces = 0;
    const transport: Transport = {
      now: () => world.now,
      nonce: () => new Uint8Array(32).fill(++nonces).fill(self.port % 256, 0, 8),
      every: (ms, callback) => {
        const timer = { next: world.now + ms, ms, callback };
        this.timers.add(timer);
        return () => void this.timers.delete(timer);
      },
      soon: (callback) => void this.#soon.push(callback),
      dial: (to, user) => world.dial(this, `${to.host}:${to.port}`, user),
      listen: (_, user) => {
        this.listener = user;
        return () => (this.listener = null);
      },
    };
    this.board = new Board({
      identity: { self, cluster: "kith", secret: "s" },
      codec: this.#codec,
      transport,
      limits: { ...defaultLimits, ...limits },
      wire: { tls: null, frameBytesMax: 1e6, callerBytesMax: 8192, closeMs: 100, origins: null },
      listen: self.port === 0 ? null : self,
      failed: (cause) => {
        throw cause;
      },
    });
    this.board.open();
    this.board.traffic.sink = {
      indicate: (event) => this.told.push(event),
      answer: (token, { status, reason }) => {
        const n = this.#tokens.get(token) ?? -1;
        this.told.push(reason === undefined ? { n, status } : { n, status, reason });
      },
      wake: () => (this.woken = true),
      draw: () => world.draw(),
      log: {
        trace: (text) => this.log.push({ level: "trace", text }),
        debug: (text) => this.log.push({ level: "debug", text }),
        info: (text) => this.log.push({ level: "info", text }),
        warn: (text) => this.log.push({ level: "warn", text }),
        error: (text) => this.log.push({ level: "error", text }),
      },
    };
  }

  /** Sends a message, in a turn; with `until` it asks what becomes of it. */
  send(to: PeerRef, n: number, until: Deliver["until"] | null = null, fill?: Uint8Array): void {
    this.sent.set(n, { at: this.told.length, until });
    const one = new Numbered(fill === undefined ? { to, n } : { to, n, fill });
    const token = { n } as unknown as ReplyToken<Delivery>;
    if (until !== null) this.#tokens.set(token, n);
    this.board.traffic.send(one, until === null ? null : { token, until });
  }

  /** Does what is due without any time: the end of the slice. */
  endSlice(): void {
    for (const one of this.#soon.splice(0)) one();
  }

  turn(): void {
    this.woken = false;
    if (this.alive) this.board.work();
    this.endSlice();
  }

  /** All that is due. */
  settle(): void {
    this.endSlice();
    while (this.woken && this.alive) this.turn();
  }

  /** Those of a kind that were told. */
  all<T extends Told>(cls: abstract new (...args: never[]) => T): T[] {
    return this.told.filter((one): one is T => one instanceof cls);
  }

  /** The numbers that arrived. */
  get arrived(): number[] {
    return this.all(Numbered).map(({ n }) => n);
  }

  answers(n: number): string[] {
    return this.told.flatMap((one) => ("status" in one && one.n === n ? [one.status] : []));
  }
}

/** An end of a wire to which something can be brought. */
export interface Choice {
  readonly name: string;
  /** Whose state it changes. */
  readonly at: string;
  readonly run: () => void;
}

/** Stations and the wires between them. */
export class World {
  now = 0;
  readonly stations = new Map<string, Station>();
  readonly lives: Station[] = [];
  readonly ends: End[] = [];
  /** Pairs of addresses between which nothing passes, and nobody is told. */
  readonly frozen = new Set<string>();
  /** When which station has called. */
  readonly dialled: { readonly from: string; readonly at: number }[] = [];
  /** Addresses at which calls are refused. */
  readonly closed = new Set<string>();
  draw: () => number = () => 0.5;
  /** Whether a station gets its turn with what is brought to it. */
  turns = true;
  #wires = 0;
  readonly #limits: Partial<Limits>;

  constructor(limits: Partial<Limits> = {}) {
    this.#limits = limits;
  }

  /** Starts a process at a port, in its next life. */
  start(port: number, limits: Partial<Limits> = {}): Station {
    const lives = this.lives.filter(({ self }) => self.port === port).length;
    const self = { peerId: port, host: "h", port, incarnation: lives + 1 };
    const station = new Station(this, self, { ...this.#limits, ...limits });
    this.stations.set(addressOf(self), station);
    this.lives.push(station);
    return station;
  }

  /** Ends a process without a word: what it has sent is still on its way, and its wires end behind that. */
  crash(station: Station): void {
    station.alive = false;
    station.timers.clear();
    station.listener = null;
    for (const end of this.ends) {
      if (end.station !== station || end.over) continue;
      end.over = true;
      end.coming.length = 0;
      end.other.coming.push({ kind: "end", code: 1006, detail: "the process is dead" });
    }
  }

  dial(from: Station, to: string, user: WireUser): Wire {
    const name = `w${++this.#wires}`;
    const own = new End(`${name} to ${addressOf(from.self)}`, addressOf(from.self), from, null);
    const other = new End(`${name} to ${to}`, to, this.stations.get(to) ?? null, own);
    own.other = other;
    own.user = user;
    this.dialled.push({ from: addressOf(from.self), at: this.now });
    other.coming.push({ kind: "connect" });
    this.ends.push(own, other);
    return own;
  }

  /** Breaks a wire: what is on its way is lost. */
  cut(end: End): void {
    for (const one of [end, end.other]) {
      one.coming.length = 0;
      if (!one.over) one.coming.push({ kind: "end", code: 1006, detail: "cut" });
    }
  }

  /** What can be brought. */
  choices(): Choice[] {
    const found: Choice[] = [];
    for (const end of this.ends) {
      if (end.coming.length === 0 || this.frozen.has(pairOf(end.at, end.other.at))) continue;
      if (!end.reading && end.coming[0]?.kind === "frame") continue;
      found.push({ name: end.name, at: end.at, run: () => this.#bring(end) });
    }
    return found;
  }

  #bring(end: End): void {
    const item = end.coming.shift();
    if (item === undefined || end.over) return;
    if (item.kind === "connect") this.#connect(end);
    else if (item.kind === "open") {
      end.open = true;
      end.user?.opened();
    } else if (item.kind === "frame") {
      end.user?.received(item.frame);
      if (!end.other.over) end.other.user?.drained();
    } else if (item.kind === "end") {
      end.over = true;
      end.coming.length = 0;
      end.user?.ended(item);
    }
    if (!this.turns) return;
    end.station?.settle();
    end.other.station?.settle();
  }

  #connect(end: End): void {
    const listener = end.station?.listener ?? null;
    if (listener === null || this.closed.has(end.at)) {
      end.over = true;
      end.other.coming.push({ kind: "end", code: 1006, detail: "nobody listens there" });
      return;
    }
    end.user = listener.called(end, end.other.at);
    end.open = true;
    end.other.coming.push({ kind: "open" });
    end.user.opened();
  }

  /** Brings all that is on its way. */
  settle(): void {
    for (const station of this.lives) station.settle();
    for (let next = this.choices(); next.length > 0; next = this.choices())
      for (const { run } of next) {
        run();
        for (const station of this.lives) station.settle();
      }
  }

  /** Lets time pass, and brings what comes of it unless told otherwise. */
  pass(ms: number, settles = true): void {
    const end = this.now + ms;
    for (;;) {
      const timers = this.lives.flatMap((station) => [...station.timers]);
      const next = Math.max(this.now, Math.min(end, ...timers.map((timer) => timer.next)));
      this.now = next;
      for (const timer of timers) {
        if (timer.next > next) continue;
        timer.next = next + timer.ms;
        timer.callback();
      }
      if (settles) this.settle();
      if (next >= end) return;
    }
  }

  /** How many wires are open at both ends. */
  get wires(): number {
    return (
      this.ends.filter((end) => end.open && !end.over && end.other.open && !end.other.over).length /
      2
    );
  }
}

/** The name of a pair. */
export function pairOf(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}

/**
 * What must hold of all stations of a world, whatever has happened: each connection that is told ends once,
 * full and drained take turns, each delivery is answered once and truly, what arrives is in order and comes once,
 * and nothing is lost without a word.
 *
 * @param quiet whether all is over: then every delivery has its answer
 */
export function expectSound(world: World, quiet: boolean): void {
  const arrivals = new Map<string, number[]>();
  for (const { self, told } of world.lives)
    for (const one of told)
      if (one instanceof Numbered) {
        const way = `${one.from.port}#${one.from.incarnation} ${self.port}`;
        arrivals.set(way, [...(arrivals.get(way) ?? []), one.n]);
      }
  for (const [way, numbers] of arrivals)
    for (let i = 1; i < numbers.length; i++)
      expect(numbers[i], `order on ${way} of ${numbers.join()}`).to.be.above(numbers[i - 1] ?? -1);
  for (const station of world.lives) {
    expectTurns(station);
    const arrived = new Set(
      world.lives.flatMap(({ told }) =>
        told.flatMap((one) =>
          one instanceof Numbered && sameLife(one.from, station.self) ? [one.n] : [],
        ),
      ),
    );
    let lastDown = -1;
    station.told.forEach((one, i) => {
      if (one instanceof ConnectionDown) lastDown = i;
    });
    let unasked = 0;
    for (const [n, { at, until }] of station.sent) {
      const answers = station.answers(n);
      expect(answers.length, `answers to ${n}: ${answers.join()}`).to.be.at.most(1);
      if (until === null) {
        if (!arrived.has(n) && lastDown < at) unasked++;
        continue;
      }
      if (quiet && station.alive) expect(answers, `the answer to ${n}`).to.have.length(1);
      if (answers[0] === "acknowledged") expect(arrived.has(n), `${n} is there`).to.equal(true);
      if (answers[0] === "failed") expect(arrived.has(n), `${n} is lost`).to.equal(false);
    }
    // What has not arrived, and after which no connection ended, was told as dropped.
    if (quiet && station.alive)
      expect(unasked, `lost by ${station.self.port}`).to.be.at.most(
        world.lives
          .flatMap((one) => one.all(Dropped))
          .filter(({ from }) => sameLife(from, station.self)).length,
      );
  }
}

function sameLife(a: PeerRef, b: PeerRef): boolean {
  return a.port === b.port && a.incarnation === b.incarnation;
}

function expectTurns({ told, self }: Station): void {
  const up = new Map<string, boolean>();
  const full = new Map<string, boolean>();
  for (const one of told) {
    if (one instanceof ConnectionUp) {
      const name = addressOf(one.peer);
      expect(up.get(name) ?? false, `${self.port} is connected with ${name} already`).to.equal(
        false,
      );
      up.set(name, true);
    } else if (one instanceof ConnectionDown) {
      const name = addressOf(one.peer);
      if (one.reason !== "refused")
        expect(up.get(name), `${self.port} is connected with ${name}`).to.equal(true);
      up.set(name, false);
    } else if (one instanceof NetworkFull || one instanceof NetworkDrained) {
      const name = addressOf(one.peer);
      expect(full.get(name) ?? false).to.equal(one instanceof NetworkDrained);
      full.set(name, one instanceof NetworkFull);
    }
  }
}
