/** Clocks. Monotonic time and wall time are two things, and neither is read behind a component's back. */

import type { Millis } from "./types.ts";

/** The clock of a world, in whole microseconds. */
export interface Clock {
  /** Microseconds since an arbitrary instant; never goes back. */
  monotonicMicros(): number;
  /** Microseconds since 1970 by the wall clock; may jump either way. */
  wallMicros(): number;
}

/** A component's view of the clock: read once per turn, so that a handler sees one instant. */
export interface ComponentClock {
  /** Milliseconds of monotonic time; only differences mean anything. */
  readonly monotonic: Millis;
  /** Milliseconds since 1970; for people and logs, never for protocol decisions. */
  readonly wall: Millis;
}
