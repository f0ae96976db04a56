/**
 * The suite that every provider of Timer passes, real or simulated.
 *
 * ```ts no-run
 * import { ManualWorld } from "@kith/core";
 * import { stepping } from "@kith/testing/compliance";
 * import { timerCompliance } from "@kith/timer/compliance";
 *
 * timerCompliance("ManualWorld", () => {
 *   const world = new ManualWorld();
 *   return { world, wait: stepping((duration) => world.advance(duration)) };
 * });
 * ```
 */

import { describeCases } from "@kith/testing/compliance";
import { timerCases } from "./cases.ts";
import type { TimerHarness } from "./harness.ts";

export { timerCases } from "./cases.ts";
export { type TimerHarness } from "./harness.ts";

/**
 * Declares the suite to mocha.
 *
 * @param make builds a fresh harness, for each case anew
 */
export function timerCompliance(provider: string, make: () => TimerHarness): void {
  describeCases(`${provider} as a Timer`, timerCases, make);
}
