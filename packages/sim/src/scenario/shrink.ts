/**
 * Shrinking: from a plan that fails to one that fails in the same way with less.
 *
 * In order: what was called is written down; faults are taken out, then operations, then nodes, then
 * time; what faults with a rate did is named deed by deed, the weather (latencies of links and disks)
 * is made steady, and what is left of it perturbs single messages. Where that does not suffice, the search
 * is repeated with other weathers for each smaller plan: what is left may need another chance to fail.
 *
 * Invariants: a smaller plan counts only if the same invariant fails, and if it asks for no more than what the
 * scenario promises to survive. Nothing of the result hangs on a rate: it stays red when a draw changes.
 */

import { type ComponentClass, type Draw, DrawStream, type Millis, streamKey } from "@kith/core";
import { simError } from "../errors.ts";
import { allKinds, type Fault, type FaultKind } from "./kinds.ts";
import { minimise, minimiseRuns } from "./minimise.ts";
import { indices, type Plan, type PlannedOperation, promises } from "./plan.ts";
import { runPlan, type RunResult } from "./run.ts";
import { nodesOf, type Scenario } from "./scenario.ts";

/** What shrinking came to. */
export interface Shrunk {
  readonly plan: Plan;
  /** The last run of it. */
  readonly result: RunResult;
  /** How many runs it took. */
  readonly runs: number;
  /** Faults and operations that are left. */
  readonly decisions: number;
}

/** How long to go on. */
export interface ShrinkOptions {
  /** True where there is no more time; asked before each run. */
  readonly stop?: () => boolean;
  /** Told of each smaller plan. */
  readonly progress?: (decisions: number, runs: number) => void;
}

/** Shrinks a plan that fails. @throws KithError `KITH_SIM_ARGUMENT` where it does not fail */
export function shrink<K extends ComponentClass>(
  scenario: Scenario<K>,
  plan: Plan,
  options: ShrinkOptions = {},
): Shrunk {
  return new Shrinker(scenario, plan, options).shrink();
}

/** The faults and operations of a plan. */
export function decisionsOf({ faults, operations = [] }: Plan): number {
  return faults.length + operations.length;
}

/** Perturbs messages by up to so many milliseconds, where the weather is steady. */
const perturbations: readonly Millis[] = [2, 2, 2, 2];
/** The same in the search, where a plan is small and its runs are cheap. */
const strongPerturbations: readonly Millis[] = [2, 10, 50, 2, 10, 50, 2, 10, 50, 2, 10, 50];
/** So many steady weathers are tried: in each, other links are the faster ones. */
const weathers = 8;

/** What a story should have at most. What is larger is begun anew from the whole, in another order, so many times. */
const decisionsMax = 12;
const nodesMax = 4;
const roundsMax = 20;
/** In so many other weathers a smaller plan is tried at most. */
const triesMax = 10;

function isBig(plan: Plan): boolean {
  return decisionsOf(plan) > decisionsMax || plan.nodes > nodesMax;
}

function isSmaller(plan: Plan, other: Plan): boolean {
  if (isBig(plan) !== isBig(other)) return isBig(other);
  return decisionsOf(plan) + plan.nodes < decisionsOf(other) + other.nodes;
}

class Shrinker<K extends ComponentClass> {
  readonly #scenario: Scenario<K>;
  readonly #options: ShrinkOptions;
  readonly #invariant: string;
  readonly #promised: boolean;
  #best: RunResult;
  #runs = 1;
  /** In how many other weathers a smaller plan is tried, and the number of the last one. */
  #tries = 0;
  #weather = 0;
  /** Draws what goes first; null where things go as they stand. */
  #order: Draw | null = null;

  constructor(scenario: Scenario<K>, plan: Plan, options: ShrinkOptions) {
    this.#scenario = scenario;
    this.#options = options;
    this.#best = runPlan(scenario, plan, { record: true });
    if (this.#best.failure === null)
      throw simError(
        "KITH_SIM_ARGUMENT",
        `Seed ${plan.seed} of ${scenario.name} does not fail, so there is nothing to shrink.`,
      );
    this.#invariant = this.#best.failure.invariant;
    this.#promised = promises(scenario, plan);
  }

  get #plan(): Plan {
    return this.#best.plan;
  }

  shrink(): Shrunk {
    this.#script();
    this.#cut();
    const whole = this.#best;
    this.#descend();
    for (let round = 1; round <= roundsMax && isBig(this.#plan) && !this.#stopped; round++) {
      const smallest = this.#best;
      this.#best = whole;
      this.#order = new DrawStream(streamKey("shrink", round));
      this.#tries = 1;
      // With all that happens there, the chance is best that it fails on fewer nodes, too.
      if (this.#plan.nodes > nodesMax) this.#nodes();
      this.#tries = 0;
      this.#descend();
      if (!isSmaller(this.#plan, smallest.plan)) this.#best = smallest;
    }
    this.#hasten();
    const plan = this.#plan;
    return { plan, result: this.#best, runs: this.#runs, decisions: decisionsOf(plan) };
  }

  /** From a plan down to one of which nothing more can be taken out, in the order of this round. */
  #descend(): void {
    this.#faults();
    // Early, while much is called: under another weather it is other calls that fail.
    this.#calm();
    this.#parts();
    this.#operations();
    this.#nodes();
    this.#cut();
    this.#name();
    for (let before = Infinity; before > decisionsOf(this.#plan) && !this.#stopped;) {
      before = decisionsOf(this.#plan);
      this.#faults();
      this.#operations();
      this.#nodes();
      this.#cut();
    }
    this.#calm();
    for (this.#tries = 1; isBig(this.#plan) && this.#tries <= triesMax && !this.#stopped;) {
      const before = this.#plan;
      this.#elsewhere();
      if (!isSmaller(this.#plan, before)) this.#tries *= 3;
    }
    this.#tries = 0;
  }

  /**
   * Looks for a smaller plan in other weathers. A call less, and all that comes after it is drawn anew: with many
   * calls left, each of them may be needed for nothing but that.
   */
  #elsewhere(): void {
    this.#calm();
    this.#parts();
    this.#nodes();
    this.#operations();
    this.#faults();
    this.#name();
    this.#cut();
    if (isBig(this.#plan)) this.#counts();
  }

  get #stopped(): boolean {
    return this.#options.stop?.() ?? false;
  }

  /** Whether a plan fails as the first one did, in some weather; then it is the best so far. */
  #try(plan: Plan): boolean {
    // A failure of what nobody has promised would say nothing.
    if (this.#promised && !promises(this.#scenario, plan)) return false;
    if (this.#fails(plan)) return true;
    for (let tries = 0; tries < this.#tries; tries++)
      if (this.#fails(this.#inAnother(plan))) return true;
    return false;
  }

  #fails(plan: Plan): boolean {
    if (this.#stopped) return false;
    this.#runs++;
    const result = runPlan(this.#scenario, plan, { record: true });
    if (result.failure?.invariant !== this.#invariant) return false;
    this.#best = result;
    this.#options.progress?.(decisionsOf(plan), this.#runs);
    return true;
  }

  /** The same in a weather that was not tried before. */
  #inAnother(plan: Plan): Plan {
    const weather = ++this.#weather;
    return { ...plan, weather, ...(plan.steady === undefined ? {} : { steady: weather }) };
  }

  /** Writes down what was called. */
  #script(): void {
    if (this.#plan.operations !== undefined) return;
    this.#try({ ...this.#plan, operations: this.#best.recorded.operations });
  }

  /** Nothing happens after the failure; and what closes a run may not be needed. */
  #cut(): void {
    const { failure } = this.#best;
    const { duration, closing } = this.#plan;
    if (failure !== null && failure.time < duration)
      this.#try({ ...this.#plan, duration: Math.ceil(failure.time) + 1 });
    if (closing !== false) this.#try({ ...this.#plan, closing: false });
    // Long waits for nothing: what counts may have happened long before.
    for (let tries = 0; tries < 6; tries++) {
      const last = lastTime(this.#plan);
      const { duration: now } = this.#plan;
      const shorter = Math.ceil(Math.max(last + 1, now / 2));
      if (shorter >= now || !this.#try({ ...this.#plan, duration: shorter })) break;
    }
  }

  #faults(): void {
    this.#minimise(this.#plan.faults, (faults) => this.#try({ ...this.#plan, faults }));
  }

  #operations(): void {
    const { operations } = this.#plan;
    if (operations === undefined) return;
    this.#minimise(operations, (part) => this.#try({ ...this.#plan, operations: part }));
  }

  /** What goes first decides where it ends: the first round takes things as they stand, the others draw. */
  #minimise<T>(list: readonly T[], holds: (part: readonly T[]) => boolean): void {
    const order = this.#order?.shuffle(indices(list.length)) ?? indices(list.length);
    minimise(
      order,
      (some) => {
        const left = new Set(some);
        return holds(list.filter((_, index) => left.has(index)));
      },
      () => this.#stopped,
    );
  }

  /** Of the operations, first whole sorts: those about a key, of a caller, at a node. */
  #parts(): void {
    const sorts: readonly ((one: PlannedOperation) => unknown)[] = [
      ({ key }) => key,
      ({ caller }) => caller,
      ({ node }) => node,
      ({ op }) => op,
    ];
    for (const sort of sorts) {
      const { operations = [] } = this.#plan;
      const parts = [...new Set(operations.map(sort))];
      if (parts.length < 2) continue;
      this.#minimise(parts, (some) => {
        const left = operations.filter((one) => some.includes(sort(one)));
        return this.#try({ ...this.#plan, operations: left });
      });
    }
  }

  /** Where it is a count that matters, several have to go together. */
  #counts(): void {
    const { operations = [] } = this.#plan;
    const tries = this.#tries;
    this.#tries = 0;
    minimiseRuns(
      operations,
      (part) => this.#try({ ...this.#plan, operations: part }),
      () => this.#stopped,
    );
    this.#tries = tries;
  }

  #nodes(): void {
    const { min } = nodesOf(this.#scenario.nodes);
    for (let node = this.#plan.nodes - 1; node >= 0; node--) {
      if (this.#plan.nodes <= min) return;
      if (this.#try(withoutNode(this.#plan, node)) || this.#tries === 0) continue;
      // Or another one does and suffers what it did.
      for (const other of indices(this.#plan.nodes))
        if (other !== node && this.#try(withoutNode(instead(this.#plan, node, other), node))) break;
    }
    // A majority of five is three, and one of four is, too: there both have to go.
    if (this.#tries > 0 && this.#plan.nodes - min >= 2) this.#pairs();
  }

  #pairs(): void {
    for (let second = this.#plan.nodes - 1; second > 0; second--)
      for (let first = second - 1; first >= 0; first--)
        if (this.#try(withoutNode(withoutNode(this.#plan, second), first))) return;
  }

  /** Replaces what was drawn by what it did. */
  #name(): void {
    const { faults } = this.#plan;
    const struck = this.#best.recorded.faults;
    if (!faults.some(({ rate }) => rate !== undefined)) return;
    const kept = faults.filter((fault) => fault.rate === undefined && !struck.includes(fault));
    if (!this.#try({ ...this.#plan, faults: [...kept, ...struck].sort((a, b) => a.at - b.at) }))
      for (const kind of allKinds) this.#nameOnly(kind);
    this.#faults();
  }

  /** The same for one kind, where all of them at once do not do. */
  #nameOnly(kind: FaultKind): void {
    const { faults } = this.#plan;
    const drawn = (fault: Fault): boolean => fault.kind === kind && fault.rate !== undefined;
    if (!faults.some(drawn)) return;
    const struck = this.#best.recorded.faults.filter((fault) => fault.kind === kind);
    this.#try({ ...this.#plan, faults: [...faults.filter((fault) => !drawn(fault)), ...struck] });
  }

  /** Makes the weather steady; where that is too calm, perturbs messages, and names which. */
  #calm(): void {
    if (this.#plan.steady !== undefined) return;
    for (const steady of indices(weathers)) if (this.#try({ ...this.#plan, steady })) return;
    const sizes = this.#tries === 0 ? perturbations : strongPerturbations;
    for (const [number, size] of sizes.entries()) {
      const { faults, duration } = this.#plan;
      // The length keys what is drawn: each try is another weather.
      const weather: Fault = {
        kind: "latency tail",
        at: 0,
        for: duration * 10 + number,
        rate: 1,
        size,
      };
      if (!this.#try({ ...this.#plan, steady: 0, faults: [...faults, weather] })) continue;
      this.#name();
      return;
    }
  }

  /** Brings everything nearer together. */
  #hasten(): void {
    for (let tries = 0; tries < 12; tries++)
      if (!this.#try(scaled(this.#plan, 0.5)) && !this.#try(scaled(this.#plan, 0.8))) return;
  }
}

function lastTime({ faults, operations = [] }: Plan): Millis {
  return Math.max(0, ...faults.map(({ at }) => at), ...operations.map(({ at }) => at));
}

/** The same, where another node does and suffers what was that of a node. */
function instead(plan: Plan, node: number, other: number): Plan {
  const put = (list: readonly number[]): number[] => [
    ...new Set(list.map((index) => (index === node ? other : index))),
  ];
  return {
    ...plan,
    faults: plan.faults.map((fault) => ({
      ...fault,
      ...(fault.nodes === undefined ? {} : { nodes: put(fault.nodes) }),
      ...(fault.others === undefined ? {} : { others: put(fault.others) }),
    })),
    ...(plan.operations === undefined
      ? {}
      : {
          operations: plan.operations.map((one) => ({
            ...one,
            node: one.node === node ? other : one.node,
          })),
        }),
  };
}

/** The same without a node; those behind it move up, and its callers call at others. */
function withoutNode(plan: Plan, node: number): Plan {
  const nodes = plan.nodes - 1;
  const move = (index: number): number => (index > node ? index - 1 : index);
  const moved = (list: readonly number[]): number[] =>
    list.filter((index) => index !== node).map(move);
  const faults = plan.faults.flatMap((fault): Fault[] => {
    const left = fault.nodes && moved(fault.nodes);
    const others = fault.others && moved(fault.others);
    if (left?.length === 0 || others?.length === 0) return [];
    return [
      {
        ...fault,
        ...(left === undefined ? {} : { nodes: left }),
        ...(others === undefined ? {} : { others }),
      },
    ];
  });
  const operations = plan.operations?.map((one): PlannedOperation => ({
    ...one,
    node: one.node === node ? 0 : move(one.node),
  }));
  const rest = Object.entries(plan.rest).flatMap(([index, what]) =>
    Number(index) === node ? [] : [[move(Number(index)), what] as const],
  );
  return {
    ...plan,
    nodes,
    faults,
    core: moved(plan.core),
    rest: Object.fromEntries(rest),
    ...(operations === undefined ? {} : { operations }),
  };
}

/** The same with all times multiplied. */
function scaled(plan: Plan, factor: number): Plan {
  const time = (millis: Millis): Millis => Math.floor(millis * factor);
  return {
    ...plan,
    duration: Math.max(1, time(plan.duration)),
    faults: plan.faults.map((fault) => ({
      ...fault,
      at: time(fault.at),
      ...(fault.for === undefined ? {} : { for: time(fault.for) }),
    })),
    ...(plan.operations === undefined
      ? {}
      : { operations: plan.operations.map((one) => ({ ...one, at: time(one.at) })) }),
  };
}
