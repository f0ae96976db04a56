/**
 * What a checkpoint holds of a system. Components, ports and channels are named by path, name and
 * number instead of being referred to, so that nothing here changes when the system goes on, and the
 * same checkpoint can be restored any number of times.
 *
 * Shared by reference is what does not change: classes, inits, events, tokens, causes of faults,
 * fault policies and filters of channels (which are pure by contract).
 */

import type { ComponentClass } from "./child.ts";
import type { Phase } from "./component-core.ts";
import type { Given } from "./config.ts";
import type { Event } from "./event.ts";
import type { Fault, FaultPolicy } from "./fault.ts";
import type { DeadLetterReason } from "./inspect.ts";
import type { EntryAbout, Operation } from "./operation.ts";
import type { PendingRow } from "./pending.ts";
import type { Snapshot } from "./state.ts";
import type { TimerId } from "./timer.ts";
import type { Key } from "./types.ts";

/** What a system counts. */
export interface SystemCounters {
  readonly lastId: number;
  readonly lastRecord: number;
  readonly keptOrder: number;
  readonly letters: readonly (readonly [DeadLetterReason, number])[];
}

/** A reference to a port, as it was wired. */
export interface SavedReference {
  /** Through the handle of a child, or the port itself (its own, or one that it exposes). */
  readonly kind: "child" | "port";
  readonly path: string;
  readonly name: string;
}

/** What accompanies an event. */
export type SavedMeta =
  | { readonly kind: "shared"; readonly value: unknown }
  /** A row of a pending table, by its number in the checkpoint. */
  | { readonly kind: "row"; readonly row: number }
  | {
      readonly kind: "traced";
      readonly id: number;
      readonly cause: number;
      readonly meta: SavedMeta;
    };

/** An event that a held channel keeps. */
export interface SavedKept {
  readonly toUser: boolean;
  readonly order: number;
  readonly event: Event;
  readonly meta: SavedMeta;
  readonly answer: boolean;
}

/** A channel; one that is cut is there where an ask still names it. */
export interface SavedChannel {
  readonly owner: string;
  readonly cut: boolean;
  /** What the constructor joined, where it was the constructor: by this it is found again. */
  readonly joint: string;
  readonly origin: string | null;
  readonly provider: SavedReference | null;
  readonly user: SavedReference | null;
  readonly key: Key | undefined;
  readonly fallback: boolean;
  readonly passRequest: ((event: Event) => boolean) | null;
  readonly passIndication: ((event: Event) => boolean) | null;
  readonly holds: number;
  readonly kept: readonly SavedKept[];
}

/** A row of a pending table, or one that is no more in its table and that something still names. */
export interface SavedRow {
  readonly number: number;
  readonly waiting: PendingRow["waiting"];
  readonly path: string;
  readonly port: string;
  readonly channel: number;
  readonly queued: boolean;
  readonly passed: number | undefined;
  readonly cause: number;
}

/** The order of the channels at a half, by their numbers; it is the order of delivery. */
export interface SavedHalf {
  readonly name: string;
  readonly plain: readonly number[];
  readonly fallbacks: readonly number[];
  readonly keyed: readonly (readonly [Key, readonly number[]])[];
  readonly handlers: number;
}

/** An entry of a mailbox; without a port it is for the pending table. */
export interface SavedEntry {
  readonly port: string | null;
  readonly event: object;
  readonly meta: SavedMeta;
}

/** A control operation that waits. */
export type SavedOperation =
  | { readonly kind: "bare"; readonly operation: Operation }
  | { readonly kind: "tell"; readonly event: Event }
  | { readonly kind: "resolve"; readonly child: string; readonly escalation: number };

/** A component. */
export interface SavedCore {
  readonly path: string;
  readonly name: string;
  readonly cls: ComponentClass | null;
  readonly init: unknown;
  readonly policy: FaultPolicy | undefined;
  readonly ownPolicy: boolean;
  readonly awaited: boolean;
  readonly restarts: readonly number[];
  readonly id: number;
  readonly bound: number;
  readonly alarm: number;
  readonly pressed: boolean;
  readonly phase: Phase;
  readonly suspended: number;
  readonly acquired: boolean;
  readonly childrenStarted: boolean;
  readonly awaiting: number;
  readonly afterStop: "stay" | "start" | "destroy";
  readonly queued: boolean;
  readonly faults: readonly number[] | null;
  readonly ordinals: readonly (readonly [string, number])[];
  readonly settings: readonly Given[];
  readonly draws: readonly (readonly [string, number])[];
  readonly offers: readonly { readonly reference: SavedReference; readonly key: Key | undefined }[];
  readonly channels: readonly number[];
  readonly halves: readonly SavedHalf[];
  readonly controlHandlers: number;
  readonly mailbox: readonly SavedEntry[];
  readonly urgent: readonly SavedOperation[];
  readonly entries: readonly EntryAbout[];
  readonly pending: {
    readonly lastNumber: number;
    readonly rows: readonly number[];
    readonly ids: readonly (readonly [TimerId, number])[];
  } | null;
  readonly children: readonly SavedCore[];
}

/** A whole system between two turns. Made by `checkpointSystem`, taken by `restoreSystem`. */
export interface SystemCheckpoint {
  readonly counters: SystemCounters;
  readonly states: Snapshot;
  readonly root: SavedCore;
  readonly channels: readonly SavedChannel[];
  readonly rows: readonly SavedRow[];
  readonly escalations: readonly { readonly fault: Fault; readonly chain: readonly string[] }[];
}
