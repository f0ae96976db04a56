/** The real world as one value, and a clean end on signals. */

export type { NodeErrorCode } from "./errors.ts";
export { real, type RealOptions, type RealWorld } from "./real.ts";
export { type SignalOptions, type Stoppable, stopOnSignals } from "./signals.ts";
export { bindAddress, type BoundAddress } from "@kith/network/host";
