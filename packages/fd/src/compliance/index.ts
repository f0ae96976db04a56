/**
 * The suites that every provider of FailureDetector and of Membership passes. Their cases wait for minutes, so they
 * run in virtual time; in real time, a harness shortens the settings and leaves out what it cannot do.
 */

import { describeCases } from "@kith/testing/compliance";
import { detectorCases } from "./cases.ts";
import type { DetectorHarness } from "./harness.ts";
import { memberCases } from "./member-cases.ts";
import type { MemberHarness } from "./member-harness.ts";

export { detectorCases } from "./cases.ts";
export {
  type DetectorClass,
  type DetectorHarness,
  Monitor,
  monitorOf,
  type Told,
} from "./harness.ts";
export { memberCases } from "./member-cases.ts";
export { Attendant, type MemberHarness, type MemberWord } from "./member-harness.ts";

/**
 * Declares the suite of FailureDetector to mocha.
 *
 * @param make builds a fresh harness, for each case anew
 */
export function detectorCompliance(provider: string, make: () => DetectorHarness): void {
  describeCases(`${provider} as a FailureDetector`, detectorCases, make);
}

/** Declares the suite of Membership to mocha. */
export function memberCompliance(provider: string, make: () => MemberHarness): void {
  describeCases(`${provider} as a Membership`, memberCases, make);
}
