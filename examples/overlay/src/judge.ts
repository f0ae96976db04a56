/** What has to hold for an overlay, whatever it is put through: the invariants of its scenarios. */

import {
  type Check,
  type Eventually,
  type Fault,
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

/** R1 and R3: one perfect ring within so many milliseconds of the healing. */
export function oneRing(within: number): Eventually {
  return {
    name: "one perfect ring",
    within,
    holds: (view) => imperfection(view) === undefined,
    why: imperfection,
  };
}

/** MG1: how long it may take until so many peers are one ring again, counted from the healing. */
export function oneRingInRounds(bound: (peers: number) => Millis): Invariant {
  return {
    name: "one ring in O(log n) rounds (MG1)",
    inputs: [],
    begin: () => {
      let healedAt: Millis | null = null;
      let merged = false;
      return (view): string | undefined => {
        if (view.phase !== "healed" || merged) return undefined;
        healedAt ??= view.time;
        const why = imperfection(view);
        merged = why === undefined;
        const within = bound(view.nodes.length);
        return merged || view.time - healedAt <= within
          ? undefined
          : `After ${Math.round(within)} ms ${view.nodes.length} peers are not one ring: ${why}.`;
      };
    },
  };
}

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

/** Kinds after which a node may answer nothing for a while. */
const striking: ReadonlySet<FaultKind> = new Set<FaultKind>([
  "asymmetric latency",
  "clogged sender",
  "clogged receiver",
  "clogged pair",
  "split",
  "isolation",
  "one way",
  "bridge",
  "flapping",
  "gray link",
  "slow drip",
  "half-open",
  "restart at once",
  "late restart",
  "no restart",
  "crash between effects",
  "pause",
  "slow handler",
  "join",
  "leave",
]);
/** For so long a node may feel what has struck it, in milliseconds. */
const aftermath = 20_000;
/** So long a lookup may take until it ends. */
const lookupMillis = 15_000;
/** Fewer lookups than that say nothing. */
const lookupsMin = 30;

/** Since when each node is settled: its neighbours are, as it sees them, its neighbours in the order of all that live. */
class Settled {
  readonly #since = new Map<string, Millis>();

  look(view: View): void {
    const seen = view.last(Viewed);
    const all = living(view);
    const now = new Set<string>();
    for (const [at, node] of all.entries()) {
      const report = seen.get(node.name);
      const [after, before] = [all[(at + 1) % all.length], all.at(at - 1)];
      if (report?.life !== node.life || after === undefined || before === undefined) continue;
      const { status, predecessor, successors } = report.fact;
      if (status === "in" && successors[0] === lifeOf(after) && predecessor === lifeOf(before))
        now.add(lifeOf(node));
    }
    for (const name of this.#since.keys()) if (!now.has(name)) this.#since.delete(name);
    for (const name of now) if (!this.#since.has(name)) this.#since.set(name, view.time);
  }

  /** Whether a life is settled, and was all the time since then. */
  has(name: string, time: Millis): boolean {
    return (this.#since.get(name) ?? Infinity) < time;
  }
}

/** All that are up and have not left, in the order of their identifiers. */
function living(view: View): readonly NodeView[] {
  const left = view.last(Left);
  return view.nodes.filter(
    (node) => node.state === "up" && left.get(node.name)?.life !== node.life,
  );
}

/** Whose key it is, and the two beside it. */
function around(all: readonly NodeView[], key: number): readonly string[] {
  const found = all.findIndex((one) => idOf(one) >= key);
  const at = found < 0 ? 0 : found;
  return [all[at], all.at(at - 1), all[(at + 1) % all.length]].flatMap((one) =>
    one === undefined ? [] : [lifeOf(one)],
  );
}

/** The owner that a lookup has named where that is wrong beyond doubt: all who could know better were settled. */
function wrongOwner(
  view: View,
  settled: Settled,
  asker: string,
  { key, time }: Lookup,
  named: string,
): string | undefined {
  const [owner = "", ...beside] = around(living(view), key);
  // A peer that is astray answers for what it takes for its own: that is the ring's relaxed consistency (R2).
  const sure = [asker, owner, ...beside, named].every((name) => settled.has(name, time));
  return sure && named !== owner ? owner : undefined;
}

interface Lookup {
  readonly key: number;
  readonly time: Millis;
  readonly healthy: boolean;
}

/** Whether nothing strikes a node at that time, and nothing has for a while. */
function spared(faults: readonly Fault[], index: number, time: number): boolean {
  return !faults.some(
    ({ kind, at, nodes = [], others = [], ...fault }) =>
      striking.has(kind) &&
      (nodes.includes(index) || others.includes(index)) &&
      time + lookupMillis > at &&
      time - aftermath < at + (fault.for ?? Infinity),
  );
}

/**
 * Every lookup ends, once; no wrong owner is named among settled peers; and of those between healthy peers nine of ten
 * find the owner.
 *
 * @param least so many lookups between healthy peers a run has to have, so that this is no empty word; with a few peers
 * hardly anybody is spared
 */
export function lookupsEnd(least: number): Invariant {
  return {
    name: "lookups end, and name the owner",
    inputs: [Asked, Answered, Viewed, "nodes"],
    begin: (): Check => {
      const open = new Map<string, Lookup>();
      const ended = new Set<string>();
      const settled = new Settled();
      const healthy = { asked: 0, right: 0 };
      let healedAt: number | null = null;
      return (view) => {
        const { news, phase, time } = view;
        settled.look(view);
        if (isReport(news, Asked)) {
          const { node, life, fact } = news;
          const both = phase === "faults" && areHealthy(view, node, fact.key);
          open.set(`${node} ${life} ${fact.id}`, { key: fact.key, time, healthy: both });
          return undefined;
        }
        if (isReport(news, Answered)) {
          const { node, life, fact } = news;
          const key = `${node} ${life} ${fact.id}`;
          if (ended.has(key)) return `The lookup ${key} is answered twice.`;
          ended.add(key);
          const lookup = open.get(key);
          open.delete(key);
          if (lookup === undefined) return undefined;
          const { owner: named } = fact;
          const asker = view.nodes.find(({ name }) => name === node);
          const owner =
            named === null || asker === undefined
              ? undefined
              : wrongOwner(view, settled, lifeOf(asker), lookup, named);
          if (owner !== undefined)
            return `The lookup ${key} of ${lookup.key} has found ${String(named)}, and it is ${owner}'s.`;
          if (lookup.healthy) {
            healthy.asked++;
            if (named !== null) healthy.right++;
          }
          return undefined;
        }
        if (phase !== "healed") return undefined;
        healedAt ??= time;
        // A run ends soon after the healing: it is judged as soon as none of these is open.
        const waits = time - healedAt < 2 * lookupMillis;
        if (waits && [...open.values()].some((one) => one.healthy)) return undefined;
        if (healthy.asked < least)
          return `${healthy.asked} lookups between healthy peers are too few to be judged; ${least} are wanted.`;
        if (healthy.asked >= lookupsMin && healthy.right < 0.9 * healthy.asked)
          return `Of ${healthy.asked} lookups between healthy peers ${healthy.right} succeeded.`;
        return undefined;
      };
    },
  };
}

/** That owners are judged at all: so many lookups of a run have named one among settled peers. */
export function ownersJudged(least: number): Sometimes {
  return {
    name: `${least} owners are named among settled peers`,
    inputs: [Asked, Answered, Viewed, "nodes"],
    begin: () => {
      const open = new Map<string, Lookup>();
      const settled = new Settled();
      let judged = 0;
      return (view) => {
        const { news, time } = view;
        settled.look(view);
        if (isReport(news, Asked)) {
          const { node, life, fact } = news;
          open.set(`${node} ${life} ${fact.id}`, { key: fact.key, time, healthy: true });
        }
        if (!isReport(news, Answered) || news.fact.owner === null) return false;
        const { node, life, fact } = news;
        const lookup = open.get(`${node} ${life} ${fact.id}`);
        const asker = view.nodes.find(({ name }) => name === node);
        if (lookup === undefined || asker === undefined) return false;
        const all = [lifeOf(asker), ...around(living(view), lookup.key)];
        if (all.every((name) => settled.has(name, lookup.time))) judged++;
        return judged >= least;
      };
    },
  };
}

function areHealthy(view: View, node: string, key: number): boolean {
  const asker = view.nodes.find(({ name }) => name === node);
  const left = view.last(Left);
  const seen = view.last(Viewed);
  const up = view.nodes.filter(
    (one) =>
      one.state === "up" &&
      left.get(one.name)?.life !== one.life &&
      seen.get(one.name)?.fact.status === "in",
  );
  const owner = up.find((one) => idOf(one) >= key) ?? up[0];
  const { faults, time } = view;
  return (
    asker !== undefined &&
    owner !== undefined &&
    spared(faults, asker.index, time) &&
    spared(faults, owner.index, time)
  );
}
