/** The kith command, for programs: what `kith sim` does. */

export type { CliErrorCode } from "./errors.ts";
export { type Entry, findScenario, listScenarios } from "./library.ts";
export { type PoolOptions, runSeeds } from "./pool.ts";
export { type Output, sim, type SimOptions } from "./sim.ts";
