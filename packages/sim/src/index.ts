/** Whole clusters in one deterministic simulation: nodes, clocks, network, disks, and their faults. */

export type { ClockSkew } from "./clock.ts";
export type { SimErrorCode } from "./errors.ts";
export type { NodeState, SimNode } from "./node.ts";
export { simulate, type Simulation, type SimulationOptions, type Within } from "./simulation.ts";
export type { DecisionKind, Difference } from "./trace.ts";
