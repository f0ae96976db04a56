/**
 * Hot swap: replacing a component while it runs.
 *
 * Construct the new one → hold the channels that lead out → drain what only the old one can handle →
 * export → release → import → acquire → **commit**: take the place, deliver what was held, bury the
 * old one. A failure before the commit discards the new one with whatever it triggered and lets the
 * old one go on. From the export to the commit is one step of the scheduler, in which nothing else
 * runs; most of what is queued moves as it is, and only entries of the outside world (closures of the
 * old instance), life-cycle operations and events without a counterpart have to be drained. While that
 * goes on the old tree may change, so every look matches the two trees anew.
 *
 * After Arad, Dowling and Haridi 2012; properties SW1 to SW7 are tested in `swap.test.ts`.
 */

import { Match, stranded, takePlace, unmovable } from "./carry.ts";
import { type ChannelCore, releaseHolds, type SwapHold } from "./channel.ts";
import type { ChildHandle, ComponentClass } from "./child.ts";
import type { ComponentCore } from "./component-core.ts";
import { createShadow } from "./construction.ts";
import { Swapped, SwapFailed } from "./control.ts";
import { coreError, KithError } from "./errors.ts";
import type { PortHalf } from "./half.ts";
import { ChildPortRef, ExposedRef, resolve } from "./reference.ts";
import type { Runnable } from "./scheduler.ts";
import { exportTree, importTree, type Snapshot } from "./state.ts";
import { copyPlain } from "./plain.ts";
import { resolveByOffer, settleOffers } from "./offer.ts";

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
export class SwapJob implements Runnable, SwapHold {
  readonly path: string;
  slot: unknown = null;
  readonly #handle: ChildHandle;
  readonly #cls: ComponentClass;
  readonly #init: unknown;
  readonly #options: SwapOptions;
  readonly #outcome: Outcome | null;
  #old: ComponentCore | null = null;
  #next: ComponentCore | null = null;
  readonly #channels = new Set<ChannelCore>();
  /** Ports of the replacement that offers outside resolve. */
  #unresolved: readonly PortHalf[] = [];
  #rounds = 0;
  #overflowed = false;

  private constructor(
    handle: ChildHandle,
    cls: ComponentClass,
    init: unknown,
    options: SwapOptions,
    outcome: Outcome | null,
  ) {
    this.#handle = handle;
    this.#cls = cls;
    this.#init = init;
    this.#options = options;
    this.#outcome = outcome;
    this.path = `${handle.path}(swap)`;
  }

  /** Begins a swap, or queues it behind those of the same child that are under way. */
  static enqueue(
    handle: ChildHandle,
    cls: ComponentClass,
    init: unknown,
    options: SwapOptions,
    outcome: Outcome | null,
  ): void {
    const what = `The init for the swap of ${handle.path}`;
    const pristine = copyPlain(init, what, "KITH_INIT_NOT_PLAIN");
    handle.swaps = handle.swaps.concat(new SwapJob(handle, cls, pristine, options, outcome));
    const [first] = handle.swaps;
    if (first !== undefined && handle.swaps.length === 1) handle.core.system.scheduler.ready(first);
  }

  run(): boolean {
    const { system } = this.#handle.core;
    system.turnMicros = -1;
    let result: Swapped | SwapFailed;
    try {
      const next = this.#next ?? this.#begin();
      const old = this.#old as ComponentCore;
      this.#check(old);
      const match = new Match(old, next);
      this.#checkPorts(match);
      this.#hold(match);
      if (unmovable(match)) {
        if (++this.#rounds <= (this.#options.drainRounds ?? defaultDrainRounds)) return true;
        const what = `${old.path} was still busy after ${this.#rounds - 1} rounds.`;
        throw coreError("KITH_SWAP_DRAIN", what);
      }
      const discarded = this.#transfer(match);
      result = this.#commit(new Match(old, next), discarded);
    } catch (cause) {
      this.#rollBack();
      result = new SwapFailed({ name: this.#handle.name, cause });
    } finally {
      system.current = null;
    }
    this.#end(result);
    return false;
  }

  /** A channel that this swap holds is full: the next look gives up. */
  overflowed(): void {
    this.#overflowed = true;
  }

  #begin(): ComponentCore {
    const old = (this.#old = this.#handle.core);
    if (old.phase === "destroyed") {
      throw coreError("KITH_DESTROYED", `${old.path} was to be swapped.`);
    }
    if (!old.system.isComponentClass(this.#cls)) {
      const what = `The replacement for ${old.path} is no component class of this copy of @kith/core.`;
      throw coreError("KITH_NOT_CREATED", what);
    }
    return (this.#next = createShadow(old, this.#cls, copyPlain(this.#init, "init"), false));
  }

  #check(old: ComponentCore): void {
    if (this.#handle.core !== old) {
      const what = `${old.path} failed and was restarted while it was being swapped.`;
      throw coreError("KITH_SWAP_FAULTED", what);
    }
    if (old.phase === "destroyed") {
      throw coreError("KITH_DESTROYED", `${old.path} was killed while it was being swapped.`);
    }
    const faulted = below(old).find((core) => core.faulted);
    if (faulted !== undefined) {
      throw coreError("KITH_SWAP_FAULTED", `${faulted.path} has a fault that is not resolved.`);
    }
    if (this.#overflowed) {
      const what = `The channels held for the swap of ${old.path} are full.`;
      throw coreError("KITH_HOLD_OVERFLOW", what);
    }
  }

  /** Every port in use must be there again, of the same type and on the same side. */
  #checkPorts(match: Match): void {
    const { old, next } = match;
    const outer = new Set(match.outer());
    const named = namesInUse(old);
    for (const port of old.ports) {
      const half = resolve(port);
      const used = named.has(port.name) || half.channels().some((channel) => outer.has(channel));
      if (!used || isKernels(half)) continue;
      const same = next.portNamed(port.name);
      const there = same === undefined ? undefined : resolve(same);
      if (there?.type.name === half.type.name && there.provided === half.provided) continue;
      const side = half.provided ? "provided" : "required";
      const what = `${next.className} has no ${side} port ${port.name} (${half.type.name}), which ${old.path} uses.`;
      throw coreError("KITH_SWAP_PORT", what);
    }
    // The kernel's own timer halves are made again in the counterparts that have none.
    for (const [from, to] of match.pairs) {
      const kernels = from.halves().find(isKernels);
      if (kernels !== undefined && to?.portNamed(kernels.name) === undefined) to?.addTimerHalf();
    }
  }

  #hold(match: Match): void {
    for (const channel of match.outer()) {
      this.#channels.add(channel);
      channel.holdFor(this);
    }
  }

  /** Moves the state and what lies outside; everything up to here can be undone. */
  #transfer({ old, next }: Match): readonly string[] {
    const { system } = old;
    const snapshot: Snapshot = exportTree(old);
    const discarded: string[] = [];
    for (const core of below(old)) system.releaseOf(core);
    importTree(next, snapshot, discarded);
    // A replacement may have made children again that its predecessor made while it ran.
    const match = new Match(old, next);
    this.#checkPorts(match);
    for (const [from, to] of match.pairs) {
      const waits = to === null && from.hasPending && from.pending.rows.size > 0;
      if (waits && !discarded.includes(from.path)) discarded.push(from.path);
    }
    if (discarded.length > 0 && this.#options.discard !== true) {
      const what = `The replacement of ${old.path} has nobody who takes over from ${discarded.join(", ")}.`;
      throw coreError("KITH_SWAP_CHILD_LOST", what);
    }
    const running = [...match.pairs].filter(([from, to]) => to !== null && isUp(from));
    this.#unresolved = running.flatMap(([, to]) => settleOffers(to as ComponentCore, match));
    // New ones connect when they start.
    if (isUp(old)) for (const core of match.fresh) settleOffers(core, match);
    const lost = stranded(new Match(old, next));
    if (lost !== undefined) throw coreError("KITH_SWAP_PORT", `${lost}.`);
    for (const [, to] of running) system.acquireOf(to as ComponentCore);
    return discarded;
  }

  #commit(match: Match, discarded: readonly string[]): Swapped {
    const { old, next } = match;
    const { system } = old;
    const channels = [...this.#channels];
    const held = channels.reduce((sum, channel) => sum + (channel.kept?.length ?? 0), 0);
    for (const [from, to] of match.pairs) {
      if (to === null && from.hasPending) system.within(from, () => from.pending.cancelAll());
    }
    const { moved, orphans } = takePlace(match, true);
    for (const [from, to] of match.pairs) {
      if (to === null) continue;
      to.phase = from.phase;
      to.childrenStarted = from.childrenStarted;
      to.suspended = from.suspended;
    }
    // Parents come before their children.
    for (const core of match.fresh) core.suspended = core.parent?.suspended ?? 0;
    const all = match.cores();
    for (const core of match.pairs.keys()) system.buryQuietly(core);
    for (const core of all) system.unveil(core);
    releaseHolds(channels, this);
    for (const channel of orphans) channel.disconnect();
    for (const half of this.#unresolved) resolveByOffer(half);
    for (const core of all) system.runDeferred(core);
    for (const core of match.fresh) {
      if (core.parent?.childrenStarted === true && core.handle !== null) {
        system.startFresh(core.parent, core.handle);
      }
    }
    for (const core of all) core.refreshRuns();
    this.#handle.cls = this.#cls;
    this.#handle.init = this.#init;
    system.note("swapped", next, undefined, next.className);
    return new Swapped({ name: this.#handle.name, carried: moved, held, discarded });
  }

  #rollBack(): void {
    const old = this.#old;
    const next = this.#next;
    if (old === null || next === null) return;
    const { system } = old;
    system.discard(next);
    for (const core of below(old)) {
      if (!isUp(core)) continue;
      try {
        system.acquireOf(core);
      } catch (cause) {
        const what = `${core.path} could not acquire again what it had released for a swap.`;
        const error = coreError("KITH_BAD_ARGUMENT", what, cause);
        core.failLater(cause instanceof KithError ? cause : error, undefined);
      }
    }
    releaseHolds([...this.#channels], this);
    system.note("swap-failed", old);
  }

  #end(result: Swapped | SwapFailed): void {
    const handle = this.#handle;
    handle.core.parent?.tell(result);
    handle.swaps = handle.swaps.slice(1);
    const next = handle.swaps[0];
    if (next !== undefined) handle.core.system.scheduler.ready(next);
    if (this.#outcome !== null) handle.core.system.tellOutside(this.#outcome, result);
  }
}

/** A component and all below it, parents first. */
function below(core: ComponentCore): ComponentCore[] {
  return [core, ...core.childHandles().flatMap((handle) => below(handle.core))];
}

function isUp(core: ComponentCore): boolean {
  return core.phase === "starting" || core.phase === "started";
}

/** Whether the kernel made a half for a component that has no Timer port. */
function isKernels(half: PortHalf): boolean {
  return half.name.startsWith("(");
}

/** The names of ports that the parent exposes or offers: they must exist though no channel uses them. */
function namesInUse(old: ComponentCore): Set<string> {
  const references = [
    ...(old.parent?.ports ?? []).map((port) => (port instanceof ExposedRef ? port.target : null)),
    ...(old.parent?.offers ?? []).map((offer) => offer.reference),
  ];
  const names = references.map((ref) =>
    ref instanceof ChildPortRef && ref.child === old.handle ? ref.name : "",
  );
  return new Set(names);
}
