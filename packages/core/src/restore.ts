/**
 * Restoring a system from a checkpoint: the constructors build the tree, the kernel makes it what it
 * was, and then everything that waits is put back in its order.
 *
 * As in a swap, states go from the top down, `importState` may create children again, and neither
 * `onStart` nor `onStop` runs; `onAcquire` does. What a component triggers meanwhile is dropped: the
 * original's events are in the checkpoint. Children that are still missing are created by class, init
 * and name, channels are found by what they join or made again.
 *
 * Invariant: nothing of the checkpoint is handed over that somebody may change.
 */

import { copyWaiting } from "./checkpoint.ts";
import type {
  SavedChannel,
  SavedCore,
  SavedMeta,
  SavedOperation,
  SavedReference,
  SystemCheckpoint,
} from "./checkpoint-data.ts";
import { ChannelCore, type Kept } from "./channel.ts";
import type { ChildHandle, ComponentClass, InitOf } from "./child.ts";
import type { ComponentCore } from "./component-core.ts";
import { createChild, createShadow } from "./construction.ts";
import { coreError, type KithError } from "./errors.ts";
import type { Escalation } from "./fault.ts";
import { Few } from "./few.ts";
import { PortHalf } from "./half.ts";
import type { Traced } from "./inspect.ts";
import { resolving } from "./lifecycle.ts";
import { entering, type Operation, telling } from "./operation.ts";
import type { PendingRow } from "./pending.ts";
import { copyPlain } from "./plain.ts";
import { type Reference, resolve } from "./reference.ts";
import { importOne, type Snapshot } from "./state.ts";
import { launch, type System } from "./system.ts";
import type { Key } from "./types.ts";
import type { World } from "./world.ts";

/**
 * Builds a system that goes on where the checkpoint was taken.
 *
 * The world's scheduler is told nothing that counts: it ignores who is ready until this has returned,
 * and then queues those of `runnablesOf` that were queued, in its own order.
 *
 * @param cls the main component with which the system began, and its init
 * @throws KithError `KITH_CHECKPOINT_LOST` where a component does not make again what it had
 */
export function restoreSystem<K extends ComponentClass>(
  cls: K,
  init: InitOf<K>,
  world: World,
  checkpoint: SystemCheckpoint,
): System<InstanceType<K>> {
  const system = launch(cls, init, world);
  new Restoration(system as unknown as System, checkpoint).run();
  return system;
}

/** One restoration under way. */
class Restoration {
  readonly #system: System;
  readonly #checkpoint: SystemCheckpoint;
  readonly #cores = new Map<string, ComponentCore>();
  readonly #saved = new Map<ComponentCore, SavedCore>();
  #channels: readonly ChannelCore[] = [];
  #rows: readonly PendingRow[] = [];
  readonly #escalations: readonly Escalation[];

  constructor(system: System, checkpoint: SystemCheckpoint) {
    this.#system = system;
    this.#checkpoint = checkpoint;
    this.#escalations = checkpoint.escalations.map(({ fault }) => ({ fault, chain: [] }));
  }

  run(): void {
    const { root, states, counters, channels, rows, escalations } = this.#checkpoint;
    this.#grow(this.#system.rootCore, root, states);
    this.#system.recount(counters, [...this.#cores.values()]);
    this.#channels = this.#join(channels);
    this.#rows = rows.map((row) => ({
      ...row,
      waiting: copyWaiting(row.waiting, row.path),
      half: this.#half(this.#core(row.path), row.port),
      channel: this.#channel(row.channel),
    }));
    escalations.forEach(({ chain }, at) => {
      this.#escalations[at]?.chain.push(...chain.map((path) => this.#core(path)));
    });
    for (const [core, saved] of this.#saved) this.#wire(core, saved);
    channels.forEach((saved, at) => this.#keep(this.#channel(at), saved));
    for (const [core, saved] of this.#saved) this.#fill(core, saved);
    for (const [core, saved] of this.#saved) if (saved.acquired) this.#system.acquireOf(core);
    // Constructors, states and what was acquired may have drawn, entered and told: none of it counts.
    for (const [core, saved] of this.#saved) this.#settle(core, saved);
    if (root.phase === "started") this.#system.settled(this.#system.rootCore);
  }

  // --- the tree ----------------------------------------------------------------------------------

  #grow(core: ComponentCore, saved: SavedCore, { state, version, children }: Snapshot): void {
    const { system } = core;
    core.shadow = true;
    core.id = saved.id;
    this.#cores.set(saved.path, core);
    this.#saved.set(core, saved);
    if (state !== undefined) {
      const own = copyPlain(state, `The state of ${core.path}`);
      system.within(core, () => importOne(core, own, version));
    }
    const before = core.children;
    const after = new Few<string, ChildHandle>();
    for (const child of saved.children) after.set(child.name, this.#child(core, child));
    for (const [name, handle] of before ?? []) if (!after.has(name)) system.discard(handle.core);
    core.children = after.size === 0 ? null : after;
    for (const child of saved.children) {
      const handle = after.get(child.name) as ChildHandle;
      this.#grow(handle.core, child, children[child.name] as Snapshot);
    }
  }

  /** The child of that name: as the constructor made it, made anew in its place, or created. */
  #child(parent: ComponentCore, saved: SavedCore): ChildHandle {
    const { name, policy, bound, init } = saved;
    const cls = saved.cls as ComponentClass;
    const handle = parent.children?.get(name);
    if (handle === undefined) {
      const onFault = policy === undefined ? {} : { onFault: policy };
      return createChild(parent, cls, init, { name, mailboxBound: bound, ...onFault });
    }
    if (handle.cls !== cls || !samePlain(handle.init, init)) replace(handle, cls, init);
    return handle;
  }

  // --- channels ----------------------------------------------------------------------------------

  #join(channels: readonly SavedChannel[]): ChannelCore[] {
    const made = new Map<string, ChannelCore>();
    for (const core of this.#cores.values()) {
      if (core.halves().length < (this.#saved.get(core)?.halves.length ?? 0)) core.addTimerHalf();
      for (const channel of core.channels ?? []) made.set(channel.joint(), channel);
    }
    const joined = channels.map((saved) => {
      const found = saved.cut ? undefined : made.get(saved.joint);
      if (found !== undefined) made.delete(saved.joint);
      return found ?? this.#connect(saved);
    });
    for (const channel of made.values()) channel.disconnect();
    channels.forEach(({ cut, origin, provider, user, holds }, at) => {
      const channel = joined[at] as ChannelCore;
      channel.cut = cut;
      channel.origin = origin;
      channel.holds = holds;
      channel.providerRef = provider === null ? null : this.#reference(provider);
      channel.userRef = user === null ? null : this.#reference(user);
      channel.attach();
    });
    return joined;
  }

  #connect({ owner, key, fallback, passRequest, passIndication }: SavedChannel): ChannelCore {
    // Its ends are put on their halves when all channels are there.
    const free = null as unknown as Reference;
    return new ChannelCore(this.#core(owner), free, free, {
      fallback,
      ...(key === undefined ? {} : { key }),
      filter: {
        ...(passRequest === null ? {} : { requests: passRequest }),
        ...(passIndication === null ? {} : { indications: passIndication }),
      },
    });
  }

  #reference({ kind, path, name }: SavedReference): Reference {
    const core = this.#core(path);
    const found = kind === "child" ? core.handle?.ports[name] : core.portNamed(name);
    if (found === undefined) throw lost(`${path} has no port named ${name} any more`);
    return found;
  }

  /** The channels of a component in their order, at its ports as well: it is the order of delivery. */
  #wire(core: ComponentCore, saved: SavedCore): void {
    const channels = (numbers: readonly number[]): ChannelCore[] =>
      numbers.map((number) => this.#channel(number));
    core.channels = saved.channels.length === 0 ? null : new Set(channels(saved.channels));
    core.offers =
      saved.offers.length === 0
        ? null
        : saved.offers.map(({ reference, key }) => {
            const found = this.#reference(reference);
            return { type: resolve(found).type, reference: found, key };
          });
    for (const { name, plain, fallbacks, keyed } of saved.halves) {
      const half = this.#half(core, name);
      const first = new Map<Key, ChannelCore>();
      for (const [key, numbers] of keyed) {
        const chain = channels(numbers);
        chain.forEach((channel, at) => (channel.sameKey = chain[at + 1] ?? null));
        first.set(key, chain[0] as ChannelCore);
      }
      half.rewire(channels(plain), channels(fallbacks), first);
    }
  }

  #keep(channel: ChannelCore, saved: SavedChannel): void {
    if (saved.kept.length === 0) return;
    channel.kept = saved.kept.map((one): Kept => ({ ...one, channel, meta: this.#meta(one.meta) }));
  }

  // --- what waits --------------------------------------------------------------------------------

  /** Everything but what waits for a turn. */
  #fill(core: ComponentCore, saved: SavedCore): void {
    core.phase = saved.phase;
    core.suspended = saved.suspended;
    core.runs = saved.suspended === 0 && (saved.phase === "starting" || saved.phase === "started");
    core.childrenStarted = saved.childrenStarted;
    core.awaiting = saved.awaiting;
    core.afterStop = saved.afterStop;
    core.bound = saved.bound;
    core.alarm = saved.alarm;
    core.pressed = saved.pressed;
    core.faults =
      saved.faults === null ? null : new Set(saved.faults.map((one) => this.#escalation(one)));
    core.ordinals = saved.ordinals.length === 0 ? null : new Map(saved.ordinals);
    core.settings =
      saved.settings.length === 0 ? null : new Few(saved.settings.map((one) => [one.name, one]));
    if (core.handle !== null) {
      core.handle.awaited = saved.awaited;
      core.handle.restarts = saved.restarts;
    }
    if (saved.pending === null) return;
    const { pending } = core;
    const { lastNumber, rows, ids } = saved.pending;
    pending.lastNumber = lastNumber;
    for (const number of rows) {
      const row = this.#row(number);
      pending.rows.set(row.number, row);
    }
    for (const [id, number] of ids) pending.ids.set(id, number);
  }

  /** What cannot be carried, because it is code: it has to be there again by itself. */
  #check(core: ComponentCore, saved: SavedCore): void {
    for (const { name, handlers } of saved.halves) {
      const half = this.#half(core, name);
      if (half.handlers !== handlers)
        throw lost(`The ${half.describe()} had ${handlers} handlers, and has ${half.handlers}`);
    }
    const handlers = core.control?.handlers ?? 0;
    if (handlers !== saved.controlHandlers)
      throw lost(
        `The control port of ${core.path} had ${saved.controlHandlers} handlers, and has ${handlers}`,
      );
    if ((core.policy !== null) !== saved.ownPolicy)
      throw lost(`The fault policy of ${core.path} was given while it ran`);
  }

  #settle(core: ComponentCore, saved: SavedCore): void {
    this.#check(core, saved);
    const { urgent, entries, mailbox, draws } = saved;
    core.resetDraws(draws);
    core.urgent = urgent.length === 0 ? null : urgent.map((one) => this.#operation(core, one));
    core.entries = entries.length === 0 ? null : entries.map((about) => entering(core, about));
    core.entriesTaken = 0;
    core.mailbox.reset();
    for (const { port, event, meta } of mailbox) {
      const target = port === null ? core.pending : this.#half(core, port);
      core.mailbox.add(target, event, this.#meta(meta));
    }
    core.queued = saved.queued;
    core.deferred = null;
    this.#system.unveil(core);
  }

  #operation(core: ComponentCore, saved: SavedOperation): Operation {
    if (saved.kind === "bare") return saved.operation;
    if (saved.kind === "tell") return telling(saved.event);
    return resolving(core, this.#core(saved.child), this.#escalation(saved.escalation));
  }

  #meta(saved: SavedMeta): unknown {
    if (saved.kind === "shared") return saved.value;
    if (saved.kind === "row") return this.#row(saved.row);
    const { id, cause, meta } = saved;
    return { traced: true, id, cause, meta: this.#meta(meta) } satisfies Traced;
  }

  // --- by path and number ------------------------------------------------------------------------

  #core(path: string): ComponentCore {
    const core = this.#cores.get(path);
    if (core === undefined) throw lost(`There is no component at ${path} any more`);
    return core;
  }

  #half(core: ComponentCore, name: string): PortHalf {
    const port = core.portNamed(name);
    if (port instanceof PortHalf) return port;
    throw lost(`${core.path} has no port of its own named ${name} any more`);
  }

  #channel(number: number): ChannelCore {
    return this.#channels[number] as ChannelCore;
  }

  #row(number: number): PendingRow {
    return this.#rows[number] as PendingRow;
  }

  #escalation(number: number): Escalation {
    return this.#escalations[number] as Escalation;
  }
}

/** Puts an instance of another class, or of another init, into the place of one that a constructor made. */
function replace(handle: ChildHandle, cls: ComponentClass, init: unknown): void {
  const old = handle.core;
  const next = createShadow(old, cls, copyPlain(init, "init"), false);
  handle.core = next;
  handle.cls = cls;
  handle.init = init;
  const inside = (core: ComponentCore): ComponentCore[] => [
    core,
    ...core.childHandles().flatMap((child) => inside(child.core)),
  ];
  const tree = new Set(inside(old));
  for (const core of tree) {
    for (const half of core.halves()) {
      for (const channel of half.channels()) {
        if (tree.has(channel.owner)) continue;
        try {
          channel.attach();
        } catch {
          // The new one lacks the port, so the original has no such channel either.
          channel.disconnect();
        }
      }
    }
  }
  old.system.discard(old);
}

/** Whether two pieces of plain data are equal, by type and value. */
function samePlain(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  const [left, right] = [parts(a), parts(b)];
  return (
    left.length === right.length &&
    left.every(
      ([key, part], at) => samePlain(key, right[at]?.[0]) && samePlain(part, right[at]?.[1]),
    )
  );
}

function parts(value: object): (readonly [unknown, unknown])[] {
  return value instanceof Map || value instanceof Set
    ? [...value.entries()]
    : Object.entries(value);
}

function lost(what: string): KithError {
  return coreError("KITH_CHECKPOINT_LOST", `${what}.`);
}
