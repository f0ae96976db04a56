/**
 * Plans: what happens to a run, as plain data, drawn by a seed or written down by hand.
 *
 * A seed draws the number of nodes, a subset of the kinds of faults (swarm testing: Groce et al. 2012),
 * and for each of those when, where and how much, within what the scenario promises to survive. The
 * draws of a kind depend on the seed and that kind alone.
 */

import { type Draw, DrawStream, type Millis, streamKey } from "@kith/core";
import { allKinds, amnesiac, type Fault, type FaultKind, ofConnections } from "./kinds.ts";
import type { Operation } from "./port.ts";
import { nodesOf, type Scenario } from "./scenario.ts";

/** An operation that is written down. */
export interface PlannedOperation extends Operation {
  /** Who calls, from 0; after an outcome `info` another process goes on in its place. */
  readonly caller: number;
  /** Not before that simulated time in milliseconds, and not before the caller's last one has ended. */
  readonly at: Millis;
  /** The index of the node. */
  readonly node: number;
  /** When the outcome is `info`, in milliseconds; by default after the timeout of the scenario's first processes. */
  readonly timeout?: Millis;
}

/** What becomes of a node outside of the core when the core is healed. */
export type Rest = "down" | "cut off" | "as before";

/** Everything that is decided before a run. */
export interface Plan {
  readonly seed: number | string;
  readonly nodes: number;
  readonly transport: "stream" | "datagram";
  /** How long faults are injected and processes call, in milliseconds. */
  readonly duration: Millis;
  /** How long the core may take to finish, in milliseconds. */
  readonly settle: Millis;
  /** The nodes that are healed, by their indices. */
  readonly core: readonly number[];
  /** What becomes of each of the others. */
  readonly rest: Readonly<Record<number, Rest>>;
  readonly faults: readonly Fault[];
  /** The operations; where there are none, the processes of the scenario call. */
  readonly operations?: readonly PlannedOperation[];
  /** Whether the closing operations of the scenario are called; default true. */
  readonly closing?: boolean;
  /**
   * A number of a steady weather: each link and each disk takes always as long as it does, and which
   * links are faster hangs on the number. Without it latencies are drawn.
   */
  readonly steady?: number;
  /** Where it is given, all that a run draws beside its plan hangs on it, too: the same plan, drawn anew. */
  readonly weather?: number;
}

/** Whether a plan asks for no more than what the scenario promises to survive. */
export function promises(
  { tolerates = {} }: Pick<Scenario, "tolerates">,
  { nodes, core, faults }: Plan,
): boolean {
  const { down = minority, amnesia = () => 0 } = tolerates;
  const forgetful = faults.flatMap(({ kind, nodes: struck = [] }) =>
    amnesiac.has(kind) && !(kind === "bit rot" && struck.every((one) => !core.includes(one)))
      ? struck
      : [],
  );
  const gone = nodes - core.length;
  return gone <= down(nodes) && new Set(forgetful).size <= amnesia(nodes, gone);
}

/** The draws of one purpose of a seed. */
export function drawsFor(seed: number | string, ...purpose: readonly (string | number)[]): Draw {
  return new DrawStream(streamKey(seed, "scenario", ...purpose));
}

/** Draws the plan of a seed. */
export function planFor(scenario: Scenario, seed: number | string): Plan {
  const draw = drawsFor(seed, "plan");
  const { min, max } = nodesOf(scenario.nodes);
  const nodes = draw.between(min, max);
  const { transport = "stream", duration = 10_000, settle = 20_000, tolerates = {} } = scenario;
  const { down = minority, amnesia = () => 0 } = tolerates;
  const { after = 0 } = scenario.faults ?? {};
  const shuffled = draw.shuffle(indices(nodes));
  const outside = shuffled.slice(0, draw.between(0, down(nodes)));
  const rests: readonly Rest[] = ["down", "cut off", "as before"];
  const drawn = draw.pick(["stream", "datagram"] as const);
  const carried = transport === "either" ? drawn : transport;
  const victims = draw.shuffle(indices(nodes)).slice(0, amnesia(nodes, outside.length));
  // Some seeds are calm: a protocol has to do its work there, too.
  const hostility = draw.pick([0, 0.1, 0.2, 0.2, 0.35, 0.35, 0.5]);
  const kinds = kindsOf(scenario, carried, victims.length > 0);
  const storm = scenario.faults?.storm?.({
    draw: drawsFor(seed, "storm"),
    nodes,
    duration,
    forgetful: victims,
  });
  const faults = kinds.flatMap((kind) => {
    const own = drawsFor(seed, "plan", kind);
    if (!own.chance(hostility)) return [];
    // What rots is noticed: the node is out, and need not be one that may forget.
    const struck = kind === "bit rot" && victims.length === 0 ? outside : victims;
    if (amnesiac.has(kind) && struck.length === 0) return [];
    const what = { kind, draw: own, nodes, duration: duration - after, victims: struck, scenario };
    return episodes(what).map((one) =>
      fromBirth.has(kind) ? one : { ...one, at: one.at + after },
    );
  });
  return {
    seed,
    nodes,
    transport: carried,
    duration,
    settle,
    core: indices(nodes).filter((index) => !outside.includes(index)),
    rest: Object.fromEntries(outside.map((index) => [index, draw.pick(rests)])),
    faults: [...faults, ...(storm ?? [])].sort((a, b) => a.at - b.at),
  };
}

/** The kinds that may strike. */
export function kindsOf(
  { faults = {}, keys = [], tolerates = {}, nodes }: Scenario,
  transport: "stream" | "datagram" | "either",
  forgets: boolean,
): FaultKind[] {
  const { only = allKinds, without = {} } = faults;
  // What rots is noticed: then it may strike a node that is not needed any more.
  const spares = (tolerates.down ?? minority)(nodesOf(nodes).max) > 0;
  return allKinds.filter(
    (kind) =>
      only.includes(kind) &&
      without[kind] === undefined &&
      (forgets || !amnesiac.has(kind) || (kind === "bit rot" && spares)) &&
      (transport !== "datagram" || !ofConnections.has(kind)) &&
      (kind !== "hot key" || keys.length > 1),
  );
}

function minority(nodes: number): number {
  return Math.floor((nodes - 1) / 2);
}

/** 0 to `count - 1`. */
export function indices(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

interface Occasion {
  readonly kind: FaultKind;
  readonly draw: Draw;
  readonly nodes: number;
  readonly duration: Millis;
  readonly victims: readonly number[];
  readonly scenario: Scenario;
}

/** One to three episodes of a kind. */
function episodes(occasion: Occasion): Fault[] {
  const { draw, kind } = occasion;
  if (wholeRun.has(kind)) return [episode(occasion)];
  const many = kind === "swap" || kind === "mixed versions" || kind === "crash between effects";
  const count = draw.between(1, many ? 8 : 3);
  return indices(count).map(() => episode(occasion));
}

/** Of these one is enough. */
const wholeRun: ReadonlySet<FaultKind> = new Set([
  "overflowing queue",
  "cold path",
  "join",
  "no restart",
  "clock offset",
]);

/** These are so from the first life of a node on. */
const fromBirth: ReadonlySet<FaultKind> = new Set([
  "overflowing queue",
  "cold path",
  "clock offset",
]);

const rates = [0.005, 0.02, 0.05, 0.1, 0.3];
const paths = ["/Timer", "/Network", "/Storage"];

function episode({ kind, draw, nodes, duration, victims, scenario }: Occasion): Fault {
  const at = whole(draw.float() * duration * 0.85);
  const length = whole(duration * draw.pick([0.02, 0.05, 0.1, 0.2, 0.4]) * (0.5 + draw.float()));
  const rate = draw.pick(rates);
  const one = draw.below(nodes);
  const others = draw.shuffle(indices(nodes).filter((i) => i !== one));
  const other = others.slice(0, 1);
  const half = others.slice(0, draw.between(1, Math.max(1, others.length)));
  const window = { kind, at, for: length } as const;
  switch (kind) {
    case "latency tail":
      return { ...window, rate, size: draw.pick([20, 100, 500, 2000]) };
    case "duplicate":
    case "reorder":
      return { ...window, rate, size: draw.pick([5, 20, 100]) };
    case "late replay":
      return { ...window, rate, size: draw.pick([500, 2000, 5000]) };
    case "loss":
    case "corruption":
    case "reset":
      return { ...window, rate: kind === "loss" ? rate : rate / 5 };
    case "asymmetric latency":
      return { ...window, nodes: [one], others: half, size: draw.pick([5, 20, 100, 500]) };
    case "clogged sender":
    case "clogged receiver":
      return { ...window, nodes: [one] };
    case "clogged pair":
      return { ...window, nodes: [one], others: other };
    case "isolation":
      return { ...window, nodes: [one], others };
    case "split": {
      const cut = draw.between(1, Math.max(1, others.length));
      return { ...window, nodes: [one, ...others.slice(cut)], others: others.slice(0, cut) };
    }
    case "bridge": {
      // The first of the others belongs to neither side.
      const cut = draw.between(1, Math.max(1, others.length - 1));
      return {
        ...window,
        nodes: [one, ...others.slice(1 + cut)],
        others: others.slice(1, 1 + cut),
      };
    }
    case "flapping": {
      const cut = draw.between(1, Math.max(1, others.length));
      const size = draw.pick([20, 100, 400]);
      return { ...window, nodes: [one, ...others.slice(cut)], others: others.slice(0, cut), size };
    }
    case "one way":
      return { ...window, nodes: [one], others: half };
    case "gray link":
      return { ...window, nodes: [one], others: half, rate: 0.9 };
    case "slow drip":
      return { ...window, nodes: [one], others: other, size: draw.pick([10, 50, 200]) };
    case "half-open":
      return { kind, at, nodes: [one], others: other };
    case "overflowing queue":
      return { kind, at: 0, size: draw.between(1, 8) };
    case "restart at once":
      return { kind, at, nodes: [one], for: draw.between(0, 5) };
    case "late restart":
      return { ...window, nodes: [one] };
    case "no restart":
    case "crash between effects":
      return { kind, at, nodes: [one], ...(kind === "no restart" ? {} : { for: length }) };
    case "pause":
      return { kind, at, nodes: [one], for: draw.between(10, Math.max(10, length)) };
    case "old disk":
    case "wiped disk":
    case "lying disk":
      return { ...window, nodes: [draw.pick(victims)] };
    case "reused identity":
      return { ...window, nodes: [one] };
    case "failing flush":
      return { ...window, nodes: [one], rate: rate / 2 };
    case "slow flush":
      return { ...window, nodes: [one], rate, size: draw.pick([10, 100, 1000]) };
    case "read error":
      return { kind, at, nodes: [one], for: draw.between(2, 40) };
    case "bit rot":
      return { ...window, nodes: [draw.pick(victims)], rate };
    case "full disk":
      return { ...window, nodes: [one] };
    case "lost write":
    case "torn write":
      return { ...window, nodes: [one] };
    case "clock offset":
      return { kind, at: 0, nodes: [one], size: draw.between(-3_600_000, 3_600_000) };
    case "drift":
      return { ...window, nodes: [one], size: draw.between(-500, 500) };
    case "jump forward":
      return { kind, at, nodes: [one], size: draw.pick([1, 1000, 60_000, 3_600_000]) };
    case "jump back":
      return { kind, at, nodes: [one], size: draw.pick([1, 1000, 60_000, 3_600_000]) };
    case "clock standing still":
      return { ...window, nodes: [one] };
    case "hot key":
      return window;
    case "burst":
      return { kind, at, for: draw.between(20, 300) };
    case "slow handler":
      return { ...window, nodes: [one], size: draw.pick([1, 5, 20, 100]) };
    case "join":
      return { kind, at, nodes: [one] };
    case "leave":
      return draw.chance(0.3) ? { kind, at, nodes: [one] } : { ...window, nodes: [one] };
    case "swap":
      return { kind, at, nodes: [one], ...swapOf(draw, scenario) };
    case "mixed versions": {
      const { versions = [] } = scenario;
      const later = versions[draw.below(versions.length + 1)];
      return later === undefined
        ? { kind, at, nodes: [one], others: other }
        : { kind, at, nodes: [one], tag: later.path };
    }
    case "cold path":
      return { kind, at: 0, rate: draw.pick([0.01, 0.1, 0.5]) };
  }
}

/** Which component is swapped, and for which of the classes that it may be swapped for; 0 is its own. */
function swapOf(draw: Draw, { swaps = [] }: Scenario): Pick<Fault, "tag" | "size"> {
  const choice = draw.pick([...paths, ...swaps]);
  if (typeof choice === "string") return { tag: choice };
  return { tag: choice.path, size: draw.between(0, choice.to.length) };
}

function whole(millis: number): number {
  return Math.round(millis);
}
