import { AdaptiveDetector, PhiDetector } from "./index.ts";
import { detectorCompliance } from "./compliance/index.ts";
import { simulated } from "./sim-harness.test.ts";

detectorCompliance("AdaptiveDetector", () => simulated(AdaptiveDetector));
detectorCompliance("PhiDetector", () => simulated(PhiDetector));
detectorCompliance("AdaptiveDetector, swapped for PhiDetector and back,", () =>
  simulated(AdaptiveDetector, 2, PhiDetector),
);
