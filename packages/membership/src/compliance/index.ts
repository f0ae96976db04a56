/**
 * The suites that every provider of Bootstrap and of PeerSampling passes. Their cases wait for minutes,
 * so they run in virtual time.
 */

import { describeCases } from "@kith/testing/compliance";
import { bootstrapCases, samplingCases } from "./cases.ts";
import type { MembershipHarness } from "./harness.ts";

export { bootstrapCases, samplingCases } from "./cases.ts";
export { type MembershipHarness, Participant } from "./harness.ts";

/**
 * Declares the suite of Bootstrap to mocha.
 *
 * @param make builds a fresh harness, for each case anew
 */
export function bootstrapCompliance(provider: string, make: () => MembershipHarness): void {
  describeCases(`${provider} as a Bootstrap`, bootstrapCases, make);
}

/** Declares the suite of PeerSampling to mocha. */
export function samplingCompliance(provider: string, make: () => MembershipHarness): void {
  describeCases(`${provider} as a PeerSampling`, samplingCases, make);
}
