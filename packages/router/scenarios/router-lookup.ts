/**
 * Lookups while peers crash, come back, leave and are cut off, and while each peer's router is replaced by those of
 * other kinds. Keys are the identifiers of the peers, so that who owns one can be told from who is up.
 *
 * A peer is *healthy* while its neighbours, as its ring sees them, are its neighbours in the order of all that are up. Of
 * the lookups between two that are healthy from beginning to end at least nine of ten have to find the owner.
 */

import {
  AskTimeout,
  Component,
  event,
  type Millis,
  ScheduleTimeout,
  timeout,
  Timer,
} from "@kith/core";
import { AdaptiveDetector } from "@kith/fd";
import { Cyclon, Introduce, PeerSampling, Sample } from "@kith/membership";
import type { PeerRef } from "@kith/network";
import { Consider, FoundRing, JoinRing, RelaxedRing, Ring, RingMerger, RingView } from "@kith/ring";
import {
  ChordSharpRouter,
  FlexibleRouter,
  KaryRouter,
  Learn,
  Lookup,
  Routed,
  Router,
  SendToInterval,
  SendToKey,
} from "../src/index.ts";
import {
  exponential,
  Fact,
  isReport,
  oneOf,
  Perform,
  Performed,
  scenario,
  type View,
  Workload,
} from "@kith/sim/scenario";

/** What is sent to keys: the call that sends it. */
export class Parcel extends event("router-lookup/Parcel", Routed)<{ readonly call: number }> {}

/** The neighbours as a peer sees them, by identifiers. */
export class Placed extends event("router-lookup/Placed", Fact)<{
  readonly predecessor: number | null;
  readonly successor: number | null;
}> {}

/** A call begins at a router. */
export class Begun extends event("router-lookup/Begun", Fact)<{ readonly call: number }> {}

/** It has its answer. */
export class Ended extends event("router-lookup/Ended", Fact)<{
  readonly call: number;
  readonly key: number;
  /** The identifier of whoever was found; null where nobody was. */
  readonly found: number | null;
  readonly hops: number;
  /** Of a payload: what is said about its delivery. */
  readonly status: "delivered" | "failed" | "unknown" | null;
}> {}

/** A payload was delivered. */
export class Arrived extends event("router-lookup/Arrived", Fact)<{ readonly call: number }> {}

class FoundLate extends timeout("router-lookup/FoundLate") {}

const kinds = [FlexibleRouter, KaryRouter, ChordSharpRouter] as const;
/** Whoever founds a ring waits so long for others to take it in: there may be one. The others wait longer. */
const foundMillis = 6000;
/** All attempts of a call, and some more. */
const endMillis = 14_000;

/** A peer with ring, merger and router. */
export class Peer extends Component {
  readonly workload = this.requires(Workload);
  readonly router = this.requires(Router);
  readonly ring = this.requires(Ring);
  readonly sampling = this.requires(PeerSampling);
  readonly timer = this.requires(Timer);
  readonly detector = this.create(AdaptiveDetector, {}, { name: "Detector" });
  readonly relaxed = this.create(RelaxedRing, {}, { name: "Ring" });
  readonly cyclon = this.create(Cyclon, {}, { name: "Cyclon" });
  readonly merger = this.create(RingMerger, {}, { name: "Merger" });
  readonly child;
  #status = "out";
  #kind: number;
  readonly #lookup = this.router.onAnswer(Lookup, (answer, { key }, { id }: { id: number }) => {
    if (answer instanceof AskTimeout) return;
    const { peer, hops, failure } = answer;
    const found = peer?.peerId ?? null;
    this.workload.trigger(new Ended({ call: id, key, found, hops, status: null }));
    this.#performed(id, found !== null, found, failure);
  });
  readonly #send = this.router.onAnswer(SendToKey, (answer, { key }, { id }: { id: number }) => {
    if (answer instanceof AskTimeout) return;
    const { status, by, hops, failure } = answer;
    const found = by?.peerId ?? null;
    this.workload.trigger(new Ended({ call: id, key, found, hops, status }));
    const type = status === "delivered" ? "ok" : status === "failed" ? "fail" : "info";
    this.workload.trigger(new Performed({ id, type, value: found, error: failure ?? undefined }));
  });
  readonly #spread = this.router.onAnswer(
    SendToInterval,
    (answer, { interval }, { id }: { id: number }) => {
      if (answer instanceof AskTimeout) return;
      const { by, failure } = answer;
      const ended = { call: id, key: interval.first, found: null, hops: 0, status: null };
      this.workload.trigger(new Ended(ended));
      this.#performed(id, failure === null, by.length, failure);
    },
  );

  constructor(init: {
    readonly index: number;
    readonly introducers: readonly PeerRef[];
    readonly kind: number;
  }) {
    super();
    this.#kind = init.kind;
    this.child = this.create(kinds[init.kind] ?? FlexibleRouter, {}, { name: "Router" });
    this.connect(this.detector.ports.detector, this.relaxed.ports.detector);
    this.connect(this.relaxed.ports.ring, this.ring);
    this.connect(this.relaxed.ports.ring, this.merger.ports.ring);
    this.connect(this.relaxed.ports.ring, this.child.ports.ring);
    this.connect(this.cyclon.ports.sampling, this.sampling);
    this.connect(this.cyclon.ports.sampling, this.merger.ports.sampling);
    this.connect(this.child.ports.router, this.router);
    this.sampling.on(Sample, ({ peers }) => {
      this.router.trigger(new Learn({ peers }));
      this.ring.trigger(new Consider({ peers }));
    });
    this.ring.on(RingView, ({ status, predecessor, successors: [first] }) => {
      this.#status = status;
      const placed = { predecessor: predecessor?.peerId ?? null, successor: first?.peerId ?? null };
      this.workload.trigger(new Placed(placed));
    });
    this.router.on(Parcel, ({ call }) => this.workload.trigger(new Arrived({ call })));
    this.workload.on(Perform, ({ id, op, value }) => this.#perform(id, op, Number(value)));
    this.timer.on(FoundLate, () => {
      if (this.#status !== "in") this.ring.trigger(new FoundRing());
    });
    this.onStart(() => {
      const { index, introducers } = init;
      this.ring.trigger(new JoinRing({ introducers }));
      this.sampling.trigger(new Introduce({ peers: introducers }));
      // Whoever is to found may be gone for good; what two have founded becomes one, as each considers the other.
      const founding = { delay: foundMillis * (1 + 2 * index), timeout: new FoundLate() };
      this.timer.trigger(new ScheduleTimeout(founding));
    });
  }

  #perform(id: number, op: string, key: number): void {
    if (op === "swap") {
      this.#kind = (this.#kind + 1 + (key % 2)) % kinds.length;
      this.swap(this.child, kinds[this.#kind] ?? FlexibleRouter);
      this.#performed(id, true, this.#kind, null);
      return;
    }
    this.workload.trigger(new Begun({ call: id }));
    const payload = new Parcel({ call: id });
    const context = { context: { id } };
    if (op === "send") this.#send(new SendToKey({ key, payload }), context);
    else if (op === "spread")
      this.#spread(
        new SendToInterval({ interval: { first: key, last: key + 3 }, payload }),
        context,
      );
    else this.#lookup(new Lookup({ key }), context);
  }

  #performed(id: number, ok: boolean, value: number | null, failure: string | null): void {
    const type = ok ? "ok" : "info";
    this.workload.trigger(new Performed({ id, type, value, error: failure ?? undefined }));
  }
}

/** RT3: a call at a peer that goes on living is answered, and no call is answered twice. */
function answered(): (view: View) => string | undefined {
  const open = new Map<number, { readonly node: string; readonly life: number; since: Millis }>();
  const over = new Set<number>();
  let last = 0;
  return ({ news, nodes, time }) => {
    // A pause or a stall of the whole is not the router's.
    const paused = nodes.filter(({ state }) => state === "paused").map(({ name }) => name);
    for (const call of open.values()) if (paused.includes(call.node)) call.since += time - last;
    last = time;
    if (isReport(news, Begun))
      open.set(news.fact.call, { node: news.node, life: news.life, since: time });
    if (isReport(news, Ended)) {
      const { call } = news.fact;
      if (over.has(call)) return `Call ${call} was answered twice.`;
      over.add(call);
      open.delete(call);
    }
    for (const [call, { node, life, since }] of open) {
      const home = nodes.find(({ name }) => name === node);
      if (home?.state !== "up" || home.life !== life) open.delete(call);
      else if (time - since > endMillis) return `Call ${call} at ${node} has no answer.`;
    }
    return undefined;
  };
}

/** RT4: no life of a peer delivers one payload twice; what was not delivered was said to be so truly. */
function once(): (view: View) => string | undefined {
  const delivered = new Set<string>();
  const calls = new Set<number>();
  const failed = new Set<number>();
  return ({ news }) => {
    if (isReport(news, Arrived)) {
      const { call } = news.fact;
      const name = `${news.node} in life ${news.life}`;
      if (delivered.has(`${name} ${call}`)) return `${name} delivered call ${call} twice.`;
      delivered.add(`${name} ${call}`);
      calls.add(call);
      if (failed.has(call)) return `Call ${call} was delivered, and had failed for certain.`;
    }
    if (!isReport(news, Ended)) return undefined;
    const { call, status } = news.fact;
    if (status === "failed") failed.add(call);
    if (status === "failed" && calls.has(call)) return `Call ${call} failed, and was delivered.`;
    if (status === "delivered" && !calls.has(call)) return `Call ${call} was delivered nowhere.`;
    return undefined;
  };
}

/** Nine of ten lookups between healthy peers find the owner. */
function found(): (view: View) => string | undefined {
  const healthy = new Map<string, Millis>();
  const begun = new Map<number, Millis>();
  let all = 0;
  let right = 0;
  return (view) => {
    const { news, time } = view;
    const up = view.nodes.filter(({ state }) => state === "up");
    const placed = view.last(Placed);
    for (const node of view.nodes) {
      const at = up.indexOf(node);
      const place = placed.get(node.name);
      const after = up[(at + 1) % up.length]?.index ?? -1;
      const before = up[(at - 1 + up.length) % up.length]?.index ?? -1;
      const isRight =
        at >= 0 &&
        place?.life === node.life &&
        place.fact.successor === after + 1 &&
        place.fact.predecessor === before + 1;
      if (!isRight) healthy.delete(node.name);
      else if (!healthy.has(node.name)) healthy.set(node.name, time);
    }
    if (isReport(news, Begun)) begun.set(news.fact.call, time);
    if (!isReport(news, Ended) || news.fact.status !== null) return undefined;
    const { call, key, found: owner } = news.fact;
    const since = begun.get(call) ?? 0;
    const truly = up.find(({ index }) => index + 1 >= key) ?? up[0];
    const both = [news.node, truly?.name ?? ""].every(
      (name) => (healthy.get(name) ?? time) < since,
    );
    if (!both || truly === undefined) return undefined;
    all++;
    if (owner === truly.index + 1) right++;
    return all >= 30 && right < 0.9 * all
      ? `Of ${all} lookups between healthy peers ${right} have found the owner.`
      : undefined;
  };
}

/** Lookups under churn. */
export const routerLookup = scenario({
  name: "router-lookup",
  about:
    "Peers in one ring look each other up and send to keys, while some crash, come back, leave and are cut off, messages are lost and come twice, and routers of three kinds are swapped for each other. Every call is answered once, no payload is delivered twice at one peer, and nine of ten lookups between healthy peers find the owner.",
  nodes: { min: 5, max: 9 },
  main: Peer,
  init: ({ peers, index }) => ({
    index,
    introducers: peers.filter((_, other) => other !== index),
    kind: index % kinds.length,
  }),
  transport: "either",
  duration: 40_000,
  settle: 60_000,
  processes: [
    {
      name: "client",
      count: 4,
      wait: exponential(150),
      timeout: 20_000,
      next: ({ draw, nodes }) => ({
        op: oneOf(draw, [
          [12, "lookup"],
          [6, "send"],
          [1, "spread"],
          [1, "swap"],
        ]),
        value: draw.between(1, nodes),
      }),
    },
  ],
  closing: ({ nodes }) =>
    Array.from({ length: nodes }, (_, index) => ({ op: "lookup", value: index + 1 })),
  succeed: { each: 1, mean: 150 },
  swaps: ["/Peer-1/Ring", "/Peer-1/Merger", "/Peer-1/Detector", "/Peer-1/Cyclon"],
  faults: {
    without: {
      "reused identity":
        "An incarnation counts the lives of a process: the Network and the detector count on it.",
    },
  },
  invariants: [
    { name: "every call is answered, once", inputs: [Begun, Ended, "nodes"], begin: answered },
    { name: "no payload is delivered twice", inputs: [Arrived, Ended], begin: once },
    {
      name: "lookups between healthy peers succeed",
      inputs: [Placed, Begun, Ended, "nodes"],
      begin: found,
    },
  ],
  sometimes: [
    {
      name: "a way takes more than two hops",
      inputs: [Ended],
      begin:
        () =>
        ({ news }) =>
          isReport(news, Ended) && news.fact.hops > 2,
    },
    {
      name: "a lookup comes to nothing",
      inputs: [Ended],
      begin:
        () =>
        ({ news }) =>
          isReport(news, Ended) && news.fact.found === null,
    },
  ],
});
