/**
 * The suite that every provider of Storage passes, real or simulated.
 */

import { describeCases } from "@kith/testing/compliance";
import { type StorageHarness } from "./harness.ts";
import { storageCases } from "./cases.ts";

export { storageCases } from "./cases.ts";
export { type StorageHarness } from "./harness.ts";

/**
 * Declares the suite to mocha.
 *
 * @param make builds a fresh harness with an empty disk, for each case anew
 */
export function storageCompliance(provider: string, make: () => StorageHarness): void {
  describeCases(`${provider} as a Storage`, storageCases, make);
}
