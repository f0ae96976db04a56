/** The suites that every provider of a port of this package passes, real or simulated. */

import { type Case, describeCases } from "@kith/testing/compliance";
import type { RegistersPeer, StoreHarness, StoreUsingPeer } from "./harness.ts";
import { singleCases } from "./registers-cases.ts";
import { storeCases as beyond } from "./store-cases.ts";

export { Asker, RegistersPeer, type StoreHarness, StoreUsingPeer } from "./harness.ts";

/** The cases of Registers. */
export const registersCases: readonly Case<StoreHarness<RegistersPeer>>[] = singleCases();

/** The cases of Store: those of single keys, and its own. */
export const storeCases: readonly Case<StoreHarness<StoreUsingPeer>>[] = [
  ...singleCases<StoreUsingPeer>(),
  ...beyond,
];

/**
 * Declares the suite of Registers to mocha.
 *
 * @param make builds a fresh harness, for each case anew
 */
export function registersCompliance(
  provider: string,
  make: () => StoreHarness<RegistersPeer>,
): void {
  describeCases(`${provider} as a Registers`, registersCases, make);
}

/** Declares the suite of Store to mocha. */
export function storeCompliance(provider: string, make: () => StoreHarness<StoreUsingPeer>): void {
  describeCases(`${provider} as a Store`, storeCases, make);
}
