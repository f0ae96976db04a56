/**
 * Reliable broadcast under faults: clients broadcast numbers at any peer. What is looked at all the while is the order and
 * the integrity of what each life of each peer delivers; in the end all peers that were healed must have
 * delivered the same, and all that was accepted.
 */

import { AskTimeout, Component, event } from "@kith/core";
import type { PeerRef } from "@kith/network";
import {
  eachFact,
  exponential,
  Fact,
  isReport,
  Perform,
  Performed,
  type Reported,
  scenario,
  someFact,
  type View,
  Workload,
} from "@kith/sim/scenario";
import { Broadcast, Delivered, Gossip, ReliableBroadcast } from "../src/index.ts";

/** A life of a peer has delivered a message. */
export class Came extends event("broadcast-scenario/Came", Fact)<{
  readonly origin: number;
  readonly life: number;
  readonly number: number;
  readonly payload: string;
}> {}

/** One peer, and what its clients ask of it. */
export class Peer extends Component {
  readonly workload = this.requires(Workload);
  readonly broadcast = this.requires(ReliableBroadcast);
  readonly gossip;
  readonly #ask = this.broadcast.onAnswer(Broadcast, (answer, _asked, { id }: { id: number }) => {
    const type =
      answer instanceof AskTimeout ? "info" : answer.status === "accepted" ? "ok" : "fail";
    this.workload.trigger(new Performed({ id, type }));
  });

  constructor(init: { readonly peers: readonly PeerRef[]; readonly index: number }) {
    super();
    this.gossip = this.create(Gossip, init);
    this.connect(this.gossip.ports.broadcast, this.broadcast);
    this.broadcast.on(Delivered, ({ origin, life, number, payload }) =>
      this.workload.trigger(new Came({ origin, life, number, payload })),
    );
    this.workload.on(Perform, ({ id, value }) =>
      this.#ask(new Broadcast({ payload: String(value) }), { timeout: 5000, context: { id } }),
    );
  }
}

/** Looks at what is delivered, one by one. */
type Judge = (report: Reported<Came>, view: View) => string | undefined;

/** Each life of a peer delivers the messages of a stream from the first one on, without a gap, and none twice. */
function inOrder(): Judge {
  const last = new Map<string, number>();
  return ({ node, life: ownLife, fact: { origin, life, number } }) => {
    const name = `${node} ${ownLife} ${origin} ${life}`;
    const before = last.get(name) ?? 0;
    last.set(name, number);
    if (number === before + 1) return undefined;
    return `${node} delivered message ${number} of peer ${origin} after ${before}.`;
  };
}

/** A number of a stream is one message, wherever and whenever it is delivered. */
function sameEverywhere(): Judge {
  const payloads = new Map<string, string>();
  return ({ node, fact: { origin, life, number, payload } }) => {
    const name = `message ${number} of peer ${origin} in its life ${life}`;
    const other = payloads.get(name);
    payloads.set(name, payload);
    if (other === undefined || other === payload) return undefined;
    return `${node} delivered ${payload} as ${name}, which was ${other} elsewhere.`;
  };
}

/** What is delivered was broadcast, and is delivered only once by a life. */
function noneFromNowhere(): Judge {
  const asked = new Set<string>();
  const came = new Set<string>();
  let read = 0;
  return ({ node, life, fact: { payload } }, { history }) => {
    for (; read < history.length; read++) asked.add(String(history[read]?.value));
    if (!asked.has(payload)) return `${node} delivered ${payload}, which nobody broadcast.`;
    const name = `${node} ${life} ${payload}`;
    if (came.has(name)) return `${node} delivered ${payload} twice.`;
    came.add(name);
    return undefined;
  };
}

/** What a life has delivered, a later life of the same peer delivers too, before anything else: it is in the log. */
function logged(): Judge {
  const logs = new Map<string, string[]>();
  const at = new Map<string, number>();
  return ({ node, life, fact }, { nodes }) => {
    if (nodes.find(({ name }) => name === node)?.forgetful === true) return undefined;
    const log = logs.get(node) ?? [];
    logs.set(node, log);
    const place = at.get(`${node} ${life}`) ?? 0;
    at.set(`${node} ${life}`, place + 1);
    const before = log[place];
    if (before === undefined) log.push(fact.payload);
    if (before === undefined || before === fact.payload) return undefined;
    return `${node} delivered ${fact.payload} where an earlier life of it had delivered ${before}.`;
  };
}

/** How many messages the present life of a node has delivered. */
function delivered(view: View): Map<string, Set<string>> {
  const sets = new Map<string, Set<string>>();
  const lives = new Map(view.nodes.map(({ name, life }) => [name, life]));
  for (const { name, core } of view.nodes) if (core) sets.set(name, new Set());
  for (const { node, life, fact } of view.facts(Came)) {
    if (lives.get(node) === life) sets.get(node)?.add(fact.payload);
  }
  return sets;
}

/** The scenario of reliable broadcast. */
export const broadcast = scenario({
  name: "broadcast",
  about:
    "Reliable broadcast in a group of three to five peers, first in, first out for each life of an origin, with recovery from a log. Clients broadcast at any peer while messages are lost, doubled and delayed, and peers crash and come back, or lose their logs. In the end all who are up have delivered the same, and all that was accepted.",
  nodes: { min: 3, max: 5 },
  main: Peer,
  init: ({ peers, index }) => ({ peers, index }),
  transport: "either",
  // Whom a client asks: a hot key is a hot peer.
  keys: ["0", "1", "2", "3", "4"],
  duration: 10_000,
  settle: 20_000,
  // All but one of a majority of copies may be lost: with who is gone, or by who forgets.
  tolerates: { amnesia: (n, gone) => Math.floor(n / 2) - gone },
  processes: [
    {
      name: "client",
      count: 4,
      wait: exponential(150),
      timeout: 5000,
      at: ({ key, nodes }) => Number(key()) % nodes,
      next: ({ unique }) => ({ op: "add", key: "all", value: unique() }),
    },
  ],
  succeed: { each: 1, mean: 40 },
  fault: "crash",
  invariants: [
    { name: "in order", ...eachFact(Came, inOrder) },
    { name: "the same everywhere", ...eachFact(Came, sameEverywhere) },
    { name: "none from nowhere", ...eachFact(Came, noneFromNowhere) },
    { name: "logged first", ...eachFact(Came, logged) },
  ],
  eventually: [
    {
      name: "all agree",
      within: 15_000,
      holds: (view) => {
        const [first, ...others] = delivered(view).values();
        return others.every(
          (other) => other.size === first?.size && [...other].every((one) => first.has(one)),
        );
      },
    },
    {
      name: "all that was accepted is delivered",
      within: 15_000,
      holds: (view) => {
        const sets = [...delivered(view).values()];
        return view.history.every(
          ({ type, value }) => type !== "ok" || sets.every((set) => set.has(String(value))),
        );
      },
    },
  ],
  sometimes: [
    {
      name: "a message is delivered again by a later life",
      ...someFact(Came, ({ life }) => life > 1),
    },
    {
      name: "two origins are delivered in different orders",
      inputs: [Came],
      begin: () => {
        const lasts = new Map<string, string>();
        return ({ news }) => {
          if (!isReport(news, Came)) return false;
          const { origin, payload } = news.fact;
          const last = lasts.get(news.node);
          lasts.set(news.node, payload);
          if (last === undefined) return false;
          const reversed = lasts.has(`${payload} ${last}`);
          lasts.set(`${last} ${payload}`, String(origin));
          return reversed;
        };
      },
    },
  ],
});
