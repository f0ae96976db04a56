/**
 * Properties of delivery, over random graphs of components with keyed, filtered, fallback and plain
 * channels, in which events are triggered while channels are held, resumed, rewired, cut and made, and
 * components are killed, restarted and swapped, under a scheduler that picks whom it runs, and for how
 * many events, at random.
 *
 * The model below says what should become of each event. It knows channels as wires between numbers
 * and shares no code with the kernel; swaps and restarts are not in it, for nobody may notice them.
 *
 * - On each channel and direction the same events are handled in the same order, each once.
 * - Nothing vanishes: what was handled, what waits in mailboxes and held channels, and the dead letters
 *   are together what the model expects, at any instant.
 */

import { expect } from "chai";
import fc from "fast-check";
import type { ChannelCore } from "./channel.ts";
import type { ChildHandle } from "./child.ts";
import type { ComponentCore } from "./component-core.ts";
import {
  by,
  type Channel,
  type Child,
  Component,
  event,
  launch,
  ManualClock,
  port,
  type ProvidedRef,
  type RequiredRef,
  restart,
  type Runnable,
  type Scheduler,
} from "./index.ts";
import { type Draw, DrawStream, streamKey } from "./random.ts";

// --- the model -------------------------------------------------------------------------------------

type Direction = "up" | "down";

interface Wire {
  readonly key: string | undefined;
  readonly fallback: boolean;
  /** Which numbers pass downwards and upwards. */
  readonly passes: Readonly<Record<Direction, (n: number) => boolean>>;
  provider: number | null;
  user: number | null;
  holds: number;
  cut: boolean;
  kept: { readonly from: number; readonly n: number; readonly direction: Direction }[];
}

/** Events by the lane on which they were or will be handled, and those that end as dead letters. */
class Model {
  readonly wires: Wire[] = [];
  readonly lanes = new Map<string, number[]>();
  readonly handled = new Map<string, number>();
  readonly letters: number[] = [];
  readonly dead = new Set<number>();
  problem: string | null = null;

  trigger(from: number, direction: Direction, n: number, key: string | undefined): void {
    const mine = this.wires.filter(
      (wire) => !wire.cut && (direction === "down" ? wire.provider : wire.user) === from,
    );
    let to = mine;
    if (direction === "down") {
      const keyed = mine.filter((wire) => key !== undefined && wire.key === key);
      const fallbacks =
        key === undefined ? [] : mine.filter((wire) => wire.fallback && wire.key === undefined);
      const open = mine.filter((wire) => !wire.fallback && wire.key === undefined);
      to = [...(keyed.length > 0 ? keyed : fallbacks), ...open];
    }
    let taken = 0;
    for (const wire of to) {
      if (!wire.passes[direction](n)) continue;
      const far = direction === "down" ? wire.user : wire.provider;
      if (wire.holds > 0) wire.kept.push({ from, n, direction });
      else if (far === null) continue;
      else this.arrive(from, far, direction, n);
      taken++;
    }
    if (taken === 0) this.letters.push(n);
  }

  resume(wire: Wire): void {
    if (--wire.holds > 0) return;
    const { kept } = wire;
    wire.kept = [];
    for (const { from, n, direction } of kept) {
      const far = direction === "down" ? wire.user : wire.provider;
      if (far === null) this.letters.push(n);
      else this.arrive(from, far, direction, n);
    }
  }

  cut(wire: Wire): void {
    wire.cut = true;
    for (const { n } of wire.kept) this.letters.push(n);
    wire.kept = [];
  }

  kill(node: number): void {
    this.dead.add(node);
    for (const wire of this.wires) {
      if (!wire.cut && (wire.provider === node || wire.user === node)) this.cut(wire);
    }
    for (const [lane, sent] of this.lanes) {
      if (!lane.includes(`→${node} `)) continue;
      this.letters.push(...sent.splice(this.handled.get(lane) ?? 0));
    }
  }

  handle(from: number, to: number, direction: Direction, n: number): void {
    const lane = `${from}→${to} ${direction}`;
    const at = this.handled.get(lane) ?? 0;
    this.handled.set(lane, at + 1);
    const expected = this.lanes.get(lane)?.[at];
    if (expected !== n)
      this.problem ??= `${lane}: ${n} was handled, where ${expected} was expected`;
  }

  /** How many were sent and have neither been handled nor become dead letters. */
  waiting(): number {
    const arrived = [...this.lanes].reduce(
      (sum, [lane, sent]) => sum + sent.length - (this.handled.get(lane) ?? 0),
      0,
    );
    return this.wires.reduce((sum, wire) => sum + wire.kept.length, arrived);
  }

  private arrive(from: number, to: number, direction: Direction, n: number): void {
    const lane = `${from}→${to} ${direction}`;
    const sent = this.lanes.get(lane);
    if (sent === undefined) this.lanes.set(lane, [n]);
    else sent.push(n);
  }
}

let model = new Model();

// --- the system ------------------------------------------------------------------------------------

interface Fields {
  readonly from: number;
  readonly n: number;
}
class Down extends event("delivery/Down")<Fields & { readonly key?: string }> {}
class Up extends event("delivery/Up")<Fields> {}
const Data = port("Data", { requests: [Up], indications: [Down] });

class Node extends Component {
  readonly p = this.provides(
    Data,
    by(Down, ({ key }) => key),
  );
  readonly r = this.requires(Data);

  constructor({ index }: { index: number }) {
    super();
    this.p.on(Up, ({ from, n }) => model.handle(from, index, "up", n));
    this.r.on(Down, ({ from, n }) => model.handle(from, index, "down", n));
  }
}

/** Has a child between itself and nobody, to make swaps larger, and a state to carry. */
class Node2 extends Node {
  readonly child = this.create(Leaf, {}, { name: "leaf" });
}

class Leaf extends Component {}

/** Everybody's first provider, which stays: a required port must be connected at a start. */
class Hub extends Component {
  readonly p = this.provides(
    Data,
    by(Down, ({ key }) => key),
  );

  constructor({ index }: { index: number }) {
    super();
    this.p.on(Up, ({ from, n }) => model.handle(from, index, "up", n));
  }
}

type Wiring = { readonly key?: string; readonly fallback?: boolean; readonly filter?: object };

class Graph extends Component {
  readonly nodes: Child<Node>[] = [];
  readonly hub: Child<Hub>;
  readonly channels: Channel[] = [];

  constructor({ count }: { count: number }) {
    super();
    this.hub = this.create(Hub, { index: count }, { name: "hub" });
    for (let index = 0; index < count; index++) {
      this.nodes.push(
        this.create(
          Node,
          { index },
          { name: `node${index}`, onFault: () => restart({ limit: 1e6 }) },
        ),
      );
      this.wire(count, index, {});
    }
  }

  wire(provider: number, user: number, wiring: Wiring): void {
    const channel = this.connect(this.provided(provider), this.required(user), wiring);
    this.channels.push(channel as unknown as Channel);
  }

  provided(index: number): ProvidedRef<typeof Data> {
    return (this.nodes[index] ?? this.hub).ports.p;
  }

  required(index: number): RequiredRef<typeof Data> {
    return (this.nodes[index] as Child<Node>).ports.r;
  }

  end(index: number): void {
    this.kill(this.nodes[index] as Child<Node>);
  }
}

/** Runs whom chance picks, for as many events as chance says. */
class ChanceScheduler implements Scheduler {
  readonly clock = new ManualClock();
  readonly #ready: Runnable[] = [];
  readonly #draw: Draw;

  constructor(seed: number) {
    this.#draw = new DrawStream(streamKey(seed));
  }

  ready(runnable: Runnable): void {
    this.#ready.push(runnable);
  }

  step(): boolean {
    if (this.#ready.length === 0) return false;
    const [runnable] = this.#ready.splice(this.#draw.below(this.#ready.length), 1);
    if (runnable?.run(this.#draw.between(1, 5)) === true) this.#ready.push(runnable);
    return true;
  }

  /** Gives one runnable its turn now. */
  force(runnable: Runnable): void {
    const at = this.#ready.indexOf(runnable);
    if (at < 0) return;
    this.#ready.splice(at, 1);
    if (runnable.run(1)) this.#ready.push(runnable);
  }
}

// --- what happens ----------------------------------------------------------------------------------

type Op =
  | {
      readonly op: "down";
      readonly node: number;
      readonly key: string | undefined;
      readonly times: number;
    }
  | { readonly op: "up"; readonly node: number; readonly times: number }
  | { readonly op: "hold" | "resume" | "cut"; readonly wire: number }
  | { readonly op: "unplug"; readonly wire: number; readonly provider: boolean }
  | { readonly op: "plug"; readonly wire: number; readonly node: number }
  | {
      readonly op: "connect";
      readonly provider: number;
      readonly user: number;
      readonly key: string | undefined;
      readonly fallback: boolean;
      readonly filter: "none" | "even" | "odd up";
    }
  | { readonly op: "kill" | "restart" | "swap" | "busy"; readonly node: number }
  | { readonly op: "steps"; readonly count: number };

const keys = fc.constantFrom(undefined, "x", "y", "z");
const nodes = fc.nat(7);
const wires = fc.nat(20);

const ops: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant("down" as const),
      node: nodes,
      key: keys,
      times: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant("up" as const),
      node: nodes,
      times: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      op: fc.constant("steps" as const),
      count: fc.integer({ min: 1, max: 12 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("hold" as const), wire: wires }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("resume" as const), wire: wires }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("cut" as const), wire: wires }) },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant("unplug" as const),
      wire: wires,
      provider: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant("plug" as const), wire: wires, node: nodes }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant("connect" as const),
      provider: nodes,
      user: nodes,
      key: keys,
      fallback: fc.boolean(),
      filter: fc.constantFrom("none" as const, "even" as const, "odd up" as const),
    }),
  },
  { weight: 4, arbitrary: fc.record({ op: fc.constant("swap" as const), node: nodes }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("busy" as const), node: nodes }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("restart" as const), node: nodes }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("kill" as const), node: nodes }) },
);

interface Plan {
  readonly count: number;
  readonly seed: number;
  readonly list: readonly Op[];
}

const plans: fc.Arbitrary<Plan> = fc.record({
  count: fc.integer({ min: 2, max: 5 }),
  seed: fc.nat(),
  list: fc.array(ops, { minLength: 10, maxLength: 70, size: "max" }),
});

function coreOf(child: Child): ComponentCore {
  return (child as unknown as ChildHandle).core;
}

/** Carries out a plan, and compares with the model at its end and when everything has settled. */
function carryOut({ count, seed, list }: Plan): {
  readonly handled: number;
  readonly swaps: number;
} {
  model = new Model();
  const scheduler = new ChanceScheduler(seed);
  const system = launch(Graph, { count }, { scheduler, log: () => undefined });
  const graph = system.instance;
  const letters: number[] = [];
  system.events.on("deadLetter", ({ reason, event: gone }) => {
    if (reason !== "no-component") letters.push((gone as unknown as Fields).n);
  });
  for (let user = 0; user < count; user++) {
    const passes = { up: () => true, down: () => true };
    model.wires.push({
      key: undefined,
      fallback: false,
      passes,
      provider: count,
      user,
      holds: 0,
      cut: false,
      kept: [],
    });
  }
  while (scheduler.step());

  let [numbers, swaps] = [0, 0];
  const alive = (index: number): number | null =>
    model.dead.has(index % count) ? null : index % count;
  const places = (index: number): number | null =>
    index % (count + 1) === count ? count : alive(index % (count + 1));
  const joined = (provider: number | null, user: number | null): boolean =>
    model.wires.some((wire) => !wire.cut && wire.provider === provider && wire.user === user);
  /** A wire that may be changed: those of the hub stay. */
  const chosen = (index: number): [Wire, Channel] | null => {
    const at = index % model.wires.length;
    const wire = model.wires[at] as Wire;
    return wire.cut || (at < count && index < count) ? null : [wire, graph.channels[at] as Channel];
  };
  const inMain = (action: () => void): void => {
    system.enter(action);
    scheduler.force(coreOf(system.main));
  };

  const act: { readonly [K in Op["op"]]: (op: Extract<Op, { readonly op: K }>) => void } = {
    down({ node, key, times }) {
      const from = places(node);
      if (from === null) return;
      const place = graph.nodes[from] ?? graph.hub;
      const send = (): void => {
        const n = ++numbers;
        const { p } = (place as unknown as ChildHandle).core.instance as Node;
        model.trigger(from, "down", n, key);
        p.trigger(new Down(key === undefined ? { from, n } : { from, n, key }));
      };
      for (let i = 0; i < times; i++) system.enter(send, place);
    },
    up({ node, times }) {
      const from = alive(node);
      if (from === null) return;
      const place = graph.nodes[from] as Child<Node>;
      const send = (): void => {
        const n = ++numbers;
        model.trigger(from, "up", n, undefined);
        (coreOf(place).instance as Node).r.trigger(new Up({ from, n }));
      };
      for (let i = 0; i < times; i++) system.enter(send, place);
    },
    steps(op) {
      for (let i = 0; i < op.count && scheduler.step(); i++);
    },
    hold({ wire }) {
      const at = model.wires.length === 0 ? null : wire % model.wires.length;
      const one = model.wires[at ?? 0];
      if (one === undefined || one.cut) return;
      one.holds++;
      (graph.channels[at ?? 0] as Channel).hold();
    },
    resume({ wire }) {
      const at = wire % model.wires.length;
      const one = model.wires[at] as Wire;
      if (one.cut || one.holds === 0) return;
      model.resume(one);
      (graph.channels[at] as Channel).resume();
    },
    cut({ wire }) {
      const one = wire % model.wires.length < count ? null : chosen(wire);
      if (one === null) return;
      model.cut(one[0]);
      one[1].disconnect();
    },
    unplug({ wire, provider }) {
      const one = wire % model.wires.length < count ? null : chosen(wire);
      if (one === null || (provider ? one[0].provider : one[0].user) === null) return;
      if (provider) one[0].provider = null;
      else one[0].user = null;
      one[1].unplug(provider ? "provider" : "user");
    },
    plug({ wire, node }) {
      const one = wire % model.wires.length < count ? null : chosen(wire);
      const to = alive(node);
      if (one === null || to === null) return;
      const [model0, channel] = one;
      if (model0.provider === null && !joined(to, model0.user)) {
        model0.provider = to;
        channel.plug(graph.provided(to));
      } else if (model0.user === null && model0.provider !== null && !joined(model0.provider, to)) {
        model0.user = to;
        channel.plug(graph.required(to));
      }
    },
    connect({ provider, user, key, fallback, filter }) {
      const [from, to] = [places(provider), alive(user)];
      if (from === null || to === null || joined(from, to)) return;
      const even = (n: number): boolean => n % 2 === 0;
      const odd = (n: number): boolean => n % 2 === 1;
      const all = (): boolean => true;
      const passes = { down: filter === "even" ? even : all, up: filter === "odd up" ? odd : all };
      const wiring: Wiring = {
        ...(key === undefined ? {} : { key }),
        fallback,
        filter: {
          ...(filter === "even" ? { indications: ({ n }: Fields) => even(n) } : {}),
          ...(filter === "odd up" ? { requests: ({ n }: Fields) => odd(n) } : {}),
        },
      };
      inMain(() => {
        model.wires.push({
          key,
          fallback,
          passes,
          provider: from,
          user: to,
          holds: 0,
          cut: false,
          kept: [],
        });
        graph.wire(from, to, wiring);
      });
    },
    swap({ node }) {
      const index = alive(node);
      if (index === null) return;
      swaps++;
      system
        .swap(`/Graph-1/node${index}`, node % 2 === 0 ? Node : Node2, { index }, { discard: true })
        .catch(() => undefined);
    },
    busy({ node }) {
      // Keeps a swap draining for a while.
      const index = alive(node);
      if (index === null) return;
      let left = 8;
      const spin = (): void => {
        if (left-- > 0 && !model.dead.has(index))
          system.enter(spin, graph.nodes[index] as Child<Node>);
      };
      spin();
    },
    restart({ node }) {
      const index = alive(node);
      if (index === null) return;
      const fail = (): void => {
        throw new Error("restart");
      };
      system.enter(fail, graph.nodes[index] as Child<Node>);
    },
    kill({ node }) {
      const index = alive(node);
      if (index === null) return;
      const core = (): ComponentCore => coreOf(graph.nodes[index] as Child<Node>);
      inMain(() => graph.end(index));
      while (core().phase !== "destroyed") {
        scheduler.force(core());
        for (const { core: leaf } of core().childHandles()) scheduler.force(leaf);
      }
      model.kill(index);
    },
  };

  const check = (when: string): void => {
    expect(model.problem, when).equal(null);
    const queued = [...graph.nodes, graph.hub].reduce(
      (sum, node) => sum + coreOf(node).mailbox.size,
      0,
    );
    const kept = graph.channels.reduce(
      (sum, channel) => sum + ((channel as unknown as ChannelCore).kept?.length ?? 0),
      0,
    );
    expect(queued + kept, `waiting ${when}`).equal(model.waiting());
    expect(letters, `dead letters ${when}`).to.have.members(model.letters);
  };

  for (const one of list) act[one.op](one as never);
  check("at the end of the plan");
  while (scheduler.step());
  check("when settled");
  for (const [i, wire] of model.wires.entries()) {
    while (!wire.cut && wire.holds > 0) {
      model.resume(wire);
      (graph.channels[i] as Channel).resume();
    }
  }
  while (scheduler.step());
  check("with nothing held");
  expect(model.waiting()).equal(0);
  return { handled: [...model.handled.values()].reduce((sum, n) => sum + n, 0), swaps };
}

/** Plans that failed once: a user resumes a channel with a free end while a swap holds it too. */
const regressions: readonly Plan[] = [
  {
    count: 2,
    seed: 1026409890,
    list: [
      { op: "connect", provider: 0, user: 1, key: undefined, fallback: false, filter: "none" },
      { op: "connect", provider: 0, user: 0, key: undefined, fallback: false, filter: "none" },
      { op: "connect", provider: 1, user: 0, key: undefined, fallback: false, filter: "none" },
      { op: "unplug", wire: 8, provider: false },
      { op: "swap", node: 0 },
      { op: "hold", wire: 8 },
      { op: "up", node: 0, times: 2 },
      { op: "down", node: 0, key: undefined, times: 1 },
      { op: "hold", wire: 0 },
      { op: "steps", count: 2 },
      { op: "up", node: 0, times: 2 },
      { op: "steps", count: 3 },
      { op: "resume", wire: 13 },
    ],
  },
];

describe("delivery", function () {
  this.timeout(60_000);

  for (const [i, plan] of regressions.entries()) {
    it(`does not fail again as it did in plan ${i + 1}`, () => {
      carryOut(plan);
    });
  }

  it("is in order, once, and loses nothing, whatever is held, rewired, cut, killed, restarted or swapped", () => {
    let [handled, swaps] = [0, 0];
    const property = fc.property(plans, (plan) => {
      const result = carryOut(plan);
      handled += result.handled;
      swaps += result.swaps;
    });
    fc.assert(property, { numRuns: 1500, seed: 20_120_611 });
    // The plans are worth something.
    expect(handled).greaterThan(20_000);
    expect(swaps).greaterThan(3000);
  });
});
