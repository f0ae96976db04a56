/** The suites that every provider of Ring and of Merger passes. Their cases wait for minutes, so they run in virtual time. */

import { describeCases } from "@kith/testing/compliance";
import { ringCases } from "./cases.ts";
import type { MergerHarness, RingHarness } from "./harness.ts";
import { mergerCases } from "./merger-cases.ts";

export { ringCases } from "./cases.ts";
export { type MergerHarness, MergerUser, type RingHarness, RingUser } from "./harness.ts";
export { mergerCases } from "./merger-cases.ts";

/**
 * Declares the suite of Ring to mocha.
 *
 * @param make builds a fresh harness, for each case anew
 */
export function ringCompliance(provider: string, make: () => RingHarness): void {
  describeCases(`${provider} as a Ring`, ringCases, make);
}

/** Declares the suite of Merger to mocha. */
export function mergerCompliance(provider: string, make: () => MergerHarness): void {
  describeCases(`${provider} as a Merger`, mergerCases, make);
}
