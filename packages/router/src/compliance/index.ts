/** The suite that every provider of Router passes, in virtual time and in real time. */

import { describeCases } from "@kith/testing/compliance";
import { routerCases } from "./cases.ts";
import type { RouterHarness } from "./harness.ts";

export { routerCases } from "./cases.ts";
export {
  Parcel,
  type RouterClass,
  RouterUser,
  RoutedPeer,
  routedPeer,
  type RouterHarness,
} from "./harness.ts";

/**
 * Declares the suite to mocha.
 *
 * @param make builds a fresh harness, for each case anew
 */
export function routerCompliance(provider: string, make: () => RouterHarness): void {
  describeCases(`${provider} as a Router`, routerCases, make);
}
