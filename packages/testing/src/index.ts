/** The test kit for components: a script of what goes into one component and what has to come out. */

export type { AnyOrder, Begin, Block, Body } from "./block.ts";
export type { DrivenPorts } from "./direction.ts";
export { deepEqual } from "./equality.ts";
export type { TestErrorCode } from "./errors.ts";
export type {
  AnswerMatch,
  FaultMatch,
  Requested,
  Response,
  StandingResponse,
} from "./expecting.ts";
export type { Fields, Match } from "./match.ts";
export { drive, type Opening, type RequestedInScript, type Script } from "./script.ts";
export { show } from "./show.ts";
export type { DriveOptions } from "./stage.ts";
export type { Line, Transcript } from "./transcript.ts";
