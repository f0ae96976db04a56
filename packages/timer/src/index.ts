/**
 * The Timer port. Its events stand in `@kith/core`, because the kernel itself needs them: for the
 * timeouts of asks, for the back-off of restarts, and to cancel a component's timers when it stops
 * while a swap carries them. This package gives the port its place among the others, and the suite
 * that every provider of it passes (`@kith/timer/compliance`).
 *
 * What a provider does: it gets ScheduleTimeout, SchedulePeriodic and CancelTimeout, each with a reply
 * token, and answers the token with Expired when the time has come, never earlier, in the order of
 * the times. A periodic one is answered again and again by the same token; the kernel coalesces what
 * is not handled yet. CancelTimeout comes with the token of the timer that it cancels, its `id` has no
 * meaning for the provider. Tokens are plain data and belong into the provider's state.
 */

export {
  CancelTimeout,
  Expired,
  SchedulePeriodic,
  ScheduleTimeout,
  Timeout,
  timeout,
  Timer,
  type TimerId,
} from "@kith/core";
