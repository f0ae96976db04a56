/** The suites that every provider of Network and every codec pass. */

import { describeCases } from "@kith/testing/compliance";
import type { Codec } from "../codec.ts";
import { codecCases } from "./codec-cases.ts";
import { messageCases } from "./message-cases.ts";
import { connectionCases } from "./connection-cases.ts";
import { type NetworkHarness } from "./harness.ts";

export { codecCases, type CodecHarness } from "./codec-cases.ts";
export { type NetworkHarness, type Process } from "./harness.ts";

/** The cases of the suite of Network. */
export const networkCases = [...messageCases, ...connectionCases];

/**
 * Declares the suite of Network to mocha.
 *
 * @param make builds a fresh harness, for each case anew
 */
export function networkCompliance(provider: string, make: () => NetworkHarness): void {
  describeCases(`${provider} as a Network`, networkCases, make);
}

/**
 * Declares the suite of codecs to mocha.
 *
 * @param make builds a fresh codec, for each case anew
 */
export function codecCompliance(name: string, make: () => Codec): void {
  describeCases(`${name} as a Codec`, codecCases, () => ({
    codec: make(),
    wait: (until, _, done) => done(until()),
  }));
}
