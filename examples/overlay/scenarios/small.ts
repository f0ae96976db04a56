/** The scenarios of the overlay with a few peers: rings that are shorter than their lists, and seeds that cost little. */

import { churnOf } from "./ring-churn.ts";
import { mergeOf } from "./ring-merge.ts";

/** `ring-churn` with 3 to 16 peers. Among so few, faults may leave nobody healthy. */
export const smallChurn = churnOf("ring-churn-small", { min: 3, max: 16 }, 40_000, {
  askers: 4,
  healthy: 0,
});

/** `ring-merge` with 6 to 24 peers. */
export const smallMerge = mergeOf("ring-merge-small", { min: 6, max: 24 });
