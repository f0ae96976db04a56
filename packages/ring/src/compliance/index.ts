/** The suite that every provider of Ring passes. Its cases wait for minutes, so they run in virtual time. */

import { describeCases } from "@kith/testing/compliance";
import { ringCases } from "./cases.ts";
import type { RingHarness } from "./harness.ts";

export { ringCases } from "./cases.ts";
export { type RingHarness, RingUser } from "./harness.ts";

/**
 * Declares the suite to mocha.
 *
 * @param make builds a fresh harness, for each case anew
 */
export function ringCompliance(provider: string, make: () => RingHarness): void {
  describeCases(`${provider} as a Ring`, ringCases, make);
}
