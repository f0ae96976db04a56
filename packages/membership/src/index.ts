/** How peers find each other: bootstrap, peer sampling, T-Man. What all of them say are hints. */

export { Answer, Ask, Refresh } from "./bootstrap-messages.ts";
export { BootstrapClient, type BootstrapInit, type BootstrapState } from "./bootstrap-client.ts";
export { BootstrapServer, type Registered } from "./bootstrap-server.ts";
export { Cyclon, type CyclonState, Shuffle, Shuffled, Walk, Welcome } from "./cyclon.ts";
export type { MembershipErrorCode } from "./errors.ts";
export {
  Bootstrap,
  FindPeers,
  Introduce,
  Nearest,
  Nearness,
  PeerSampling,
  PeersFound,
  Register,
  Sample,
  Unregister,
} from "./port.ts";
export {
  clusterId,
  findPeriod,
  nearnessMax,
  nearnessPeriod,
  refreshPeriod,
  shuffleLength,
  shufflePeriod,
  shuffleTimeout,
  viewMax,
} from "./settings.ts";
export { distance, inHalfOpen, inOpen, ringSize } from "./space.ts";
export { Neighbours, TMan } from "./tman.ts";
export { type Entry, misfit } from "./view.ts";
