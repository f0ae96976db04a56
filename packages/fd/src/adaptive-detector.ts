/** The default failure detector: adaptive and eventually perfect. See `detector.ts` and `adaptive`. */

import { NodeDetector } from "./detector.ts";
import { adaptive, type AdaptiveEstimate } from "./estimate.ts";
import { missesMax } from "./settings.ts";

/**
 * Suspects a process that leaves several pings in a row unanswered, each for longer than its round trips
 * and its earlier wrongs suggest. What it says is a hint: see `FailureDetector`.
 */
export class AdaptiveDetector extends NodeDetector<AdaptiveEstimate> {
  constructor() {
    super((read) => adaptive(read(missesMax)));
  }
}
