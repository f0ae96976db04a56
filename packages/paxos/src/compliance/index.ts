/** The suites that every provider of a port of this package passes, real or simulated. */

import { describeCases } from "@kith/testing/compliance";
import { decideCases } from "./decide-cases.ts";
import type { DecideHarness } from "./decide-harness.ts";

export { decideCases } from "./decide-cases.ts";
export {
  type DecideClass,
  type DecideHarness,
  DecidePeer,
  decidePeerOf,
  openMax,
} from "./decide-harness.ts";

/**
 * Declares the suite of Decisions to mocha.
 *
 * @param make builds a fresh harness, for each case anew
 */
export function decideCompliance(provider: string, make: () => DecideHarness): void {
  describeCases(`${provider} as a Decisions`, decideCases, make);
}
