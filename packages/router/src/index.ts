/** Routers: which peer a key belongs to, and sending to it. Where something arrives is a hint, never authority. */

export { ChordSharpRouter } from "./chord-sharp-router.ts";
export { chordSharp } from "./chord-sharp.ts";
export type { RouterErrorCode } from "./errors.ts";
export { FlexibleRouter } from "./flexible-router.ts";
export { flexible } from "./flexible.ts";
export { KaryRouter } from "./kary-router.ts";
export { kary } from "./kary.ts";
export {
  AskFinger,
  Finger,
  type Goal,
  Hop,
  HopAck,
  type Outcome,
  type Packet,
  type Payload,
  Relay,
  Reply,
  ReplyAck,
  type Taking,
} from "./messages.ts";
export {
  Covered,
  type Interval,
  Learn,
  Located,
  Lookup,
  Routed,
  type RouteFailure,
  Router,
  SendToInterval,
  SendToKey,
  SendToPeer,
  Sent,
} from "./port.ts";
export { RouterNode } from "./router.ts";
export {
  arity,
  attemptsMax,
  attemptTimeout,
  callsMax,
  candidatesMax,
  deliveredMax,
  hopTimeout,
  legsMax,
  proximity,
  refreshPeriod,
  tableMax,
} from "./settings.ts";
export {
  type Asker,
  type Call,
  contradiction,
  type Entry,
  type Leg,
  type Neighbourhood,
  type Report,
  type RouterState,
} from "./state.ts";
export type { Refresh, Table } from "./table.ts";
