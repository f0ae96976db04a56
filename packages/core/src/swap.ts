/**
 * Hot swap: replacing a component while it runs.
 *
 * Construct the new one → hold the channels that lead out → drain what only the old one can handle →
 * export → release → import → acquire → **commit**: take the place, deliver what was held, bury the
 * old one. A failure before the commit discards the new one with whatever it triggered and lets the
 * old one go on. From the export to the commit is one step of the scheduler, in which nothing else
 * runs; most of what is queued moves as it is, and only entries of the outside world (closures of the
 * old instance) and events without a counterpart have to be drained.
 *
 * After Arad, Dowling and Haridi 2012; properties SW1 to SW7 are tested in `swap.test.ts`.
 */

import { Match, takePlace, unmovable } from "./carry.ts";
import { type ChannelCore, releaseHolds } from "./channel.ts";
import type { ChildHandle, ComponentClass } from "./child.ts";
import { Component } from "./component.ts";
import type { ComponentCore } from "./component-core.ts";
import { createShadow } from "./construction.ts";
import { Swapped, SwapFailed } from "./control.ts";
import { coreError, KithError } from "./errors.ts";
import { resolve } from "./reference.ts";
import type { Runnable } from "./scheduler.ts";
import { exportTree, importTree, type Snapshot } from "./state.ts";
import { copyPlain } from "./plain.ts";

/** What may be said of a swap. */
export interface SwapOptions {
  /** Allows the state of children that the replacement does not have to be dropped. */
  readonly discard?: boolean;
  /** How many looks at a component that still drains, one per round of the scheduler, before the swap is given up; default 10,000. */
  readonly drainRounds?: number;
}

/** Told the outcome: the promise of outside code. */
export type Outcome = (result: Swapped | SwapFailed) => void;

const defaultDrainRounds = 10_000;

/** One swap, as a procedure that the scheduler runs. */
export class SwapJob implements Runnable {
  readonly path: string;
  readonly #handle: ChildHandle;
  readonly #cls: ComponentClass;
  readonly #init: unknown;
  readonly #options: SwapOptions;
  readonly #outcome: Outcome | null;
  #match: Match | null = null;
  #channels: ChannelCore[] = [];
  #rounds = 0;
  #overflowed = false;

  private constructor(handle: ChildHandle, cls: ComponentClass, init: unknown, options: SwapOptions, outcome: Outcome | null) {
    this.#handle = handle;
    this.#cls = cls;
    this.#init = init;
    this.#options = options;
    this.#outcome = outcome;
    this.path = `${handle.path}(swap)`;
  }

  /** Begins a swap, or queues it behind those of the same child that are under way. */
  static enqueue(handle: ChildHandle, cls: ComponentClass, init: unknown, options: SwapOptions, outcome: Outcome | null): void {
    const job = new SwapJob(handle, cls, copyPlain(init, `The init for the swap of ${handle.path}`, "KITH_INIT_NOT_PLAIN"), options, outcome);
    handle.swaps.push(job);
    if (handle.swaps.length === 1) handle.core.system.scheduler.ready(job);
  }

  run(): boolean {
    const { system } = this.#handle.core;
    system.turnMicros = -1;
    try {
      if (this.#match === null) this.#begin();
      const match = this.#match as unknown as Match;
      this.#check(match);
      if (unmovable(match)) {
        if (++this.#rounds <= (this.#options.drainRounds ?? defaultDrainRounds)) return true;
        throw coreError("KITH_SWAP_DRAIN", `${match.old.path} was still busy after ${this.#rounds - 1} rounds.`);
      }
      const discarded = this.#transfer(match);
      this.#end(this.#commit(match, discarded));
    } catch (cause) {
      this.#rollBack();
      this.#end(new SwapFailed({ name: this.#handle.name, cause }));
    } finally {
      system.current = null;
    }
    return false;
  }

  #begin(): void {
    const old = this.#handle.core;
    if (old.phase === "destroyed") throw coreError("KITH_DESTROYED", `${old.path} was to be swapped.`);
    if (typeof this.#cls !== "function" || !(this.#cls.prototype instanceof Component)) {
      throw coreError("KITH_NOT_CREATED", `The replacement for ${old.path} is no component class of this copy of @kith/core.`);
    }
    const next = createShadow(old, this.#cls, copyPlain(this.#init, "init"));
    this.#match = new Match(old, next);
    this.#checkPorts(old, next);
    this.#channels = this.#match.outer();
    for (const channel of this.#channels) {
      channel.hold();
      channel.onOverflow = () => (this.#overflowed = true);
    }
  }

  /** Every port in use must be there again, of the same type and on the same side. */
  #checkPorts(old: ComponentCore, next: ComponentCore): void {
    const outer = new Set((this.#match as Match).outer());
    for (const port of old.ports) {
      const half = resolve(port);
      if (!half.channels().some((channel) => outer.has(channel)) || half.name.startsWith("(")) continue;
      const same = next.portNamed(port.name);
      const there = same === undefined ? undefined : resolve(same);
      if (there?.type.name !== half.type.name || there.provided !== half.provided) {
        throw coreError("KITH_SWAP_PORT", `${next.className} has no ${half.provided ? "provided" : "required"} port ${port.name} (${half.type.name}), which ${old.path} uses.`);
      }
    }
    this.#carryKernelHalves();
  }

  /** The kernel's own timer halves are made again in the counterparts that have none. */
  #carryKernelHalves(): void {
    for (const [from, to] of (this.#match as Match).pairs) {
      const kernel = from.ports.find((port) => port.name.startsWith("("));
      if (kernel !== undefined && to !== null && to.portNamed(kernel.name) === undefined) to.addTimerHalf();
    }
  }

  #check({ old, pairs }: Match): void {
    if (old.phase === "destroyed") throw coreError("KITH_DESTROYED", `${old.path} was killed while it was being swapped.`);
    for (const core of pairs.keys()) {
      if (core.faulted) throw coreError("KITH_SWAP_FAULTED", `${core.path} has a fault that is not resolved.`);
    }
    if (this.#overflowed) throw coreError("KITH_HOLD_OVERFLOW", `The channels held for the swap of ${old.path} are full.`);
    this.#carryKernelHalves();
  }

  /** Moves the state and what lies outside; everything up to here can be undone. */
  #transfer(match: Match): readonly string[] {
    const { system } = match.old;
    const snapshot: Snapshot = exportTree(match.old);
    const discarded: string[] = [];
    for (const core of match.pairs.keys()) system.releaseOf(core);
    system.within(match.next, () => importTree(match.next, snapshot, discarded));
    const asking = [...match.pairs].filter(([from, to]) => to === null && from.hasPending && from.pending.asksWaiting > 0);
    for (const [from] of asking) if (!discarded.includes(from.path)) discarded.push(from.path);
    if (discarded.length > 0 && this.#options.discard !== true) {
      throw coreError("KITH_SWAP_CHILD_LOST", `The replacement of ${match.old.path} has nobody who takes over from ${discarded.join(", ")}.`);
    }
    for (const [from, to] of match.pairs) {
      if (to === null) continue;
      if (from.phase !== "created" && from.phase !== "stopped") {
        system.checkOffers(to, match);
        system.acquireOf(to);
      }
    }
    return discarded;
  }

  #commit(match: Match, discarded: readonly string[]): Swapped {
    const { system } = match.old;
    const held = this.#channels.reduce((sum, channel) => sum + (channel.kept?.length ?? 0), 0);
    for (const [from, to] of match.pairs) {
      if (to === null && from.hasPending) system.within(from, () => from.pending.cancelAll());
    }
    const carried = takePlace(match, true);
    for (const [from, to] of match.pairs) {
      if (to === null) continue;
      to.phase = from.phase;
      to.childrenStarted = from.childrenStarted;
      to.suspended = from.suspended;
    }
    const all = [...match.pairs.values()].filter((core) => core !== null).concat(match.fresh);
    for (const core of match.pairs.keys()) system.buryQuietly(core);
    for (const channel of this.#channels) channel.onOverflow = null;
    for (const core of all) system.unveil(core);
    releaseHolds(this.#channels);
    for (const [, to] of match.pairs) if (to !== null && to.phase !== "created" && to.phase !== "stopped") system.resolveOffers(to);
    for (const core of all) system.runDeferred(core);
    for (const core of match.fresh) {
      if (core.parent?.childrenStarted === true && core.handle !== null) system.startFresh(core.parent, core.handle);
    }
    for (const core of all) core.refreshRuns();
    this.#handle.cls = this.#cls;
    this.#handle.init = this.#init;
    system.note("swapped", match.next, undefined, match.next.className);
    return new Swapped({ name: this.#handle.name, carried, held, discarded });
  }

  #rollBack(): void {
    const match = this.#match;
    if (match === null) return;
    const { system } = match.old;
    system.discard(match.next);
    for (const core of match.pairs.keys()) {
      if (core.phase !== "starting" && core.phase !== "started") continue;
      try {
        system.acquireOf(core);
      } catch (cause) {
        core.failLater(cause instanceof KithError ? cause : coreError("KITH_BAD_ARGUMENT", `${core.path} could not acquire again what it had released for a swap.`, cause), undefined);
      }
    }
    for (const channel of this.#channels) channel.onOverflow = null;
    releaseHolds(this.#channels);
    system.note("swap-failed", match.old);
  }

  #end(result: Swapped | SwapFailed): void {
    const handle = this.#handle;
    handle.core.parent?.tell(result);
    this.#outcome?.(result);
    handle.swaps.shift();
    const next = handle.swaps[0];
    if (next !== undefined) handle.core.system.scheduler.ready(next);
  }
}
