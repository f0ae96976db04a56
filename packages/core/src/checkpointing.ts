/** Checkpoints of systems, for simulated worlds: apart from the package's index, for no peer needs them. */

export { checkpointSystem, runnablesOf } from "./checkpoint.ts";
export type { SystemCheckpoint } from "./checkpoint-data.ts";
export { restoreSystem } from "./restore.ts";
