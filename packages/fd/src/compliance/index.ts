/**
 * The suite that every provider of FailureDetector passes. Its cases wait for minutes, so they run in
 * virtual time; in real time, a harness shortens the settings and leaves out what it cannot do.
 */

import { describeCases } from "@kith/testing/compliance";
import { detectorCases } from "./cases.ts";
import type { DetectorHarness } from "./harness.ts";

export { detectorCases } from "./cases.ts";
export {
  type DetectorClass,
  type DetectorHarness,
  Monitor,
  monitorOf,
  type Told,
} from "./harness.ts";

/**
 * Declares the suite to mocha.
 *
 * @param make builds a fresh harness, for each case anew
 */
export function detectorCompliance(provider: string, make: () => DetectorHarness): void {
  describeCases(`${provider} as a FailureDetector`, detectorCases, make);
}
