/** Failure detectors: who seems to be alive. Their verdicts are hints, never authority. */

export { AdaptiveDetector } from "./adaptive-detector.ts";
export { NodeDetector } from "./detector.ts";
export type { FdErrorCode } from "./errors.ts";
export {
  adaptive,
  type AdaptiveEstimate,
  type Estimate,
  type Judge,
  phi,
  phiAccrual,
  type PhiEstimate,
  type PhiOptions,
  type RoundTrips,
} from "./estimate.ts";
export {
  Enter,
  Leave,
  MemberAlive,
  MemberChange,
  MemberDead,
  MemberLeft,
  Membership,
  MemberSuspected,
} from "./members.ts";
export { Ping, Pong } from "./messages.ts";
export { PhiDetector } from "./phi-detector.ts";
export {
  Absent,
  Arrived,
  Departed,
  FailureDetector,
  Restore,
  Returned,
  RoundTrip,
  Suspect,
  type SuspectReason,
  Unwatch,
  Unwatched,
  Verdict,
  Watch,
} from "./port.ts";
export {
  absentAfter,
  heartbeat,
  missesMax,
  overhear,
  phiPause,
  phiSilenceMax,
  phiThreshold,
  stallMin,
  swimPeriod,
} from "./settings.ts";
export {
  contradiction,
  type DetectorState,
  type Outstanding,
  type Place,
  type Target,
  type Watched,
} from "./state.ts";
export { Swim } from "./swim.ts";
export { beats, type Member, type MemberStatus, type News, type SwimState } from "./swim-state.ts";
export { type Standing, Verdicts } from "./verdicts.ts";
