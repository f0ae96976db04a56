/**
 * Inspection: one stream of records, the same in every world, which logs, metrics, dashboards, traces
 * and replay read. Numbers and causes of events exist only while someone listens.
 */

import type { Event } from "./event.ts";
import type { Millis } from "./types.ts";

/** Why an event reached nobody. */
export type DeadLetterReason =
  /** No channel leads from the port, or none has the event's key or lets it pass its filter. */
  | "no-channel"
  /** Nobody at the far ends has a handler for it, or not any more. */
  | "no-handler"
  /** Its receiver was killed while it was queued. */
  | "killed"
  /** The channel that kept it was disconnected. */
  | "disconnected"
  /** The channel's far end was free. */
  | "unplugged"
  /** The receiver's mailbox was full. */
  | "mailbox-overflow"
  /** The channel held as many as it may. */
  | "hold-overflow"
  /** The answer came a second time, too late, or to nobody. */
  | "no-asker"
  /** A callback entered a component that is gone. */
  | "no-component";

/** An event that nobody took. */
export interface DeadLetter {
  readonly reason: DeadLetterReason;
  /** The component at which it ended, by path. */
  readonly path: string;
  /** The port's name, empty where there was none. */
  readonly port: string;
  readonly event: Event | undefined;
}

/** What a record says. */
export type RecordKind =
  | "trigger"
  | "handle"
  | "dead-letter"
  | "created"
  | "started"
  | "stopped"
  | "killed"
  | "fault"
  | "restarted"
  | "swapped"
  | "swap-failed";

/** One record of the stream. */
export interface InspectionRecord {
  readonly kind: RecordKind;
  /** Monotonic time in milliseconds. */
  readonly time: Millis;
  /** The prefix of the system's node. */
  readonly node: string;
  readonly path: string;
  /** The port's name, empty for what is not about a port. */
  readonly port: string;
  readonly event: Event | undefined;
  /** The event's number, counted from when the first listener came; 0 where it has none. */
  readonly id: number;
  /** The number of the event in whose handler this was done; 0 where that is unknown. */
  readonly cause: number;
  /** More for people: the reason of a dead letter, the message of a fault. */
  readonly detail: string;
}

/** Wraps what accompanies an event in a mailbox while someone listens. */
export interface Traced {
  readonly traced: true;
  readonly id: number;
  readonly cause: number;
  readonly meta: unknown;
}
