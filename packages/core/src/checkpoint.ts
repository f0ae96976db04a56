/**
 * Taking a checkpoint of a system: every exported state and the kernel's own tables, between two turns.
 *
 * What cannot be described as data refuses, with a code that says what to do: a swap under way, and
 * functions that wait for their turn (`enter`, and rare operations of the kernel). It changes nothing:
 * the system goes on as if nobody had looked.
 */

import type {
  SavedChannel,
  SavedCore,
  SavedEntry,
  SavedHalf,
  SavedMeta,
  SavedOperation,
  SavedReference,
  SavedRow,
  SystemCheckpoint,
} from "./checkpoint-data.ts";
import type { ChannelCore } from "./channel.ts";
import type { ComponentCore } from "./component-core.ts";
import { coreError } from "./errors.ts";
import type { Escalation } from "./fault.ts";
import { PortHalf } from "./half.ts";
import type { Traced } from "./inspect.ts";
import { bareOperations } from "./lifecycle.ts";
import type { Operation } from "./operation.ts";
import { type PendingRow, PendingTable } from "./pending.ts";
import { copyPlain } from "./plain.ts";
import { ChildPortRef, type Reference } from "./reference.ts";
import type { Runnable } from "./scheduler.ts";
import { exportTree } from "./state.ts";
import type { System } from "./system.ts";

/**
 * Takes a checkpoint of a system between two turns.
 *
 * @throws KithError `KITH_CHECKPOINT_BUSY`, `KITH_CHECKPOINT_SWAP`; whatever an `exportState` throws
 */
export function checkpointSystem(system: System): SystemCheckpoint {
  const root = system.rootCore;
  if (system.current !== null)
    throw busy(`A checkpoint was asked for in the turn of ${system.current.path}`);
  return new Capture().system(system, root);
}

/** The components of a system as its scheduler knows them: with what it keeps in their slots. */
export function runnablesOf(system: System): Runnable[] {
  const below = (core: ComponentCore): Runnable[] => [
    core,
    ...core.childHandles().flatMap((handle) => below(handle.core)),
  ];
  return below(system.rootCore);
}

/** One checkpoint that is being taken: what is named by number, with the numbers. */
class Capture {
  readonly #channels = new Map<ChannelCore, number>();
  readonly #rows = new Map<PendingRow, number>();
  readonly #escalations = new Map<Escalation, number>();

  system(system: System, root: ComponentCore): SystemCheckpoint {
    const saved = this.#core(root);
    const states = exportTree(root);
    // Both lists grow while they are described: a row names a channel that may be cut, a channel keeps rows.
    const channels: SavedChannel[] = [];
    const rows: SavedRow[] = [];
    while (channels.length < this.#channels.size || rows.length < this.#rows.size) {
      for (const channel of [...this.#channels.keys()].slice(channels.length))
        channels.push(this.#channel(channel));
      for (const row of [...this.#rows.keys()].slice(rows.length)) rows.push(this.#row(row));
    }
    const escalations = [...this.#escalations.keys()].map(({ fault, chain }) => ({
      fault,
      chain: chain.filter((core) => core.phase !== "destroyed").map((core) => core.path),
    }));
    return { counters: system.counters(), states, root: saved, channels, rows, escalations };
  }

  #core(core: ComponentCore): SavedCore {
    const { handle, path } = core;
    if ((handle?.swaps.length ?? 0) > 0)
      throw coreError("KITH_CHECKPOINT_SWAP", `${path} is being swapped.`);
    if (core.shadow || core.deferred !== null) throw busy(`${path} has not taken its place`);
    return {
      path,
      name: core.name,
      cls: handle?.cls ?? null,
      init: handle?.init,
      policy: handle?.policy,
      ownPolicy: core.policy !== null,
      awaited: handle?.awaited ?? false,
      restarts: handle?.restarts ?? [],
      id: core.id,
      bound: core.bound,
      alarm: core.alarm,
      pressed: core.pressed,
      phase: core.phase,
      suspended: core.suspended,
      acquired: core.acquired,
      childrenStarted: core.childrenStarted,
      awaiting: core.awaiting,
      afterStop: core.afterStop,
      queued: core.queued,
      faults: core.faults === null ? null : [...core.faults].map((one) => this.#escalation(one)),
      ordinals: [...(core.ordinals ?? [])],
      settings: [...(core.settings?.values() ?? [])],
      draws: [...(core.drawCounts ?? [])],
      offers: (core.offers ?? []).map(({ reference, key }) => ({
        reference: describe(reference),
        key,
      })),
      channels: [...(core.channels ?? [])].map((channel) => this.#channelNumber(channel)),
      halves: core.halves().map((half) => this.#half(half)),
      controlHandlers: core.control?.handlers ?? 0,
      mailbox: this.#mailbox(core),
      urgent: (core.urgent ?? []).map((one) => this.#operation(core, one)),
      entries: (core.entries ?? []).slice(core.entriesTaken).map((entry) => {
        if (entry.about !== undefined) return entry.about;
        throw busy(`A callback of the outside world has entered ${path}, and waits for its turn`);
      }),
      pending: this.#pending(core),
      children: core.childHandles().map((child) => this.#core(child.core)),
    };
  }

  #operation(core: ComponentCore, operation: Operation): SavedOperation {
    if (bareOperations.has(operation)) return { kind: "bare", operation };
    const { about } = operation;
    if (about?.kind === "tell") return { kind: "tell", event: about.event };
    if (about?.kind === "resolve" && about.parent === core && about.child.phase !== "destroyed")
      return {
        kind: "resolve",
        child: about.child.path,
        escalation: this.#escalation(about.escalation),
      };
    throw busy(`An operation of the kernel waits at ${core.path}`);
  }

  #mailbox(core: ComponentCore): SavedEntry[] {
    const entries: SavedEntry[] = [];
    core.mailbox.visit((target, event, meta) => {
      const port = target instanceof PortHalf && target.core === core ? target.name : null;
      if (port === null && !(target instanceof PendingTable))
        throw busy(`An event for a port of an earlier instance waits at ${core.path}`);
      entries.push({ port, event, meta: this.#meta(meta) });
    });
    return entries;
  }

  #half(half: PortHalf): SavedHalf {
    const numbers = (channels: readonly ChannelCore[]): number[] =>
      channels.map((channel) => this.#channelNumber(channel));
    return {
      name: half.name,
      plain: numbers(half.plain),
      fallbacks: numbers(half.fallbacks ?? []),
      keyed: [...(half.keyed ?? [])].map(([key, first]) => {
        const chain: ChannelCore[] = [];
        for (let at: ChannelCore | null = first; at !== null; at = at.sameKey) chain.push(at);
        return [key, numbers(chain)] as const;
      }),
      handlers: half.handlers,
    };
  }

  #pending(core: ComponentCore): SavedCore["pending"] {
    if (!core.hasPending) return null;
    const { lastNumber, rows, ids } = core.pending;
    return {
      lastNumber,
      rows: [...rows.values()].map((row) => this.#rowNumber(row)),
      ids: [...ids],
    };
  }

  #channel(channel: ChannelCore): SavedChannel {
    const { cut, origin, key, fallback, passRequest, passIndication, holds } = channel;
    return {
      owner: channel.owner.path,
      cut,
      joint: channel.joint(),
      origin,
      provider: channel.providerRef === null ? null : describe(channel.providerRef),
      user: channel.userRef === null ? null : describe(channel.userRef),
      key,
      fallback,
      passRequest,
      passIndication,
      holds,
      kept: (channel.kept ?? []).map(({ toUser, order, event, meta, answer }) => ({
        toUser,
        order,
        event,
        meta: this.#meta(meta),
        answer,
      })),
    };
  }

  #row(row: PendingRow): SavedRow {
    const { number, waiting, half, channel, queued, passed, cause } = row;
    return {
      number,
      waiting: copyWaiting(waiting, half.core.path),
      path: half.core.path,
      port: half.name,
      channel: this.#channelNumber(channel),
      queued,
      passed,
      cause,
    };
  }

  #meta(meta: unknown): SavedMeta {
    if (typeof meta === "object" && meta !== null) {
      if ((meta as Partial<Traced>).traced === true) {
        const { id, cause, meta: inner } = meta as Traced;
        return { kind: "traced", id, cause, meta: this.#meta(inner) };
      }
      if ("waiting" in meta) return { kind: "row", row: this.#rowNumber(meta as PendingRow) };
    }
    return { kind: "shared", value: meta };
  }

  #channelNumber(channel: ChannelCore): number {
    return numberIn(this.#channels, channel);
  }

  #rowNumber(row: PendingRow): number {
    return numberIn(this.#rows, row);
  }

  #escalation(escalation: Escalation): number {
    return numberIn(this.#escalations, escalation);
  }
}

/** A row's facts, with an own copy of what may change: the number of its timer, and the context of an ask. */
export function copyWaiting(waiting: PendingRow["waiting"], path: string): PendingRow["waiting"] {
  if (waiting.kind !== "answer") return waiting;
  return { ...waiting, context: copyPlain(waiting.context, `The context of an ask of ${path}`) };
}

function numberIn<T>(numbers: Map<T, number>, one: T): number {
  const found = numbers.get(one) ?? numbers.size;
  numbers.set(one, found);
  return found;
}

function describe(reference: Reference): SavedReference {
  if (reference instanceof ChildPortRef)
    return { kind: "child", path: reference.child.path, name: reference.name };
  return { kind: "port", path: reference.core.path, name: reference.name };
}

function busy(what: string): Error {
  return coreError("KITH_CHECKPOINT_BUSY", `${what}.`);
}
