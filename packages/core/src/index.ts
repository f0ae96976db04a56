/** The component model of Kith: events, ports, components, their life, and how they are replaced. */

export { AskTimeout } from "./ask.ts";
export type { Channel, ChannelOptions } from "./channel.ts";
export type { Child, ComponentClass, InitArguments, InitOf } from "./child.ts";
export type { Clock, ComponentClock } from "./clock.ts";
export { Component } from "./component.ts";
export { type Given, type Setting, setting } from "./config.ts";
export type { ChildOptions } from "./construction.ts";
export {
  ChildKilled,
  ChildStarted,
  ChildStopped,
  Control,
  HighWater,
  LowWater,
  SettingChanged,
  Swapped,
  SwapFailed,
} from "./control.ts";
export { type CoreErrorCode, KithError } from "./errors.ts";
export {
  Event,
  type EventBase,
  type EventClass,
  event,
  type FieldArguments,
  onSubscribe,
  Request,
  type RequestBase,
  request,
  Timeout,
  timeout,
} from "./event.ts";
export { type Fault, type FaultPolicy, type Resolution, type Restart, restart } from "./fault.ts";
export { isOf } from "./interest.ts";
export type { DeadLetter, DeadLetterReason, InspectionRecord, RecordKind } from "./inspect.ts";
export type { Logger, LogLevel, LogRecord, LogSink } from "./log.ts";
export { ManualClock, ManualScheduler } from "./manual-scheduler.ts";
export { ManualWorld, type ManualWorldOptions } from "./manual-world.ts";
export { octetText } from "./octets.ts";
export { copyPlain } from "./plain.ts";
export {
  type AnyPort,
  type AnyRef,
  type Ask,
  type AskOptions,
  by,
  type Handled,
  type IndicationsOf,
  type KeyExtractor,
  type Passing,
  type PortsOf,
  type PortType,
  port,
  type ProvidedPort,
  type ProvidedRef,
  type ReplyToken,
  type RequestsOf,
  type RequiredPort,
  type RequiredRef,
  type ResponseOf,
  type Subscription,
  type TokenFor,
} from "./port.ts";
export { type Draw, DrawStream, mix, type StreamKey, streamKey } from "./random.ts";
export { RealScheduler } from "./real-scheduler.ts";
export type { Runnable, Scheduler } from "./scheduler.ts";
export { copyBytes } from "./slab.ts";
export type { Declared, Replacement, Snapshot, Stateful, StateOf } from "./state.ts";
export type { SwapOptions } from "./swap.ts";
export { launch, type Place, run, System, type SystemEvents } from "./system.ts";
export {
  CancelTimeout,
  Expired,
  SchedulePeriodic,
  ScheduleTimeout,
  Timer,
  type TimerId,
} from "./timer.ts";
export type { EmptyFields, Key, Millis } from "./types.ts";
export { bare, type Root, type World } from "./world.ts";
