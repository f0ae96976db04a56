/**
 * Runs a scenario in the simulator: one seed, or one plan.
 *
 * First the nodes run and the processes call while faults strike; then the core is healed, while the
 * rest stays broken, and has to finish. Invariants are asked all the while. The run ends with the first
 * that does not hold.
 */

import {
  type ComponentClass,
  KithError,
  type LogSink,
  type Millis,
  mix,
  streamKey,
} from "@kith/core";
import { always } from "../engine.ts";
import type { Life } from "../node.ts";
import { simulate, type Simulation, type SimulationOptions } from "../simulation.ts";
import { type Latency, uniform } from "../rules.ts";
import type { DiskOptions } from "../disk.ts";
import { Callers, type OperationCounts } from "./callers.ts";
import { ColdPaths } from "./cold-paths.ts";
import { Desk, type Office, staff } from "./desk.ts";
import { DiskNemesis } from "./disk-nemesis.ts";
import type { HistoryEvent } from "./history.ts";
import { amnesiac, countAll, type Fault, type FaultKind, type Injected } from "./kinds.ts";
import { NetworkNemesis } from "./network-nemesis.ts";
import type { Recording } from "./recording.ts";
import { NodeNemesis } from "./node-nemesis.ts";
import { type Plan, type PlannedOperation, planFor } from "./plan.ts";
import { type Fact, Perform, type Performed } from "./port.ts";
import type { Eventually, Scenario } from "./scenario.ts";
import { Facts, type NodeView, type Reported, type View } from "./view.ts";
import { type Failure, Watch } from "./watch.ts";

/** What came of a run. */
export interface RunResult {
  readonly scenario: string;
  readonly plan: Plan;
  /** The hash over all decisions: two runs of a plan have the same. */
  readonly hash: string;
  /** What did not hold; null where all did. */
  readonly failure: Failure | null;
  readonly operations: Readonly<OperationCounts>;
  /** How often each invariant was asked, and each other thing judged. */
  readonly checked: Readonly<Record<string, number>>;
  readonly injected: Injected;
  /** How often each cold path was taken. */
  readonly cold: Readonly<Record<string, number>>;
  /** The marks that were reached. */
  readonly reached: readonly string[];
  readonly history: readonly HistoryEvent[];
  /** Simulated milliseconds. */
  readonly time: Millis;
  /** Turns and events. */
  readonly steps: number;
  /** What struck and what was called, as a plan would write it down; empty unless it was asked for. */
  readonly recorded: {
    readonly faults: readonly Fault[];
    readonly operations: readonly PlannedOperation[];
  };
}

/** How to run. */
export interface RunOptions {
  /** Whether what strikes is to be written down. */
  readonly record?: boolean;
  /** Takes down what happens: for a slice of causes, or a trace. The hash does not change by it. */
  readonly recording?: Recording;
  /** Takes the nodes' log records. */
  readonly log?: LogSink;
}

/** Runs a seed of a scenario. */
export function runSeed<K extends ComponentClass>(
  scenario: Scenario<K>,
  seed: number | string,
  options: RunOptions = {},
): RunResult {
  return runPlan(scenario, scenario.plan ?? planFor(scenario, seed), options);
}

/** Runs a plan of a scenario. */
export function runPlan<K extends ComponentClass>(
  scenario: Scenario<K>,
  plan: Plan,
  options: RunOptions = {},
): RunResult {
  return new Run(scenario, plan, options).result();
}

const sweepMillis = 1000;
/** A core that has nothing to finish runs for so long after its healing. */
const graceMillis = 1000;
const recordedMax = 100_000;

/** Each link has a latency of its own, from 0.5 to 1.5 ms, so that hardly anything is simultaneous. */
function steadily(weather: number): Latency {
  const latencies = new Map<string, number>();
  return ({ from, to }) => {
    const link = `${from}>${to}`;
    let latency = latencies.get(link);
    if (latency === undefined) {
      latency = 500 + (mix(streamKey("steady", link).low, weather) % 1000);
      latencies.set(link, latency);
    }
    return latency;
  };
}

const steadyDisk: DiskOptions = {
  read: { min: 30, max: 30 },
  write: { min: 10, max: 10 },
  flush: { min: 1000, max: 1000 },
};

/** The run of one plan. */
class Run<K extends ComponentClass> implements Office {
  readonly #scenario: Scenario<K>;
  readonly #plan: Plan;
  /** The plan, with the seed that keys what the run draws. */
  readonly #drawn: Plan;
  readonly #simulation: Simulation<K>;
  readonly #callers: Callers;
  readonly #watch: Watch;
  readonly #network: NetworkNemesis;
  readonly #nodes: NodeNemesis<K>;
  readonly #cold: ColdPaths;
  readonly #history: HistoryEvent[] = [];
  readonly #facts = new Facts();
  readonly #desks = new Map<Life, (perform: Perform) => void>();
  readonly #injected = new Map<FaultKind, number>();
  readonly #recorded: Fault[] | null;
  readonly #keys = new Map<string, number>();
  readonly #core: ReadonlySet<number>;
  readonly #forgetful: ReadonlySet<number>;
  readonly #recording: Recording | undefined;
  #news: Reported | null = null;
  #phase: View["phase"] = "faults";
  #failure: Failure | null = null;
  #closed = false;

  constructor(scenario: Scenario<K>, plan: Plan, options: RunOptions) {
    this.#scenario = scenario;
    this.#plan = plan;
    const { seed, weather } = plan;
    this.#drawn = weather === undefined ? plan : { ...plan, seed: `${seed} in weather ${weather}` };
    this.#recorded = options.record === true ? [] : null;
    this.#core = new Set(plan.core);
    this.#forgetful = new Set(
      plan.faults.flatMap(({ kind, nodes = [] }) => (amnesiac.has(kind) ? nodes : [])),
    );
    this.#recording = options.recording;
    const strike = (kind: FaultKind, fault: Fault): void => this.#struck(kind, fault);
    this.#cold = new ColdPaths(this.#drawn, strike, () => this.#simulation.time);
    const simulation = simulate(scenario.main, this.#settings(options));
    this.#simulation = simulation;
    staff(simulation.engine, this);
    const view = this.#view();
    this.#watch = new Watch(scenario, view, (name, complaint) => this.#fail(name, complaint));
    const at = (time: Millis, what: string, number: number, action: () => void): void =>
      this.#at(time, what, number, action);
    const stage = {
      get time() {
        return simulation.time;
      },
      at,
      lives: (node: number) => simulation.node(node).state !== "down",
      perform: (node: number, call: ConstructorParameters<typeof Perform>[0]) => {
        const { life } = simulation.node(node);
        if (life !== null) this.#desks.get(life)?.(new Perform(call));
      },
    };
    this.#callers = new Callers({
      scenario,
      plan,
      stage,
      view,
      load: (kind) => this.#loaded(kind),
      line: (event) => {
        this.#history.push(event);
        this.#news = null;
        this.#watch.changed("history");
      },
    });
    this.#network = new NetworkNemesis(this.#drawn, strike, options.record === true);
    this.#nodes = new NodeNemesis<K>({
      simulation,
      plan,
      swaps: scenario.swaps ?? [],
      versions: scenario.versions ?? [],
      strike,
      at,
      changed: (node, ended) => {
        if (ended) this.#callers.ended(node);
        this.#recordLife(node, ended);
        this.#news = null;
        this.#watch.changed("nodes");
      },
      refused: ({ path }, cause) =>
        this.#fail(
          "versions follow each other",
          `The later version of ${path} could not take over: ${cause instanceof Error ? cause.message : String(cause)}`,
        ),
    });
  }

  result(): RunResult {
    this.#play();
    const simulation = this.#simulation;
    const { operations: called } = { operations: this.#callers.called };
    return {
      scenario: this.#scenario.name,
      plan: this.#plan,
      hash: simulation.hash,
      failure: this.#failure,
      operations: this.#callers.counts,
      checked: Object.fromEntries(this.#watch.asked),
      injected: countAll((kind) =>
        kind === "overflowing queue"
          ? simulation.fabric.counts.full
          : (this.#injected.get(kind) ?? 0),
      ),
      cold: this.#cold.counts(),
      reached: [...this.#watch.reached],
      history: this.#history,
      time: simulation.time,
      steps: simulation.steps,
      recorded: {
        faults: this.#recorded ?? [],
        operations: this.#recorded === null ? [] : called,
      },
    };
  }

  #settings(options: RunOptions): SimulationOptions<K> {
    const { scenario, plan } = { scenario: this.#scenario, plan: this.#plan };
    const late = new Set(
      plan.faults.flatMap(({ kind, nodes = [] }) => (kind === "join" ? nodes : [])),
    );
    const waitingMax = plan.faults.find(({ kind }) => kind === "overflowing queue")?.size;
    return {
      seed: this.#drawn.seed,
      nodes: plan.nodes,
      transport: plan.transport,
      latency: plan.steady === undefined ? uniform(0.2, 2) : steadily(plan.steady),
      disk: () => (plan.steady === undefined ? {} : steadyDisk),
      initOf: ({ index, name }) =>
        scenario.init({
          index,
          name,
          peers: this.#simulation.nodes.map((node) => this.#simulation.peer(node.index)),
          seed: plan.seed,
          time: this.#simulation.time,
        }),
      clock: (index) => {
        const fault = plan.faults.find(
          ({ kind, nodes = [] }) => kind === "clock offset" && nodes.includes(index),
        );
        return { offset: fault?.size ?? 0 };
      },
      boots: (index) => !late.has(index),
      install: (root) => root.offers(root.create(Desk, {}, { name: "Workload" }).ports.workload),
      cold: (node, path, name) => this.#cold.decide(node, path, name),
      fault: ({ index }, error) => {
        if (scenario.fault === "crash") this.#nodes.failed(index);
        else this.#fail("no fault", explain(error));
        return true;
      },
      ...(waitingMax === undefined ? {} : { waitingMax }),
      ...(options.recording === undefined ? {} : { codec: options.recording.codec() }),
      ...(options.log === undefined ? {} : { log: options.log }),
    };
  }

  // --- the course of a run ---------------------------------------------------------------------------

  #play(): void {
    const { duration } = this.#plan;
    try {
      this.#begin();
      this.#until(duration);
      if (this.#failure === null) this.#heal();
    } catch (cause) {
      if (!(cause instanceof KithError)) throw cause;
      this.#fail(nameOf(cause), explain(cause));
    }
    if (this.#failure !== null) return;
    this.#watch.sweep();
    this.#judge();
  }

  #begin(): void {
    const simulation = this.#simulation;
    simulation.rule(this.#network);
    for (const node of simulation.nodes) {
      const rule = new DiskNemesis(
        this.#drawn,
        node.index,
        (kind, fault) => {
          this.#struck(kind, fault);
          if (kind === "bit rot") this.#nodes.rotten(node.index);
        },
        () => this.#nodes.crashNow(node.index),
      );
      if (!rule.idle) this.#diskRules.push(node.disk.faults.add(rule));
    }
    this.#nodes.begin();
    simulation.boot();
    for (const { index } of simulation.nodes) this.#recordLife(index, false);
    this.#callers.begin();
    this.#sweep();
  }

  readonly #diskRules: (() => void)[] = [];

  #sweep(): void {
    this.#news = null;
    this.#watch.sweep();
    this.#nodes.tend();
    this.#at(this.#simulation.time + sweepMillis, "sweep", 0, () => this.#sweep());
  }

  #until(end: Millis, done: () => boolean = () => false): void {
    const simulation = this.#simulation;
    const within = end - simulation.time;
    let over = false;
    this.#at(end, "end of a phase", 0, () => (over = true));
    simulation.until(() => over || this.#failure !== null || done(), { within: within + 1 });
  }

  #heal(): void {
    const { settle, core, closing } = this.#plan;
    const { keys = [], eventually = [] } = this.#scenario;
    const simulation = this.#simulation;
    this.#phase = "healed";
    this.#callers.stop();
    this.#network.heal();
    simulation.limitQueues();
    for (const remove of this.#diskRules) remove();
    this.#cold.stop();
    this.#nodes.heal();
    const healed = simulation.time;
    const operations =
      closing === false ? [] : (this.#scenario.closing?.({ keys, nodes: this.#plan.nodes }) ?? []);
    this.#callers.close(operations, core, () => (this.#closed = true));
    const waiting = new Set(eventually);
    for (const { name } of eventually) this.#watch.asked.set(name, 1);
    const look = (): boolean => {
      for (const one of waiting) {
        if (this.#watch.holds(`eventually: ${one.name}`, one.holds)) waiting.delete(one);
        else if (simulation.time - healed > one.within)
          this.#fail(one.name, late(one, this.#view()));
      }
      return waiting.size === 0;
    };
    // What is to come true is looked at every 10 ms: after each step would be dear.
    const last = Math.max(settle, ...eventually.map(({ within }) => within + 20));
    for (let time = healed; this.#failure === null && time < healed + last;) {
      time = Math.min(time + 10, healed + last);
      this.#until(time);
      if (look() && this.#closed && time >= healed + graceMillis && this.#callers.open === 0)
        return;
      if (this.#closed && waiting.size === 0 && time >= healed + settle) return;
    }
    if (this.#failure === null && !this.#closed)
      this.#fail(
        "the core finishes",
        `The closing operations were not done within ${settle} ms of the healing of ${core.map((i) => `n${i + 1}`).join(", ")}.`,
      );
  }

  #judge(): void {
    const { finally: verdicts = [], succeed = {} } = this.#scenario;
    const view = this.#view();
    for (const { name, check } of verdicts) {
      if (this.#failure !== null) return;
      const complaint = this.#watch.verdict(name, () => check({ history: this.#history, view }));
      if (complaint !== undefined) this.#fail(name, complaint);
    }
    const { ok } = this.#callers.counts;
    const least = succeed.each ?? 1;
    // A plan that is written down may well consist of less.
    if (this.#failure === null && ok < least && this.#plan.operations === undefined)
      this.#fail("enough succeeds", `${ok} operations were ok; ${least} are too few.`);
  }

  #fail(invariant: string, complaint: string): void {
    if (this.#failure !== null) return;
    this.#failure = { invariant, complaint, time: this.#simulation.time };
    // News that an invariant has found wrong are the last that was told.
    if (this.#news === null) this.#recording?.failed(complaint);
  }

  /** Listening to a system costs, so it is done only where somebody wants to know. */
  #recordLife(index: number, ended: boolean): void {
    const simulation = this.#simulation;
    const node = simulation.node(index);
    if (ended) this.#recording?.note(node.name, simulation.time, "its life ends");
    else if (node.state !== "down")
      this.#recording?.attach(node.system, node.name, () => simulation.time);
  }

  // --- the desks -------------------------------------------------------------------------------------

  opened(life: Life, call: (perform: Perform) => void): void {
    this.#desks.set(life, call);
  }

  performed(_life: Life, performed: Performed): void {
    this.#callers.performed(performed);
  }

  stated(life: Life, fact: Fact): void {
    // Not the life's own number: a reused identity has that of the life before.
    const node = this.#simulation.nodes.find(({ name }) => name === life.name);
    const report: Reported = {
      node: life.name,
      life: node?.lives ?? life.number,
      time: this.#simulation.time,
      fact,
    };
    this.#facts.add(report);
    this.#news = report;
    this.#watch.fact(report);
    this.#news = null;
  }

  // --- what is seen and counted ------------------------------------------------------------------------

  #view(): View {
    const time = (): Millis => this.#simulation.time;
    const phase = (): View["phase"] => this.#phase;
    const news = (): Reported | null => this.#news;
    const nodes = (): NodeView[] =>
      this.#simulation.nodes.map(({ name, index, state, sinceMicros, lives }) => ({
        name,
        index,
        state,
        since: sinceMicros / 1000,
        life: lives,
        core: this.#core.has(index),
        rest: this.#plan.rest[index] ?? null,
        forgetful: this.#forgetful.has(index),
      }));
    const facts = this.#facts;
    return {
      get time() {
        return time();
      },
      get phase() {
        return phase();
      },
      get nodes() {
        return nodes();
      },
      history: this.#history,
      faults: this.#plan.faults,
      get news() {
        return news();
      },
      facts: (cls) => facts.of(cls),
      last: (cls) => facts.last(cls),
    };
  }

  #struck(kind: FaultKind, fault: Fault): void {
    this.#injected.set(kind, (this.#injected.get(kind) ?? 0) + 1);
    if (this.#recorded === null || fault.rate !== undefined) return;
    if (this.#recorded.length >= recordedMax) return;
    if (fault.number === undefined && this.#recorded.includes(fault)) return;
    this.#recorded.push(fault);
  }

  #loaded(kind: "hot key" | "burst"): boolean {
    const { time } = this.#simulation;
    const fault = this.#plan.faults.find(
      (one) => one.kind === kind && time >= one.at && time < one.at + (one.for ?? Infinity),
    );
    if (fault !== undefined) this.#struck(kind, fault);
    return fault !== undefined;
  }

  #at(time: Millis, what: string, number: number, action: () => void): void {
    const { engine } = this.#simulation;
    let key = this.#keys.get(what);
    if (key === undefined)
      this.#keys.set(what, (key = streamKey(this.#drawn.seed, "scenario", what).low));
    engine.at(always, Math.round(time * 1000), mix(key, number), action);
  }
}

function late({ within, why }: Eventually, view: View): string {
  const missing = why?.(view);
  const text = `It did not come true within ${within} ms of the healing`;
  return missing === undefined ? `${text}.` : `${text}: ${missing}.`;
}

/** The failures that the simulator itself finds have names of their own. */
function nameOf(error: KithError): string {
  switch (error.code) {
    case "KITH_SIM_FAULT":
      return "no fault";
    case "KITH_SIM_LEAK":
      return "no leak";
    case "KITH_SIM_LIVELOCK":
      return "no livelock";
    default:
      return error.code;
  }
}

function explain(error: Error): string {
  return error.message;
}
