/** Whole clusters in one deterministic simulation: nodes, clocks, network, disks, and their faults. */

export type { Checkpoint } from "./checkpoint-data.ts";
export type { ClockSkew } from "./clock.ts";
export type { CrashOutcome, Disk, DiskOptions, MicrosRange, Recovery, RotPlace } from "./disk.ts";
export {
  bitRot,
  type DiskDeed,
  type DiskFaults,
  type DiskOperation,
  type DiskRule,
  type DiskVerdict,
  failingFlush,
  fullDisk,
  keptWrites,
  lostWrites,
  readErrors,
  slowFlush,
  tornWrites,
} from "./disk-faults.ts";
export type { StorageLimits } from "./storage.ts";
export type { ItemPlace } from "./rot.ts";
export type { SimErrorCode } from "./errors.ts";
export { type SwapNemesis, swapNemesis, type SwapNemesisOptions } from "./nemesis.ts";
export type { NodeState, SimNode } from "./node.ts";
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
export { resume } from "./resume.ts";
export { simulate, type Simulation, type SimulationOptions, type Within } from "./simulation.ts";
export { type PromiseWatch, type Twice, twice, type TwiceOptions } from "./twice.ts";
export type { Difference } from "./trace.ts";
