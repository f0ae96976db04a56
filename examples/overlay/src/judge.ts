/** What has to hold for an overlay, whatever it is put through: the invariants of its scenarios. */

import {
  type Check,
  type Eventually,
  type FaultKind,
  type Invariant,
  isReport,
  type NodeView,
  type Sometimes,
  type SwapChoice,
  type View,
} from "@kith/sim/scenario";
import type { Millis } from "@kith/core";
import { AdaptiveDetector, PhiDetector } from "@kith/fd";
import { ChordRing, RelaxedRing } from "@kith/ring";
import { FlexibleRouter, KaryRouter } from "@kith/router";
import { Calls, Lookups, type Standing, struck } from "@kith/router/judging";
import { Answered, Asked, Believed, Contradicted, Declared, Left, nameOf, Viewed } from "./peer.ts";

/** Where the ring stands; it may be swapped for its first, relaxed kind, or for the second. */
export const ringPath = "/Peer-1/Overlay/Ring";

/** The parts that are swapped while they run, for their like or for the other provider. */
export const swaps: readonly (string | SwapChoice)[] = [
  { path: "/Peer-1/Detector", to: [AdaptiveDetector, PhiDetector] },
  { path: ringPath, to: [RelaxedRing, ChordRing] },
  "/Peer-1/Overlay/Merger",
  "/Peer-1/Overlay/Gossip",
  "/Peer-1/Overlay/TMan",
  "/Peer-1/Overlay/Cyclon",
  "/Peer-1/Overlay/Entry",
  "/Peer-1/Bootstrap",
  { path: "/Peer-1/Overlay/Router", to: [FlexibleRouter, KaryRouter] },
];

const disk = "a peer keeps nothing on its disk";

/** Faults that are no fair test of an overlay. */
export const unfair: Readonly<Partial<Record<FaultKind, string>>> = {
  "reused identity": "two lives of a peer are told apart by their incarnations alone",
  "failing flush": disk,
  "slow flush": disk,
  "read error": disk,
  "full disk": disk,
  "lost write": disk,
  "torn write": disk,
  "bit rot": disk,
};

/** The identifier of a node's peer. */
export function idOf({ index }: Pick<NodeView, "index">): number {
  return index + 1;
}

// --- the ring ----------------------------------------------------------------------------------------

/** The nodes that have to be one ring in the end, in the order of their identifiers. */
function members(view: View): readonly NodeView[] {
  const left = view.last(Left);
  return view.nodes.filter(
    (node) =>
      node.state !== "down" &&
      (node.core || node.rest === "as before") &&
      left.get(node.name)?.life !== node.life,
  );
}

/** R3: what is not as in the sorted order; undefined where all is. */
export function imperfection(view: View): string | undefined {
  const all = members(view);
  const seen = view.last(Viewed);
  for (const [at, node] of all.entries()) {
    const report = seen.get(node.name);
    if (report === undefined || report.life !== node.life) return `${node.name} has seen no ring`;
    const { status, predecessor, successors } = report.fact;
    const after = lifeOf(all[(at + 1) % all.length] ?? node);
    const before = lifeOf(all[(at - 1 + all.length) % all.length] ?? node);
    if (status !== "in") return `${node.name} is ${status}`;
    if (successors[0] !== after) return `${node.name} has successor ${successors[0]}, not ${after}`;
    if (predecessor !== before) return `${node.name} has predecessor ${predecessor}, not ${before}`;
  }
  return undefined;
}

function lifeOf(node: NodeView): string {
  return nameOf({ peerId: idOf(node), incarnation: node.life });
}

/** Who has gone with the healing is noticed in that time: three heartbeats, the longest silence that is borne, and a vote of loss. */
const noticeMillis = 10_000;
/** By then a merger has asked somebody of its passive list, and a peer that has come back has asked to be taken in. */
const probeMillis = 5000;
/** The merger's round, and how many of them each doubling of the peers may take. */
const roundMillis = 1000;
const roundsPerDoubling = 2;

/**
 * Within how many milliseconds of the healing so many peers have to be one perfect ring, whatever has happened: O(log n)
 * rounds of the merger, and what comes before the first. That is 20 s for 6 peers, 27 s for 64 and 29 s for 128.
 */
export function healsWithin(peers: number): Millis {
  return noticeMillis + probeMillis + roundMillis * roundsPerDoubling * Math.log2(peers);
}

/**
 * When the last fault ends that keeps messages of a peer back which is beyond the healed core, and yet has to be in the ring; 0 where
 * none does. The healing is the core's alone.
 */
function sparedFrom(view: View): Millis {
  const beyond = new Set(members(view).flatMap(({ core, index }) => (core ? [] : [index])));
  if (beyond.size === 0) return 0;
  let last = 0;
  for (const { at, nodes = [], others = [], ...fault } of view.faults) {
    const about = [...nodes, ...others];
    if (about.length === 0 || about.some((index) => beyond.has(index)))
      last = Math.max(last, at + (fault.for ?? 0));
  }
  return last;
}

/** Longer than `oneRingInRounds` grants, which knows what lasts beyond the healing. */
const ringWithin = 120_000;

/** R1 and R3: one perfect ring, in the end. */
export const oneRing: Eventually = {
  name: "one perfect ring",
  within: ringWithin,
  holds: (view) => imperfection(view) === undefined,
  why: imperfection,
};

/**
 * R3 and MG1: one perfect ring within the time that as many peers as there are may take, from the healing on, or from when
 * nothing strikes those any more who are beyond the healed core.
 */
export const oneRingInRounds: Invariant = {
  name: "one ring in O(log n) rounds (R3, MG1)",
  inputs: [],
  begin: () => {
    let healedAt: Millis | null = null;
    let merged = false;
    return (view): string | undefined => {
      if (view.phase !== "healed" || merged) return undefined;
      healedAt ??= view.time;
      const why = imperfection(view);
      merged = why === undefined;
      const within = healsWithin(view.nodes.length);
      return merged || view.time - Math.max(healedAt, sparedFrom(view)) <= within
        ? undefined
        : `After ${Math.round(within)} ms ${view.nodes.length} peers are not one ring: ${why}.`;
    };
  },
};

/** R3, while the others are still away: from that time on the living are one perfect ring. */
export function oneRingFrom(time: number): Invariant {
  return {
    name: "one perfect ring of the living",
    inputs: [],
    begin:
      () =>
      (view): string | undefined =>
        view.phase === "faults" && view.time >= time ? imperfection(view) : undefined,
  };
}

/** R5: who has seen a later life of a peer has no earlier one for a neighbour any more. */
export const livesInOrder: Invariant = {
  name: "lives in order (R5)",
  inputs: [Viewed],
  begin: () => {
    const latest = new Map<string, number>();
    return ({ news }) => {
      if (!isReport(news, Viewed)) return undefined;
      const { node, life, fact } = news;
      for (const name of [fact.predecessor, ...fact.successors]) {
        if (name === null) continue;
        const [id, incarnation] = name.split("#").map(Number);
        const key = `${node} ${life} ${id}`;
        const known = latest.get(key) ?? 0;
        if ((incarnation ?? 0) < known)
          return `${node} in life ${life} takes up ${name}, and had ${id}#${known} before.`;
        latest.set(key, incarnation ?? 0);
      }
      return undefined;
    };
  },
};

// --- the failure detector ----------------------------------------------------------------------------

/** FD3: what is told to one watcher of one peer alternates. */
export const verdictsAlternate: Invariant = {
  name: "verdicts alternate (FD3)",
  inputs: [Contradicted],
  begin:
    () =>
    ({ news }) =>
      isReport(news, Contradicted) ? `${news.node}: ${news.fact.what}` : undefined,
};

/** FD1 and FD2: in the end the living are believed to live, and no other. */
export function verdictsAreTrue(within: number): Eventually {
  return {
    name: "verdicts are true (FD1, FD2)",
    within,
    holds: (view) => misbelief(view) === undefined,
    why: misbelief,
  };
}

function misbelief(view: View): string | undefined {
  const left = view.last(Left);
  const lives = new Map(view.nodes.map((node) => [idOf(node), node]));
  const nodes = new Map(view.nodes.map((node) => [node.name, node]));
  const last = new Map<string, boolean>();
  for (const { node, life, fact } of view.facts(Believed))
    if (nodes.get(node)?.life === life) last.set(`${node} ${fact.peer}`, fact.alive);
  for (const [key, alive] of last) {
    const [name = "", peer = ""] = key.split(" ");
    const [id = 0, incarnation] = peer.split("#").map(Number);
    const watcher = nodes.get(name);
    const target = lives.get(id);
    if (watcher?.state !== "up" || target === undefined) continue;
    // Beyond the core nobody knows who can reach whom.
    if (!watcher.core || !(target.core || target.state === "down")) continue;
    const gone = target.state === "down" || left.get(target.name)?.life === target.life;
    if (alive !== (!gone && target.life === incarnation))
      return `${name} believes that ${peer} is ${alive ? "alive" : "gone"}`;
  }
  return undefined;
}

/** From that time on the failure detectors believe what is. */
export function trueFrom(time: number): Invariant {
  return {
    name: "verdicts are true",
    inputs: [],
    begin: () => (view) => (view.time >= time ? misbelief(view) : undefined),
  };
}

/** Nobody who lives is given up: `Absent` comes for the dead alone. */
export const nobodyDeclared: Invariant = {
  name: "nobody is declared dead",
  inputs: [Declared],
  begin: () => (view) => {
    const { news } = view;
    if (!isReport(news, Declared)) return undefined;
    const node = livesAs(view, news.fact.peer);
    return node === undefined ? undefined : `${news.node} gives up ${news.fact.peer}, which lives.`;
  },
};

/** The node that lives as this peer. */
function livesAs(view: View, peer: string): NodeView | undefined {
  return view.nodes.find((node) => node.state !== "down" && lifeOf(node) === peer);
}

/** Whoever stood still suspects nobody on waking, for so many milliseconds. */
export function wakesCalmly(millis: number): Invariant {
  return {
    name: "suspects nobody on waking",
    inputs: [Believed],
    begin: () => (view) => {
      const { news, faults, nodes } = view;
      if (!isReport(news, Believed) || news.fact.alive) return undefined;
      const { node: name, time, fact } = news;
      const index = nodes.find((one) => one.name === name)?.index ?? -1;
      const stood = faults.some(
        ({ kind, at, nodes: struck = [], ...fault }) =>
          kind === "pause" &&
          struck.includes(index) &&
          time >= at &&
          time < at + (fault.for ?? 0) + millis,
      );
      const target = livesAs(view, fact.peer);
      if (!stood || target === undefined || target.state === "paused") return undefined;
      // Two that stand still at one time may well suspect each other.
      const both = faults.some(
        ({ kind, at, nodes: struck = [] }) =>
          kind === "pause" && struck.includes(target.index) && Math.abs(time - at) < 2 * millis,
      );
      return both ? undefined : `${name} stood still, and suspects ${fact.peer}.`;
    },
  };
}

// --- lookups -----------------------------------------------------------------------------------------

/** All that are up and have not left, in the order of their identifiers, and what their rings see. */
function living(view: View): Standing[] {
  const left = view.last(Left);
  const seen = view.last(Viewed);
  const isStruck = struck(view.faults, view.time);
  return view.nodes
    .filter((node) => node.state === "up" && left.get(node.name)?.life !== node.life)
    .map((node) => {
      const report = seen.get(node.name);
      const fact = report?.life === node.life && report.fact.status === "in" ? report.fact : null;
      return {
        name: lifeOf(node),
        peerId: idOf(node),
        predecessor: fact?.predecessor ?? null,
        successor: fact?.successors[0] ?? null,
        struck: isStruck(node.index),
      };
    });
}

/** What is told of the lookups of a run. */
class Told {
  readonly lookups = new Lookups();
  readonly #calls = new Calls();

  /** Takes in what is new. @returns what is wrong with it */
  hear(view: View): string | undefined {
    const { news, time, nodes } = view;
    if (isReport(news, Asked)) {
      const { node, life, fact } = news;
      const call = `${node} ${life} ${fact.id}`;
      const asker = nodes.find(({ name }) => name === node);
      if (asker !== undefined) this.lookups.begin(call, lifeOf(asker), fact.key, time);
      this.#calls.begin(call, node, life, time);
    } else if (isReport(news, Answered)) {
      const { node, life, fact } = news;
      const call = `${node} ${life} ${fact.id}`;
      return this.#calls.end(call) ?? this.lookups.end(call, fact.owner);
    } else {
      if (isReport(news, Left)) this.#calls.gone(news.node);
      this.lookups.look(time, living(view));
    }
    return this.#calls.overdue(time, nodes);
  }
}

/** What `Told` has to be asked on. */
const toldInputs = [Asked, Answered, Viewed, Left, "nodes"] as const;

/**
 * Every lookup ends, once; no wrong owner is named among settled peers; and of those between healthy peers nine of ten
 * find the owner.
 */
export const lookupsEnd: Invariant = {
  name: "lookups end, and name the owner",
  inputs: toldInputs,
  begin: (): Check => {
    const told = new Told();
    return (view) => {
      const wrong = told.hear(view);
      return wrong ?? (view.phase === "healed" ? told.lookups.poor : undefined);
    };
  },
};

/** That the share is judged at all: so many lookups between healthy peers. In some runs faults leave nobody healthy. */
export function healthyJudged(least: number): Sometimes {
  return {
    name: `${least} lookups are between healthy peers`,
    inputs: toldInputs,
    begin: () => {
      const told = new Told();
      return (view) => {
        told.hear(view);
        return told.lookups.healthy.ended >= least;
      };
    },
  };
}

/** That owners are judged at all: so many lookups of a run have named one among settled peers. */
export function ownersJudged(least: number): Sometimes {
  return {
    name: `${least} owners are named among settled peers`,
    inputs: toldInputs,
    begin: () => {
      const told = new Told();
      return (view) => {
        told.hear(view);
        return told.lookups.judged >= least;
      };
    },
  };
}
