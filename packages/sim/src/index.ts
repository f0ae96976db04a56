/** Whole clusters in one deterministic simulation: nodes, clocks, network, disks, and their faults. */

export type { ClockSkew } from "./clock.ts";
export type { CrashOutcome, Disk, DiskOptions, MicrosRange, Recovery, RotPlace } from "./disk.ts";
export * from "./disk-faults.ts";
export type { SimErrorCode } from "./errors.ts";
export { type SwapNemesis, swapNemesis, type SwapNemesisOptions } from "./nemesis.ts";
export type { NodeState, SimNode } from "./node.ts";
export type { ItemPlace } from "./rot.ts";
export {
  delay,
  duplication,
  type Latency,
  loss,
  oneWay,
  partition,
  reordering,
  resets,
  type Rule,
  type Scope,
  table,
  type Travelling,
  uniform,
  type Verdict,
} from "./rules.ts";
export { simulate, type Simulation, type SimulationOptions, type Within } from "./simulation.ts";
export { type Twice, twice } from "./twice.ts";
export type { Difference } from "./trace.ts";
