/** The φ-accrual failure detector. See `detector.ts` and `phiAccrual`. */

import { NodeDetector } from "./detector.ts";
import { phiAccrual, type PhiEstimate } from "./estimate.ts";
import { heartbeat, phiPause, phiSilenceMax, phiThreshold } from "./settings.ts";

/**
 * Suspects a process when the silence has become improbable beside the gaps that it usually has. No better
 * than `AdaptiveDetector` as a verdict; it takes its place where one likes a threshold in probabilities.
 * What it says is a hint: see `FailureDetector`.
 */
export class PhiDetector extends NodeDetector<PhiEstimate> {
  constructor() {
    super((read) =>
      phiAccrual({
        threshold: read(phiThreshold),
        pause: read(phiPause),
        heartbeat: read(heartbeat),
        silenceMax: read(phiSilenceMax),
      }),
    );
  }
}
