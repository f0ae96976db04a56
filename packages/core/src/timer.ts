/**
 * The Timer port. It stands in this package because the kernel itself needs it: timeouts of asks,
 * back-off of restarts, and the promise that stop, kill and restart cancel a component's timers while
 * a swap carries them.
 *
 * A timer is a row in the kernel's pending table of the component that scheduled it. The provider
 * gets a reply token and answers it with `Expired` when the time has come; the row holds the timeout
 * event itself, which therefore never leaves its component. So cancelling is safe against an expiry
 * that is already queued, and a provider's state is plain data.
 */

import { event, type responseOf, Timeout } from "./event.ts";
import { port } from "./port.ts";
import type { Millis } from "./types.ts";

/** Names one of a component's timers; chosen by the component, and never seen by others. */
export type TimerId = string | number;

/** The provider's answer to a schedule: the time has come. */
export class Expired extends event("kith/Expired") {}

/**
 * Asks for one timeout after `delay` milliseconds, never earlier. With an `id` it can be cancelled;
 * scheduling an id that is still pending replaces it.
 */
export class ScheduleTimeout extends event("kith/ScheduleTimeout")<{
  readonly delay: Millis;
  readonly timeout: Timeout;
  readonly id?: TimerId;
}> {
  declare readonly [responseOf]: Expired;
}

/**
 * Asks for a timeout every `period` milliseconds, the first after `delay` (default: one period).
 * A component that falls behind finds one pending timeout, not many.
 */
export class SchedulePeriodic extends event("kith/SchedulePeriodic")<{
  readonly period: Millis;
  readonly timeout: Timeout;
  readonly delay?: Millis;
  readonly id?: TimerId;
}> {
  declare readonly [responseOf]: Expired;
}

/** Cancels the timer of that id, also when its timeout is already queued; harmless when there is none. */
export class CancelTimeout extends event("kith/CancelTimeout")<{ readonly id: TimerId }> {
  declare readonly [responseOf]: Expired;
}

/** Schedules timeouts. Providers: real, simulated, manual. */
export const Timer = port("Timer", {
  requests: [ScheduleTimeout, SchedulePeriodic, CancelTimeout],
  indications: [Timeout],
});
