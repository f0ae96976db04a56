/** Scenarios: what a protocol is put through and what has to hold, and who runs, searches and shrinks them. */

export { type SeedCheck, type SeedChecks, seedChecks } from "./checks.ts";
export type { OperationCounts } from "./callers.ts";
export {
  constant,
  type Distribution,
  exponential,
  normal,
  oneOf,
  uniform,
  zipf,
} from "./distribution.ts";
export { eachFact, someFact } from "./facts.ts";
export type { HistoryEvent } from "./history.ts";
export {
  allKinds,
  describeFault,
  type Fault,
  type FaultKind,
  faultKinds,
  type Injected,
} from "./kinds.ts";
export { type Plan, type PlannedOperation, planFor, type Rest } from "./plan.ts";
export {
  Fact,
  type FactClass,
  type Operation,
  type OutcomeType,
  Perform,
  Performed,
  Workload,
} from "./port.ts";
export { Recording } from "./recording.ts";
export { type RunOptions, runPlan, type RunResult, runSeed } from "./run.ts";
export {
  type Check,
  type Eventually,
  type FaultChoice,
  type Input,
  type Invariant,
  type LaterVersion,
  type OperationTurn,
  type ProcessEnd,
  type ProcessPlan,
  type ProcessStart,
  type Quota,
  scenario,
  type Scenario,
  type Sometimes,
  type Storm,
  type SwapChoice,
  type Tolerance,
  type Tolerances,
  type Verdict,
} from "./scenario.ts";
export { decisionsOf, shrink, type ShrinkOptions, type Shrunk } from "./shrink.ts";
export { replay, type Story, storyFile } from "./story.ts";
export {
  freshSeeds,
  reportOf,
  runSuite,
  type SeedReport,
  Suite,
  type SuiteResult,
} from "./suite.ts";
export { isReport, type NodeView, type Reported, type View } from "./view.ts";
export type { Failure } from "./watch.ts";
