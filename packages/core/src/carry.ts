/**
 * Carrying over: how a replacement takes a component's place, in a swap or in a restart.
 *
 * The two trees are matched by the names of children, their ports by name. Channels from outside are
 * put on the replacement's halves, mailboxes and the kernel's other tables move to the counterparts,
 * and channels within the old tree are succeeded by those of the new one that join the same ports: a
 * swap hands over their holds, their wiring and what they keep, so that an answer on its way finds
 * the asker.
 *
 * Invariant: an entry, row or channel of the old tree either has a counterpart or becomes a dead
 * letter; a swap makes sure beforehand that all have one (`unmovable`, `stranded`).
 */

import { type ChannelCore, deliver } from "./channel.ts";
import type { ChildHandle } from "./child.ts";
import type { ComponentCore } from "./component-core.ts";
import { createShadow } from "./construction.ts";
import type { Event } from "./event.ts";
import { Few } from "./few.ts";
import { PortHalf } from "./half.ts";
import type { Target } from "./mailbox.ts";
import { PendingTable } from "./pending.ts";
import { copyPlain } from "./plain.ts";
import { ExposedRef, leadsThrough, resolve } from "./reference.ts";

/** The old and the new tree, matched. */
export class Match {
  readonly old: ComponentCore;
  readonly next: ComponentCore;
  /** Every core of the old tree, with its counterpart where there is one. */
  readonly pairs = new Map<ComponentCore, ComponentCore | null>();
  /** Every core of the new tree that has no predecessor. */
  readonly fresh: ComponentCore[] = [];
  /** Halves whose events come in by a port that the old component exposed, where another now stands. */
  #lastOld: Target | null = null;
  #lastNext: Target | undefined;
  readonly #aliases = new Map<PortHalf, PortHalf>();
  #successors: ReadonlyMap<ChannelCore, ChannelCore> | null = null;

  constructor(old: ComponentCore, next: ComponentCore) {
    this.old = old;
    this.next = next;
    this.#pair(old, next);
  }

  #pair(old: ComponentCore, next: ComponentCore | null): void {
    this.pairs.set(old, next);
    for (const port of old.ports) {
      const counterpart = next?.portNamed(port.name);
      if (!(port instanceof ExposedRef) || counterpart === undefined) continue;
      const half = resolve(port);
      if (half.channels().some((channel) => this.#entersAt(port, half, channel))) {
        this.#aliases.set(half, resolve(counterpart));
      }
    }
    for (const handle of old.childHandles())
      this.#pair(handle.core, next?.children?.get(handle.name)?.core ?? null);
    for (const handle of next?.childHandles() ?? []) {
      if (old.children?.has(handle.name) !== true) this.#addFresh(handle.core);
    }
  }

  /** Whether a channel from outside was connected to the exposed port, not to the half behind it. */
  #entersAt(port: ExposedRef, half: PortHalf, channel: ChannelCore): boolean {
    const reference = half.provided ? channel.providerRef : channel.userRef;
    if (reference === half || reference === null) return false;
    return leadsThrough(reference, port.core);
  }

  #addFresh(core: ComponentCore): void {
    this.fresh.push(core);
    for (const handle of core.childHandles()) this.#addFresh(handle.core);
  }

  /** The half that takes the place of a half of the old tree. */
  half(old: PortHalf): PortHalf | undefined {
    const alias = this.#aliases.get(old);
    if (alias !== undefined) return alias;
    const same = this.pairs.get(old.core)?.portNamed(old.name);
    return same === undefined ? undefined : resolve(same);
  }

  /** Who executes an entry of the old tree in the new one. */
  target(old: Target, core: ComponentCore): Target | undefined {
    // Thousands of entries may wait for one target.
    if (old === this.#lastOld) return this.#lastNext;
    const half = old instanceof PortHalf ? this.half(old) : undefined;
    this.#lastNext = old instanceof PendingTable ? this.pairs.get(core)?.pending : half;
    this.#lastOld = old;
    return this.#lastNext;
  }

  /** Whether a core belongs to the old tree. */
  has(core: ComponentCore): boolean {
    return this.pairs.has(core);
  }

  /** The channels that lead out of the old tree: connected, or offered, by a component outside of it. */
  outer(): ChannelCore[] {
    const found = new Set<ChannelCore>();
    for (const core of this.pairs.keys()) {
      for (const half of core.halves()) {
        for (const channel of half.channels()) if (!this.has(channel.owner)) found.add(channel);
      }
    }
    return [...found];
  }

  /** The cores of the new tree. */
  cores(): ComponentCore[] {
    const counterparts = [...this.pairs.values()].filter((core) => core !== null);
    return [...counterparts, ...this.fresh];
  }

  /** Halves of the new tree that get their channels from the old one, from outside or by a successor. */
  inherited(): Set<PortHalf> {
    const found = new Set<PortHalf>();
    for (const core of this.pairs.keys()) {
      for (const half of core.halves()) {
        const next = this.half(half);
        const inside = half.channels().some((channel) => this.has(channel.owner));
        const outside = half.channels().some((channel) => !this.has(channel.owner));
        if (next !== undefined && (outside || !inside)) found.add(next);
      }
    }
    return found;
  }

  /** The channels within the old tree, with those that join the same ports in the new one. */
  successors(): ReadonlyMap<ChannelCore, ChannelCore> {
    if (this.#successors !== null) return this.#successors;
    const byJoint = new Map<string, ChannelCore>();
    for (const core of this.cores()) {
      for (const channel of core.channels ?? []) byJoint.set(channel.joint(), channel);
    }
    const found = new Map<ChannelCore, ChannelCore>();
    for (const core of this.pairs.keys()) {
      for (const channel of core.channels ?? []) {
        const successor = byJoint.get(channel.joint());
        if (successor !== undefined) found.set(channel, successor);
      }
    }
    return (this.#successors = found);
  }
}

/** What came of taking a place. */
export interface Taken {
  /** How many queued events moved. */
  readonly moved: number;
  /** Channels whose end in the old tree has no counterpart: to be cut once they have delivered. */
  readonly orphans: readonly ChannelCore[];
}

/** Puts the replacement into the place of the old component; a swap carries more than a restart. */
export function takePlace(match: Match, swap: boolean): Taken {
  const { old, next } = match;
  const handle = old.handle as ChildHandle;
  const outer = match.outer();
  const orphans: ChannelCore[] = [];
  for (const channel of outer) {
    const { providerRef, userRef } = channel;
    channel.providerRef = movedEnd(match, providerRef);
    channel.userRef = movedEnd(match, userRef);
    // An end that was free before stays so: whoever unplugged it will plug another one.
    const lost = (channel.providerRef ?? providerRef) !== channel.providerRef;
    if (lost || (channel.userRef ?? userRef) !== channel.userRef) orphans.push(channel);
  }
  const successors = match.successors();
  for (const [from, to] of match.pairs) if (to !== null) moveTables(match, from, to, swap);
  handle.core = next;
  for (const channel of outer) channel.attach();
  let moved = 0;
  for (const from of match.pairs.keys()) moved += moveMailbox(match, from);
  for (const [channel, successor] of successors) succeed(match, channel, successor, swap);
  return { moved, orphans };
}

/** Where an end of an outer channel leads afterwards; references through handles find their way alone. */
function movedEnd(match: Match, reference: ChannelCore["providerRef"]): ChannelCore["providerRef"] {
  return reference instanceof PortHalf && match.has(reference.core)
    ? (match.half(reference) ?? null)
    : reference;
}

function moveTables(match: Match, from: ComponentCore, to: ComponentCore, swap: boolean): void {
  const { system } = from;
  [from.id, to.id] = [to.id, from.id];
  system.register(from);
  system.register(to);
  to.slot = from.slot;
  to.bound = from.bound;
  to.alarm = from.alarm;
  to.pressed = from.pressed;
  to.continueDraws(from.drawCounts);
  // Handles inside the tree are new ones; what they remember of a child's failures is not.
  if (from.handle !== null && to.handle !== null) to.handle.restarts = from.handle.restarts;
  for (const given of from.settings?.values() ?? []) {
    if (given.updated === true) (to.settings ??= new Few()).set(given.name, given);
  }
  if (!from.hasPending) return;
  const table = to.pending;
  table.lastNumber = from.pending.lastNumber;
  if (!swap) return;
  for (const row of from.pending.rows.values()) {
    row.half = match.half(row.half) ?? row.half;
    row.channel = match.successors().get(row.channel) ?? row.channel;
    table.rows.set(row.number, row);
  }
  for (const [id, number] of from.pending.ids) table.ids.set(id, number);
  from.pending.rows.clear();
}

function moveMailbox(match: Match, from: ComponentCore): number {
  let moved = 0;
  const { mailbox, system } = from;
  const next = match.pairs.get(from) ?? null;
  const waiting = mailbox.size;
  const own = (target: Target): Target | undefined => {
    const to = match.target(target, from);
    return to instanceof PortHalf && to.core !== next ? undefined : to;
  };
  if (next?.mailbox.takeAll(mailbox, own) === true) return waiting;
  mailbox.visit((target, event, meta) => {
    const to = match.target(target, from);
    const core =
      to instanceof PortHalf ? to.core : to === undefined ? undefined : match.pairs.get(from);
    if (to === undefined || core === undefined || core === null) {
      system.deadLetter(
        "killed",
        from,
        target instanceof PortHalf ? target.name : "",
        event as Event,
      );
    } else {
      core.mailbox.add(to, event, meta);
      moved++;
    }
  });
  mailbox.reset();
  return moved;
}

/**
 * Hands over what a channel within the old tree holds. In a swap its successor is also held and wired
 * as it was; a restart begins with the channels as the constructor made them.
 */
function succeed(match: Match, channel: ChannelCore, successor: ChannelCore, swap: boolean): void {
  const kept = (channel.kept ?? []).map((one) => ({ ...one, channel: successor }));
  channel.kept = null;
  if (swap && !successor.cut) {
    if (channel.origin !== null) {
      successor.origin = channel.origin;
      successor.providerRef = innerEnd(match, channel.provider);
      successor.userRef = innerEnd(match, channel.user);
      successor.attach();
    }
    successor.holds = channel.holds;
    successor.refresh();
  }
  if (successor.holds > 0) successor.kept = kept.length === 0 ? null : kept;
  else deliver(kept);
}

function innerEnd(match: Match, half: PortHalf | null): PortHalf | null {
  return half === null ? null : (match.half(half) ?? null);
}

/** Whether something in the old tree still has no place to go to in the new one. */
export function unmovable(match: Match): boolean {
  const successors = match.successors();
  for (const core of match.pairs.keys()) {
    if (core.entries !== null || core.urgent !== null) return true;
    if (core.phase === "stopping" || core.phase === "starting") return true;
    // A swap further in ends first: whoever asked for it is told, and its holds are its own.
    if (core !== match.old && (core.handle?.swaps.length ?? 0) > 0) return true;
    for (const channel of core.channels ?? []) {
      if (channel.kept !== null && !successors.has(channel)) return true;
    }
    let stuck = false;
    core.mailbox.visit((target) => {
      stuck ||= match.target(target, core) === undefined;
      return undefined;
    });
    if (stuck) return true;
  }
  return false;
}

/** An ask or timer that could not go on in the new tree, in words. */
export function stranded(match: Match): string | undefined {
  for (const [from, to] of match.pairs) {
    if (to === null || !from.hasPending) continue;
    for (const { half, channel, queued, waiting } of from.pending.rows.values()) {
      const what = `${from.path} waits for ${waiting.kind === "answer" ? "an answer" : "a timeout"} at its port ${half.name}`;
      if (match.half(half)?.core !== to) return `${what}, which its replacement does not have`;
      const inner = match.has(channel.owner) && !channel.cut && !queued;
      if (inner && !match.successors().has(channel)) {
        return `${what} over a channel that its replacement does not have`;
      }
    }
  }
  return undefined;
}

/** Replaces a faulted component by a new instance of its class, made from its init, without its state. */
export function replaceForRestart(handle: ChildHandle): ComponentCore {
  const old = handle.core;
  const { system } = old;
  const next = createShadow(
    old,
    handle.cls,
    copyPlain(handle.init, `The init of ${old.path}`),
    true,
  );
  const match = new Match(old, next);
  for (const core of match.pairs.keys()) {
    system.releaseOf(core);
    if (core.hasPending) core.pending.cancelAll();
  }
  const { orphans } = takePlace(match, false);
  for (const channel of orphans) channel.disconnect();
  // Commands of the parent that it has not heard yet are meant for the place, not for the instance.
  next.urgent = old.urgent;
  old.urgent = null;
  for (const core of match.cores()) system.unveil(core);
  for (const core of match.pairs.keys()) system.buryQuietly(core);
  next.suspended = next.parent?.suspended ?? 0;
  next.refreshRuns();
  return next;
}
