/** Group multicast: views and messages in one order, from the log of a replicated group. */

export { GroupMulticast, type MulticastInit } from "./group-multicast.ts";
export {
  Delivered,
  Expel,
  FallenBehind,
  Join,
  Joined,
  Leave,
  Multicast,
  type MulticastView,
  NotMember,
  type Participant,
  Send,
  Sequenced,
  ViewChanged,
} from "./port.ts";
export { multicastSequence } from "./sequence.ts";
