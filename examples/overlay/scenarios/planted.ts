/** The scenarios that have to find planted bugs, in one place: each costs little. Nothing but names. */

export { smallChurn, smallMerge } from "./small.ts";
export { overlayFreeze, overlayHalf, overlayLossy, overlayRestart } from "./trials.ts";
