/**
 * The processes of a scenario: each calls an operation, waits for the outcome, waits a while, and calls
 * the next one. What they do is written into the history.
 *
 * Invariants: a process has one open call at most; after an outcome that is `info` it calls no more, and
 * another process, with a number of its own, goes on in its place; a call at a node that is down is
 * `fail`, and one whose node crashes is `info`.
 */

import type { Draw, Millis } from "@kith/core";
import { exponential } from "./distribution.ts";
import type { HistoryEvent } from "./history.ts";
import { drawsFor, indices, type Plan, type PlannedOperation } from "./plan.ts";
import type { Operation, OutcomeType, Performed } from "./port.ts";
import type { OperationTurn, ProcessPlan, Scenario } from "./scenario.ts";
import type { Stage } from "./stage.ts";
import type { View } from "./view.ts";

/** An open call. */
interface Call {
  readonly id: number;
  readonly node: number;
  readonly operation: Operation;
  readonly caller: Caller;
}

/** What has become of the operations. */
export interface OperationCounts {
  invoked: number;
  ok: number;
  fail: number;
  info: number;
  /** How many of those that were ok have closed the run: called one by one, at a healed core. */
  closing: number;
}

/** What the callers are told and tell. */
export interface CallersOptions {
  readonly scenario: Scenario;
  readonly plan: Plan;
  readonly stage: Stage;
  readonly view: View;
  /** Whether a fault of that kind is on; counts where it changes what a caller does. */
  readonly load: (kind: "hot key" | "burst") => boolean;
  /** Takes a line of the history. */
  readonly line: (event: HistoryEvent) => void;
}

const waitByDefault = exponential(100);
const timeoutByDefault = 2000;
/** How long a process waits in a burst, and at least always. */
const burstMillis = 1;
const leastMillis = 0.1;
/** Unique values of one caller begin this far from those of the next. */
const perCaller = 1_000_000;

/** Somebody who calls, as a succession of processes. */
class Caller {
  readonly index: number;
  readonly plan: ProcessPlan | null;
  readonly draw: Draw;
  process: number;
  calls = 0;
  uniques = 0;
  last: unknown = undefined;
  open: Call | null = null;
  ended = false;

  constructor(index: number, plan: ProcessPlan | null, draw: Draw) {
    this.index = index;
    this.process = index;
    this.plan = plan;
    this.draw = draw;
  }
}

/** All processes of a run. */
export class Callers {
  readonly counts: OperationCounts = { invoked: 0, ok: 0, fail: 0, info: 0, closing: 0 };
  /** The operations that were called, as a plan would write them down. */
  readonly called: PlannedOperation[] = [];
  readonly #options: CallersOptions;
  readonly #callers: Caller[] = [];
  readonly #open = new Map<number, Call>();
  #ids = 0;
  #stopped = false;

  constructor(options: CallersOptions) {
    this.#options = options;
  }

  /** How many calls are open. */
  get open(): number {
    return this.#open.size;
  }

  /** Lets them begin. */
  begin(): void {
    const { plan, scenario } = this.#options;
    if (plan.operations !== undefined) this.#script(plan.operations);
    else for (const process of scenario.processes) this.#hire(process);
    for (const process of scenario.processes) this.#start(process);
  }

  /** Nobody calls any more; open calls go on. */
  stop(): void {
    this.#stopped = true;
  }

  /** The outcome of a call has come. One that is too late is nobody's. */
  performed({ id, type, value, error }: Performed): void {
    const call = this.#open.get(id);
    if (call !== undefined) this.#end(call, type, value, error);
  }

  /** A life has ended: nobody knows what became of the calls there. */
  ended(node: number): void {
    for (const call of this.#open.values())
      if (call.node === node) this.#end(call, "info", undefined, "the node has ended");
  }

  /**
   * Calls operations one by one at the given nodes, each until it is done.
   *
   * @param done told when all are
   */
  close(operations: readonly Operation[], nodes: readonly number[], done: () => void): void {
    const { scenario, stage } = this.#options;
    const caller = new Caller(this.#callers.length, null, drawsFor(0));
    this.#callers.push(caller);
    let next = 0;
    let attempt = 0;
    const proceed = (type: OutcomeType | null): void => {
      if (type === "ok") {
        next++;
        this.counts.closing++;
      }
      const operation = operations[next];
      if (operation === undefined) {
        done();
        return;
      }
      const node = nodes[(next + attempt) % nodes.length] ?? 0;
      const wait = type === null || type === "ok" ? 0 : 200;
      stage.at(stage.time + wait, "closing", attempt++, () => {
        this.#call(caller, operation, node, usualTimeout(scenario), proceed, true);
      });
    };
    proceed(null);
  }

  // --- processes that draw ---------------------------------------------------------------------

  #hire(process: ProcessPlan): void {
    const { plan } = this.#options;
    const { count = 1 } = process;
    const draw = drawsFor(plan.seed, "count", process.name);
    const many = typeof count === "number" ? count : Math.max(0, Math.round(count.draw(draw)));
    for (const number of indices(many)) {
      const draws = drawsFor(plan.seed, "process", process.name, number);
      this.#callers.push(new Caller(this.#callers.length, process, draws));
    }
  }

  #start(process: ProcessPlan): void {
    const { start = { at: 0 } } = process;
    if ("after" in start) return;
    const { stage } = this.#options;
    for (const caller of this.#of(process.name)) {
      if ("together" in start) {
        stage.at(start.together, "first call", caller.index, () => this.#turn(caller));
      } else {
        const wait = (process.wait ?? waitByDefault).draw(caller.draw);
        stage.at(start.at + wait, "first call", caller.index, () => this.#turn(caller));
      }
    }
  }

  #of(name: string): Caller[] {
    return this.#callers.filter(({ plan }) => plan?.name === name);
  }

  #turn(caller: Caller): void {
    const { plan } = caller;
    if (plan === null || caller.ended || this.#stopped) return;
    const turn = this.#turnOf(caller);
    const operation = this.#through(caller, plan) ? null : plan.next(turn);
    if (operation === null) {
      this.#retire(caller, plan);
      return;
    }
    const node = this.#nodeFor(caller, plan, turn);
    this.#call(caller, operation, node, plan.timeout ?? timeoutByDefault, () =>
      this.#next(caller, plan),
    );
  }

  #through({ calls }: Caller, { until = {} }: ProcessPlan): boolean {
    const { stage, view } = this.#options;
    return (
      calls >= (until.operations ?? Infinity) ||
      stage.time >= (until.time ?? Infinity) ||
      (until.when?.(view) ?? false)
    );
  }

  #turnOf(caller: Caller): OperationTurn {
    const { scenario, plan, load } = this.#options;
    const { keys = [] } = scenario;
    return {
      draw: caller.draw,
      key: () => {
        const drawn = caller.draw.below(Math.max(1, keys.length));
        return keys[keys.length > 1 && load("hot key") ? 0 : drawn] ?? "";
      },
      unique: () => caller.index * perCaller + ++caller.uniques,
      process: caller.process,
      number: caller.calls,
      last: caller.last,
      nodes: plan.nodes,
    };
  }

  #nodeFor(caller: Caller, { at = "any" }: ProcessPlan, turn: OperationTurn): number {
    const { nodes } = this.#options.plan;
    if (at === "any") return caller.draw.below(nodes);
    return (at === "own" ? caller.index : at(turn)) % nodes;
  }

  #next(caller: Caller, plan: ProcessPlan): void {
    const { stage, load } = this.#options;
    const drawn = (plan.wait ?? waitByDefault).draw(caller.draw);
    // Never none: a call that fails at once would be made again at the same instant for ever.
    const wait: Millis = Math.max(load("burst") ? burstMillis : drawn, leastMillis);
    stage.at(stage.time + wait, `call of ${caller.index}`, caller.calls, () => this.#turn(caller));
  }

  #retire(caller: Caller, { name }: ProcessPlan): void {
    const { scenario, stage } = this.#options;
    caller.ended = true;
    if (this.#of(name).some(({ ended }) => !ended)) return;
    for (const process of scenario.processes) {
      const { start } = process;
      if (start === undefined || !("after" in start) || start.after !== name) continue;
      for (const follower of this.#of(process.name))
        stage.at(stage.time, "first call", follower.index, () => this.#turn(follower));
    }
  }

  // --- operations that are written down ----------------------------------------------------------

  #script(operations: readonly PlannedOperation[]): void {
    const { stage, scenario } = this.#options;
    const count = operations.reduce((most, { caller }) => Math.max(most, caller + 1), 0);
    for (const index of indices(count)) {
      const caller = new Caller(index, null, drawsFor(0));
      this.#callers.push(caller);
      const own = operations.filter((one) => one.caller === index);
      const usual = usualTimeout(scenario);
      let next = 0;
      const proceed = (): void => {
        const one = own[next++];
        if (one === undefined || this.#stopped) return;
        const { op, key, value, node, timeout = usual } = one;
        stage.at(Math.max(stage.time, one.at), `call of ${index}`, next, () => {
          if (!this.#stopped) this.#call(caller, { op, key, value }, node, timeout, proceed);
        });
      };
      proceed();
    }
  }

  // --- calls ---------------------------------------------------------------------------------------

  #call(
    caller: Caller,
    operation: Operation,
    node: number,
    timeout: Millis,
    then: (type: OutcomeType) => void,
    closing = false,
  ): void {
    const { stage, scenario } = this.#options;
    const id = ++this.#ids;
    const call: Call = { id, node, operation, caller };
    caller.calls++;
    caller.open = call;
    this.#open.set(id, call);
    this.#thens.set(id, then);
    this.counts.invoked++;
    const { index } = caller;
    // What closes a run is not part of its plan.
    if (!closing) {
      const other = timeout === usualTimeout(scenario) ? {} : { timeout };
      this.called.push({ caller: index, at: stage.time, node, ...plain(operation), ...other });
    }
    this.#write(call, "invoke", operation.value);
    if (!stage.lives(node)) {
      this.#end(call, "fail", undefined, "the node is down");
      return;
    }
    stage.at(stage.time + timeout, `timeout of ${index}`, caller.calls, () => {
      if (this.#open.has(id)) this.#end(call, "info", undefined, "timeout");
    });
    stage.perform(node, { id, process: caller.process, ...plain(operation) });
  }

  readonly #thens = new Map<number, (type: OutcomeType) => void>();

  #end(call: Call, type: OutcomeType, value: unknown, error: string | undefined): void {
    const { id, caller, operation } = call;
    const then = this.#thens.get(id);
    this.#open.delete(id);
    this.#thens.delete(id);
    caller.open = null;
    this.counts[type]++;
    this.#write(call, type, value === undefined ? operation.value : value, error);
    if (type === "ok") caller.last = value;
    // Its process might still be in the midst of the operation: it never calls again.
    if (type === "info") caller.process += this.#processes();
    then?.(type);
  }

  /** So many processes have a number from the beginning; one more closes. */
  #processes(): number {
    return this.#hired ?? (this.#hired = this.#callers.length + 1);
  }

  #hired: number | null = null;

  #write(call: Call, type: HistoryEvent["type"], value: unknown, error?: string): void {
    const { caller, operation } = call;
    const { op, key } = operation;
    this.#options.line({
      process: caller.process,
      type,
      op,
      ...(key === undefined ? {} : { key }),
      ...(value === undefined ? {} : { value }),
      time: Math.round(this.#options.stage.time * 1000) * 1000,
      ...(error === undefined ? {} : { error }),
    });
  }
}

function plain({ op, key, value }: Operation): Operation {
  return {
    op,
    ...(key === undefined ? {} : { key }),
    ...(value === undefined ? {} : { value }),
  };
}

/** Of what closes a run, and of what is written down without a timeout of its own. */
function usualTimeout({ processes }: Scenario): Millis {
  return processes[0]?.timeout ?? timeoutByDefault;
}
