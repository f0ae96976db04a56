/**
 * Carrying over: how a replacement takes a component's place, in a swap or in a restart.
 *
 * The two trees are matched by the names of children, their ports by name. Channels from outside are
 * put on the replacement's halves, mailboxes and the kernel's other tables move to the counterparts,
 * and channels within the old tree are succeeded by those of the new one that join the same ports, so
 * that an answer on its way finds the asker.
 *
 * Invariant: an entry, row or channel of the old tree either has a counterpart or becomes a dead
 * letter; a swap makes sure beforehand that all have one (`unmovable`).
 */

import type { ChannelCore } from "./channel.ts";
import type { ChildHandle } from "./child.ts";
import type { ComponentCore } from "./component-core.ts";
import { createShadow } from "./construction.ts";
import type { Event } from "./event.ts";
import { PortHalf } from "./half.ts";
import type { Target } from "./mailbox.ts";
import { PendingTable } from "./pending.ts";
import { copyPlain } from "./plain.ts";
import { ExposedRef, resolve } from "./reference.ts";

/** The old and the new tree, matched. */
export class Match {
  readonly old: ComponentCore;
  readonly next: ComponentCore;
  /** Every core of the old tree, with its counterpart where there is one. */
  readonly pairs = new Map<ComponentCore, ComponentCore | null>();
  /** Every core of the new tree that has no predecessor. */
  readonly fresh: ComponentCore[] = [];
  readonly #aliases = new Map<PortHalf, PortHalf>();

  constructor(old: ComponentCore, next: ComponentCore) {
    this.old = old;
    this.next = next;
    this.#pair(old, next);
  }

  #pair(old: ComponentCore, next: ComponentCore | null): void {
    this.pairs.set(old, next);
    for (const port of old.ports) {
      const counterpart = next?.portNamed(port.name);
      if (port instanceof ExposedRef && counterpart !== undefined) this.#aliases.set(resolve(port), resolve(counterpart));
    }
    for (const handle of old.childHandles()) this.#pair(handle.core, next?.children?.get(handle.name)?.core ?? null);
    for (const handle of next?.childHandles() ?? []) {
      if (old.children?.has(handle.name) !== true) this.#addFresh(handle.core);
    }
  }

  #addFresh(core: ComponentCore): void {
    this.fresh.push(core);
    for (const handle of core.childHandles()) this.#addFresh(handle.core);
  }

  /** The half that takes the place of a half of the old tree. */
  half(old: PortHalf): PortHalf | undefined {
    const next = this.pairs.get(old.core);
    const same = next?.portNamed(old.name);
    return same === undefined ? this.#aliases.get(old) : resolve(same);
  }

  /** Who executes an entry of the old tree in the new one. */
  target(old: Target, core: ComponentCore): Target | undefined {
    if (old instanceof PendingTable) return this.pairs.get(core)?.pending;
    return old instanceof PortHalf ? this.half(old) : undefined;
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
}

/** Puts the replacement into the place of the old component. @returns how many queued events moved */
export function takePlace(match: Match, keepPending: boolean): number {
  const { old, next } = match;
  const handle = old.handle as ChildHandle;
  const outer = match.outer();
  for (const channel of outer) {
    channel.providerRef = movedEnd(match, channel.providerRef);
    channel.userRef = movedEnd(match, channel.userRef);
  }
  for (const [from, to] of match.pairs) if (to !== null) moveTables(match, from, to, keepPending);
  handle.core = next;
  for (const channel of outer) {
    if (channel.providerRef === null || channel.userRef === null) channel.disconnect();
    else channel.attach();
  }
  succeedInner(match);
  let moved = 0;
  for (const from of match.pairs.keys()) moved += moveMailbox(match, from);
  return moved;
}

/** Where an end of an outer channel leads afterwards; references through handles find their way alone. */
function movedEnd(match: Match, reference: ChannelCore["providerRef"]): ChannelCore["providerRef"] {
  return reference instanceof PortHalf && match.has(reference.core) ? (match.half(reference) ?? null) : reference;
}

function moveTables(match: Match, from: ComponentCore, to: ComponentCore, keepPending: boolean): void {
  const { system } = from;
  [from.id, to.id] = [to.id, from.id];
  system.register(from);
  system.register(to);
  to.bound = from.bound;
  to.alarm = from.alarm;
  to.pressed = from.pressed;
  to.continueDraws(from.drawCounts);
  if (from.handle !== null && to.handle !== null) to.handle.restarts = from.handle.restarts;
  for (const given of from.settings?.values() ?? []) {
    if (given.updated === true) (to.settings ??= new Map()).set(given.name, given);
  }
  if (!from.hasPending) return;
  const table = to.pending;
  table.lastNumber = from.pending.lastNumber;
  if (!keepPending) return;
  for (const row of from.pending.rows.values()) {
    row.half = match.half(row.half) ?? row.half;
    table.rows.set(row.number, row);
  }
  for (const [id, number] of from.pending.ids) table.ids.set(id, number);
  from.pending.rows.clear();
}

function moveMailbox(match: Match, from: ComponentCore): number {
  let moved = 0;
  const { mailbox, system } = from;
  mailbox.visit((target, event, meta) => {
    const to = match.target(target, from);
    const core = to instanceof PortHalf ? to.core : to === undefined ? undefined : match.pairs.get(from);
    if (to === undefined || core === undefined || core === null) {
      system.deadLetter("killed", from, target instanceof PortHalf ? target.name : "", event as Event);
    } else {
      core.mailbox.add(to, event, meta);
      moved++;
    }
  });
  mailbox.reset();
  return moved;
}

/** The channels within the old tree name their successors, and hand over what they still hold. */
function succeedInner(match: Match): void {
  const successors = new Map<string, ChannelCore>();
  for (const core of [...match.pairs.values(), ...match.fresh]) {
    for (const channel of core?.channels ?? []) successors.set(joint(channel), channel);
  }
  for (const core of match.pairs.keys()) {
    for (const channel of core.channels ?? []) {
      const successor = successors.get(joint(channel));
      channel.successor = successor ?? null;
      for (const { event, meta, answer, toUser } of successor === undefined ? [] : (channel.kept ?? [])) {
        const half = toUser ? successor?.user : successor?.provider;
        half?.core.mailbox.add(answer ? half.core.pending : half, event, meta);
      }
      if (successor !== undefined) channel.kept = null;
    }
  }
}

/** What identifies a channel in both trees: the paths and ports that it joins, and its key. */
function joint(channel: ChannelCore): string {
  const { provider, user, key } = channel;
  return `${provider?.core.path} ${provider?.name} ${user?.core.path} ${user?.name} ${String(key)}`;
}

/** Whether something in the old tree still has no place to go to in the new one. */
export function unmovable(match: Match): boolean {
  for (const core of match.pairs.keys()) {
    if (core.entries !== null || core.urgent !== null) return true;
    if (core.phase === "stopping" || (core.phase === "starting" && core.suspended === 0)) return true;
    let stuck = false;
    core.mailbox.visit((target) => {
      stuck ||= match.target(target, core) === undefined;
    });
    if (stuck) return true;
  }
  return false;
}

/** Replaces a faulted component by a new instance of its class, made from its init, without its state. */
export function replaceForRestart(handle: ChildHandle): ComponentCore {
  const old = handle.core;
  const { system } = old;
  const next = createShadow(old, handle.cls, copyPlain(handle.init, `The init of ${old.path}`));
  const match = new Match(old, next);
  for (const core of match.pairs.keys()) {
    system.releaseOf(core);
    if (core.hasPending) core.pending.cancelAll();
  }
  takePlace(match, false);
  for (const core of [...match.pairs.values(), ...match.fresh]) if (core !== null) system.unveil(core);
  for (const core of match.pairs.keys()) system.buryQuietly(core);
  next.suspended = next.parent?.suspended ?? 0;
  next.refreshRuns();
  return next;
}
