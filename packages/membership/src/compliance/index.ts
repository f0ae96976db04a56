/**
 * The suites that every provider of Bootstrap, of PeerSampling and of Nearness passes. Their cases wait for minutes,
 * so they run in virtual time.
 */

import { describeCases } from "@kith/testing/compliance";
import { bootstrapCases, nearnessCases, samplingCases } from "./cases.ts";
import type { MembershipHarness } from "./harness.ts";

export { bootstrapCases, nearnessCases, samplingCases } from "./cases.ts";
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

/** Declares the suite of Nearness to mocha. */
export function nearnessCompliance(provider: string, make: () => MembershipHarness): void {
  describeCases(`${provider} as a Nearness`, nearnessCases, make);
}
