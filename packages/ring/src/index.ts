/** Rings: who stands before and behind a peer in the order of identifiers. Views are hints, never authority. */

export { ChordRing } from "./chord-ring.ts";
export { chord } from "./chord.ts";
export { Effects, type RingProtocol } from "./effects.ts";
export type { RingErrorCode } from "./errors.ts";
export { RingGossip } from "./gossip.ts";
export {
  Goto,
  IdInUse,
  Join,
  JoinOk,
  Leaving,
  Linked,
  NewSuccessor,
  Stabilise,
  Stabilised,
  Successors,
} from "./messages.ts";
export {
  Closer,
  Knock,
  KnockAnswer,
  Meet,
  Merger,
  mergerFanout,
  mergerProbe,
  mergerWork,
  Passive,
  Remember,
  RingMerger,
  Seek,
} from "./merger.ts";
export {
  Consider,
  FoundRing,
  JoinRefused,
  JoinRing,
  LeaveRing,
  Ring,
  RingLeft,
  type RingStatus,
  RingView,
} from "./port.ts";
export { RelaxedRing } from "./relaxed-ring.ts";
export { relaxed } from "./relaxed.ts";
export { RingNode } from "./ring.ts";
export { joinTimeout, stabilisePeriod, successorsMax } from "./settings.ts";
export { contradiction, emptyRing, type RingState } from "./state.ts";
