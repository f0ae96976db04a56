/**
 * Many clients of Redis at one pair of keys, simulated: each watches both, reads them, and writes them in MULTI, again and again until
 * EXEC does it. What is counted is of simulated time and of messages, so that it is the same on every machine: how often somebody
 * gets through, and what that takes.
 */

import { Component } from "@kith/core";
import { simulate, uniform } from "@kith/sim";
import {
  everything,
  Founding,
  FoundStore,
  type KnownGroup,
  positionOf,
  StoreMember,
} from "@kith/store";
import { Heard, Said, SimulatedPort, Wire } from "./port.ts";
import { heard, Refusal, type Reply, said } from "./resp.ts";

/** How it is tried. */
export interface ContentionOptions {
  readonly seed: number;
  /** Clients at all ports together. */
  readonly clients: number;
  /** How long a message takes, in milliseconds. */
  readonly linkMs: number;
  /** How long it is counted, in simulated seconds, after one that is not. */
  readonly seconds: number;
  /** Whether the keys are watched and read first. */
  readonly watches: boolean;
  /** How many pairs of keys the clients share; default 1. */
  readonly pairs?: number;
}

/** What was counted. */
export interface Contention {
  /** Transactions that were done, in a simulated second. */
  readonly perSecond: number;
  /** Messages between nodes for each of them. */
  readonly messages: number;
  /** How often EXEC answered nil for each of them. */
  readonly nils: number;
  readonly errors: number;
  /** How long clients took from the first WATCH until it was done, in milliseconds: the middle, and the longest. */
  readonly medianMs: number;
  readonly longestMs: number;
  /** Transactions that were done in a simulated second at the port that got through least. */
  readonly least: number;
}

interface NodeInit {
  readonly groups: readonly KnownGroup[];
  readonly clients: number;
  readonly watches: boolean;
  readonly pairs: readonly Pair[];
}

type Pair = readonly [string, string];

const nodes = 5;
const groupCount = 8;
const replicas = 3;

interface Client {
  text: string;
  replies: Reply[];
  due: number;
  pair: Pair;
  /** When it began to try, and whether it has yet to see the keys. */
  since: number;
  watching: boolean;
  written: string;
}

/** A member of the store with a Redis port, and clients at it. */
export class Crowd extends Component {
  readonly founding = this.requires(Founding);
  readonly wire = this.requires(Wire);
  readonly #found = this.founding.onAnswer(FoundStore, () => undefined);
  readonly #clients = new Map<number, Client>();
  readonly #init: NodeInit;
  readonly times: number[] = [];
  nils = 0;
  errors = 0;
  /** Whether no client begins anew. */
  ends = false;
  #last = 0;

  constructor(init: NodeInit) {
    super();
    this.#init = init;
    const { groups } = init;
    const member = this.create(StoreMember, { groups }, { name: "member" });
    const redis = this.create(SimulatedPort, {}, { name: "redis" });
    this.connect(member.ports.founding, this.founding);
    this.connect(member.ports.store, redis.ports.store);
    this.connect(redis.ports.wire, this.wire);
    this.wire.on(Heard, ({ client, text }) => this.#heard(client, text ?? ""));
    this.onStart(() => this.#found(new FoundStore({ groups, ordered: false })));
  }

  /** Lets the clients begin. */
  begin(): void {
    this.enter(() => {
      for (let client = 1; client <= this.#init.clients; client++) {
        const pair = this.#init.pairs[client % this.#init.pairs.length] ?? ["", ""];
        const one = { text: "", replies: [], due: 0, pair, since: 0, watching: true, written: "" };
        this.#clients.set(client, one);
        this.#next(client, one);
      }
    });
  }

  #next(client: number, one: Client): void {
    if (this.ends) return;
    one.since = this.clock.monotonic;
    this.#try(client, one);
  }

  #try(client: number, one: Client): void {
    const [a, b] = one.pair;
    one.watching = this.#init.watches;
    if (one.watching) this.#say(client, one, [said("WATCH", a, b), said("GET", a), said("GET", b)]);
    else this.#write(client, one);
  }

  #write(client: number, one: Client): void {
    const [a, b] = one.pair;
    one.watching = false;
    one.written = `${client}.${++this.#last}`;
    const writes = [said("SET", a, one.written), said("SET", b, one.written)];
    this.#say(client, one, [said("MULTI"), ...writes, said("EXEC")]);
  }

  #say(client: number, one: Client, texts: readonly string[]): void {
    one.due = texts.length;
    one.replies = [];
    this.wire.trigger(new Said({ client, text: texts.join("") }));
  }

  #heard(client: number, text: string): void {
    const one = this.#clients.get(client);
    if (one === undefined) return;
    one.text += text;
    for (;;) {
      const next = heard(one.text, 0);
      if (next === null) return;
      one.text = one.text.slice(next.at);
      one.replies.push(next.reply);
      if (one.replies.length === one.due) this.#all(client, one, one.replies);
    }
  }

  #all(client: number, one: Client, replies: readonly Reply[]): void {
    const last = replies.at(-1);
    if (replies.some((reply) => reply instanceof Refusal)) {
      this.errors++;
      this.#try(client, one);
    } else if (one.watching) this.#write(client, one);
    else if (last === null) {
      this.nils++;
      this.#try(client, one);
    } else {
      this.times.push(this.clock.monotonic - one.since);
      this.#next(client, one);
    }
  }

  /** Forgets what was counted so far. */
  reset(): void {
    this.times.length = 0;
    this.nils = 0;
    this.errors = 0;
  }
}

/** Pairs of keys, the first of each in one group and the second in another. */
function pairsOf(count: number): Pair[] {
  const groupOf = (key: string): number => positionOf(key, false).charCodeAt(0) >> 5;
  return Array.from({ length: count }, (_, pair): Pair => {
    const one = `a${pair}`;
    for (let i = 0; ; i++)
      if (groupOf(`b${pair}-${i}`) !== groupOf(one)) return [one, `b${pair}-${i}`];
  });
}

function groups(): KnownGroup[] {
  const start = (i: number): string =>
    i === 0 ? everything.lo : `${String.fromCharCode(i << 5)}\0\0\0\0\0`;
  return Array.from({ length: groupCount }, (_, i) => ({
    descriptor: {
      gid: `g${i}`,
      epoch: 1,
      lo: start(i),
      hi: i + 1 < groupCount ? start(i + 1) : null,
    },
    members: Array.from({ length: replicas }, (_one, j) => {
      const number = ((i + j) % nodes) + 1;
      return { peerId: number, host: `n${number}`, port: 7000 };
    }),
  }));
}

/** Lets clients contend, and counts. */
export function contend({
  seed,
  clients,
  linkMs,
  seconds,
  watches,
  pairs = 1,
}: ContentionOptions): Contention {
  const known = groups();
  const keys = pairsOf(pairs);
  const share = (index: number): number =>
    Math.floor((clients * (index + 1)) / nodes) - Math.floor((clients * index) / nodes);
  const world = simulate(Crowd, {
    seed,
    nodes,
    latency: uniform(linkMs, linkMs),
    initOf: ({ index }) => ({ groups: known, clients: share(index), watches, pairs: keys }),
  }).boot();
  let messages = 0;
  world.rule({
    name: "count",
    judge: ({ from, to, tag }) => {
      if (tag !== "" && from !== to) messages++;
      return undefined;
    },
  });
  world.runFor(8000);
  for (const { root } of world.nodes) root.begin();
  world.runFor(1000);
  for (const { root } of world.nodes) root.reset();
  messages = 0;
  world.runFor(seconds * 1000);
  const times = world.nodes.flatMap(({ root }) => root.times).sort((a, b) => a - b);
  const sum = (of: (crowd: Crowd) => number): number =>
    world.nodes.reduce((total, { root }) => total + of(root), 0);
  const done = Math.max(1, times.length);
  return {
    perSecond: times.length / seconds,
    messages: messages / done,
    nils: sum(({ nils }) => nils) / done,
    errors: sum(({ errors }) => errors),
    medianMs: times[times.length >> 1] ?? Infinity,
    longestMs: times.at(-1) ?? Infinity,
    least: Math.min(...world.nodes.map(({ root }) => root.times.length)) / seconds,
  };
}
