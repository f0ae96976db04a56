/** The suites that every provider of a port of this package passes, real or simulated. */

import { describeCases } from "@kith/testing/compliance";
import { commitCases } from "./commit-cases.ts";
import type { CommitHarness } from "./commit-harness.ts";
import { consensusCases } from "./consensus-cases.ts";
import type { ConsensusHarness } from "./consensus-harness.ts";
import { decideCases } from "./decide-cases.ts";
import type { DecideHarness } from "./decide-harness.ts";
import { multicastCases } from "./multicast-cases.ts";
import type { MulticastHarness } from "./multicast-harness.ts";

export { commitCases } from "./commit-cases.ts";
export {
  type CommitClass,
  type CommitHarness,
  CommitPeer,
  commitPeerOf,
  type CommitPeerInit,
  commitSuiteSettings,
  type Votes,
} from "./commit-harness.ts";

export { consensusCases } from "./consensus-cases.ts";
export {
  type AppliedLine,
  type ConsensusHarness,
  ConsensusPeer,
  consensusPeerOf,
  type ConsensusProvider,
  consensusSettings,
  lines,
} from "./consensus-harness.ts";

export { decideCases } from "./decide-cases.ts";
export {
  type DecideClass,
  type DecideHarness,
  DecidePeer,
  decidePeerOf,
  openMax,
} from "./decide-harness.ts";

export { multicastCases } from "./multicast-cases.ts";
export {
  type Given,
  keepPlaces,
  multicastComplaint,
  type MulticastHarness,
  MulticastPeer,
  nameOf,
} from "./multicast-harness.ts";

/**
 * Declares the suite of Decisions to mocha.
 *
 * @param make builds a fresh harness, for each case anew
 */
export function decideCompliance(provider: string, make: () => DecideHarness): void {
  describeCases(`${provider} as a Decisions`, decideCases, make);
}

/** Declares the suite of Multicast to mocha. */
export function multicastCompliance(provider: string, make: () => MulticastHarness): void {
  describeCases(`${provider} as a Multicast`, multicastCases, make);
}

/** Declares the suite of Consensus to mocha. */
export function consensusCompliance(provider: string, make: () => ConsensusHarness): void {
  describeCases(`${provider} as a Consensus`, consensusCases, make);
}

/** Declares the suite of AtomicCommit to mocha. */
export function commitCompliance(provider: string, make: () => CommitHarness): void {
  describeCases(`${provider} as an AtomicCommit`, commitCases, make);
}
