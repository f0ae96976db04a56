/**
 * Lookups while peers crash, come back, leave and are cut off, and while each peer's router is replaced by those of
 * other kinds. Keys are the identifiers of the peers, so that who owns one can be told from who is up.
 *
 * What has to hold of calls and lookups is in `../src/compliance/judging.ts`: the scenarios of the overlay ask the same.
 */

import { AskTimeout, Component, event, ScheduleTimeout, timeout, Timer } from "@kith/core";
import { AdaptiveDetector } from "@kith/fd";
import { Cyclon, Introduce, PeerSampling, Sample } from "@kith/membership";
import type { PeerRef } from "@kith/network";
import {
  Consider,
  FoundRing,
  JoinRing,
  LeaveRing,
  RelaxedRing,
  Ring,
  RingLeft,
  RingMerger,
  RingView,
} from "@kith/ring";
import { Calls, Lookups, type Standing, struck } from "../src/compliance/judging.ts";
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
  type NodeView,
  scenario,
  type View,
  Workload,
} from "@kith/sim/scenario";

/** What is sent to keys: the call that sends it. */
export class Parcel extends event("router-lookup/Parcel", Routed)<{ readonly call: number }> {}

/** The neighbours as a peer sees them, by the names of their lives; null while it is of no ring. */
export class Placed extends event("router-lookup/Placed", Fact)<{
  readonly predecessor: string | null;
  readonly successor: string | null;
}> {}

/** A peer leaves the ring, in this life. */
export class Left extends event("router-lookup/Left", Fact) {}

/** A call begins at a router. */
export class Begun extends event("router-lookup/Begun", Fact)<{
  readonly call: number;
  /** What is looked up; null where the call is no lookup. */
  readonly key: number | null;
}> {}

/** It has its answer. */
export class Ended extends event("router-lookup/Ended", Fact)<{
  readonly call: number;
  /** The life of whoever was found; null where nobody was. */
  readonly found: string | null;
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
/** These never leave: the others would have nobody to join. */
const stayers = 3;
/** What strikes disks alone. */
const ofDisks = [
  "failing flush",
  "slow flush",
  "read error",
  "full disk",
  "lost write",
  "torn write",
  "bit rot",
] as const;
/** So many lookups between healthy peers have to have been judged in a run of a suite: in some, faults leave nobody healthy. */
const healthyMin = 100;

/** `17#2` is the second life of 17. */
function lifeName({ peerId, incarnation }: Pick<PeerRef, "peerId" | "incarnation">): string {
  return `${peerId}#${incarnation}`;
}

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
  #leaving: number | null = null;
  readonly #lookup = this.router.onAnswer(Lookup, (answer, _, { id }: { id: number }) => {
    if (answer instanceof AskTimeout) return;
    const { peer, hops, failure } = answer;
    const found = peer === null ? null : lifeName(peer);
    this.workload.trigger(new Ended({ call: id, found, hops, status: null }));
    this.#performed(id, found !== null, found, failure);
  });
  readonly #send = this.router.onAnswer(SendToKey, (answer, _, { id }: { id: number }) => {
    if (answer instanceof AskTimeout) return;
    const { status, by, hops, failure } = answer;
    const found = by === null ? null : lifeName(by);
    this.workload.trigger(new Ended({ call: id, found, hops, status }));
    const type = status === "delivered" ? "ok" : status === "failed" ? "fail" : "info";
    this.workload.trigger(new Performed({ id, type, value: found, error: failure ?? undefined }));
  });
  readonly #spread = this.router.onAnswer(SendToInterval, (answer, _, { id }: { id: number }) => {
    if (answer instanceof AskTimeout) return;
    const { by, failure } = answer;
    this.workload.trigger(new Ended({ call: id, found: null, hops: 0, status: null }));
    this.#performed(id, failure === null, by.length, failure);
  });

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
      const isIn = status === "in";
      this.workload.trigger(
        new Placed({
          predecessor: isIn && predecessor !== null ? lifeName(predecessor) : null,
          successor: isIn && first !== undefined ? lifeName(first) : null,
        }),
      );
    });
    this.ring.on(RingLeft, () => this.#left());
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

  /** Its router stays, and hands on what comes late; nobody is told of the peer any more. */
  #left(): void {
    if (this.#leaving !== null) this.#performed(this.#leaving, true, null, null);
    this.#leaving = null;
    this.kill(this.cyclon);
    this.kill(this.merger);
  }

  #perform(id: number, op: string, key: number): void {
    if (op === "leave") {
      if (this.#status !== "in") {
        this.#performed(id, false, null, "of no ring");
        return;
      }
      this.#leaving = id;
      this.workload.trigger(new Left());
      this.ring.trigger(new LeaveRing());
      return;
    }
    if (op === "swap") {
      this.#kind = (this.#kind + 1 + (key % 2)) % kinds.length;
      this.swap(this.child, kinds[this.#kind] ?? FlexibleRouter);
      this.#performed(id, true, this.#kind, null);
      return;
    }
    const isLookup = op === "lookup";
    this.workload.trigger(new Begun({ call: id, key: isLookup ? key : null }));
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

  #performed(id: number, ok: boolean, value: number | string | null, failure: string | null): void {
    const type = ok ? "ok" : "info";
    this.workload.trigger(new Performed({ id, type, value, error: failure ?? undefined }));
  }
}

/** RT3: a call at a peer that goes on living is answered, and no call is answered twice. */
function answered(): (view: View) => string | undefined {
  const calls = new Calls();
  return ({ news, nodes, time }) => {
    if (isReport(news, Begun)) calls.begin(String(news.fact.call), news.node, news.life, time);
    const twice = isReport(news, Ended) ? calls.end(String(news.fact.call)) : undefined;
    return twice ?? calls.overdue(time, nodes);
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

function lifeOf({ index, life }: NodeView): string {
  return lifeName({ peerId: index + 1, incarnation: life });
}

/** All that are up and have not left, in the order of their identifiers, and what their rings see. */
function living(view: View): Standing[] {
  const left = view.last(Left);
  const placed = view.last(Placed);
  const isStruck = struck(view.faults, view.time);
  return view.nodes
    .filter((node) => node.state === "up" && left.get(node.name)?.life !== node.life)
    .map((node) => {
      const report = placed.get(node.name);
      const fact = report?.life === node.life ? report.fact : null;
      return {
        name: lifeOf(node),
        peerId: node.index + 1,
        predecessor: fact?.predecessor ?? null,
        successor: fact?.successor ?? null,
        struck: isStruck(node.index),
      };
    });
}

/** What `note` has to be asked on. */
const noted = [Placed, Left, Begun, Ended, "nodes"] as const;

/** Tells the lookups what is new. @returns what is wrong with it */
function note(lookups: Lookups, view: View): string | undefined {
  const { news, time } = view;
  if (isReport(news, Begun)) {
    const { call, key } = news.fact;
    const asker = view.nodes.find(({ name }) => name === news.node);
    if (key !== null && asker !== undefined) lookups.begin(String(call), lifeOf(asker), key, time);
    return undefined;
  }
  if (isReport(news, Ended)) return lookups.end(String(news.fact.call), news.fact.found);
  lookups.look(time, living(view));
  return undefined;
}

/** Nine of ten lookups between healthy peers find the owner; none names a wrong one where it is known better. */
function found(): (view: View) => string | undefined {
  const lookups = new Lookups();
  return (view) => {
    const wrong = note(lookups, view);
    return wrong ?? (view.phase === "healed" ? lookups.poor : undefined);
  };
}

/** That there are such lookups. */
function judged(): (view: View) => boolean {
  const lookups = new Lookups();
  return (view) => {
    note(lookups, view);
    return lookups.healthy.ended >= healthyMin;
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
    {
      name: "leaver",
      start: { at: 10_000 },
      wait: exponential(15_000),
      timeout: 5000,
      at: ({ draw, nodes }) => stayers + draw.below(nodes - stayers),
      next: () => ({ op: "leave" }),
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
      ...Object.fromEntries(ofDisks.map((kind) => [kind, "a peer keeps nothing on its disk"])),
    },
  },
  invariants: [
    {
      name: "every call is answered, once",
      inputs: [Begun, Ended, "nodes"],
      begin: answered,
    },
    { name: "no payload is delivered twice", inputs: [Arrived, Ended], begin: once },
    {
      name: "lookups between healthy peers succeed",
      inputs: noted,
      begin: found,
    },
  ],
  sometimes: [
    {
      name: `${healthyMin} lookups are between healthy peers`,
      inputs: noted,
      begin: judged,
    },
    {
      name: "a lookup is asked of a peer that has left",
      inputs: [Begun],
      begin: () => (view) => {
        const { news } = view;
        if (!isReport(news, Begun)) return false;
        return view.last(Left).get(news.node)?.life === news.life;
      },
    },
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
