/**
 * The control port, on which the kernel tells a component what became of its children, swaps and
 * settings. Its events overtake data, run also while the component is suspended, and are never held.
 */

import { event } from "./event.ts";
import { port } from "./port.ts";

/** A child, and all below it, has started. */
export class ChildStarted extends event("kith/ChildStarted")<{ readonly name: string }> {}
/** A child, and all below it, has stopped. */
export class ChildStopped extends event("kith/ChildStopped")<{ readonly name: string }> {}
/** A child is gone. */
export class ChildKilled extends event("kith/ChildKilled")<{ readonly name: string }> {}

/** A child was replaced. */
export class Swapped extends event("kith/Swapped")<{
  readonly name: string;
  /** Events that the replacement inherited in mailboxes. */
  readonly carried: number;
  /** Events that waited on the held channels meanwhile. */
  readonly held: number;
  /** The names of children whose state was dropped, as the swap allowed. */
  readonly discarded: readonly string[];
}> {}

/** A swap was given up; the old child goes on as if nothing had been. */
export class SwapFailed extends event("kith/SwapFailed")<{
  readonly name: string;
  readonly cause: unknown;
}> {}

/** A mailbox has filled to its high-water mark: say no at the edges. Told to the component and its parent. */
export class HighWater extends event("kith/HighWater")<{
  readonly path: string;
  readonly size: number;
  readonly bound: number;
}> {}
/** The mailbox is down to half of its high-water mark again. */
export class LowWater extends event("kith/LowWater")<{
  readonly path: string;
  readonly size: number;
  readonly bound: number;
}> {}

/** A setting that holds for this component has been given another value. */
export class SettingChanged extends event("kith/SettingChanged")<{ readonly name: string }> {}

/** The kernel provides it to every component. */
export const Control = port("Control", {
  indications: [
    ChildStarted,
    ChildStopped,
    ChildKilled,
    Swapped,
    SwapFailed,
    HighWater,
    LowWater,
    SettingChanged,
  ],
});
