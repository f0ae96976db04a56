/** What the kit observes of the component: everything that an expectation can be about. */

import type { DeadLetterReason, Event, Fault, ReplyToken } from "@kith/core";
import { show, showCause } from "./show.ts";

interface Common {
  /** Its line in the transcript. */
  readonly line: number;
  /** The port's name; empty for what came at none. */
  readonly port: string;
  /**
   * `open`: somebody has to expect it. `allowed`: an expectation may take it, or nobody does.
   * `answered`: a standing rule has dealt with it.
   */
  status: "open" | "allowed" | "answered";
}

/** The component triggered an event. */
export interface ObservedEvent extends Common {
  readonly kind: "event";
  readonly event: Event;
}

/** The component asked a request. */
export interface ObservedRequest extends Common {
  readonly kind: "request";
  readonly event: Event;
  readonly token: ReplyToken;
}

/** The component answered a request of the script. */
export interface ObservedAnswer extends Common {
  readonly kind: "answer";
  readonly event: Event;
  readonly request: Event;
}

/** An exception got out of the component. */
export interface ObservedFault extends Common {
  readonly kind: "fault";
  readonly event: Event | undefined;
  readonly fault: Fault;
}

/** An event reached nobody. */
export interface ObservedDeadLetter extends Common {
  readonly kind: "dead-letter";
  readonly event: Event | undefined;
  readonly reason: DeadLetterReason;
  readonly path: string;
}

/** One thing that came. */
export type Observed =
  | ObservedEvent
  | ObservedRequest
  | ObservedAnswer
  | ObservedFault
  | ObservedDeadLetter;

/** Says what came, for the reader of a failure. */
export function describe(observed: Observed): string {
  switch (observed.kind) {
    case "event":
      return `${show(observed.event)} at ${observed.port}`;
    case "request":
      return `the request ${show(observed.event)} at ${observed.port}`;
    case "answer":
      return `the answer ${show(observed.event)} at ${observed.port}`;
    case "fault":
      return `a fault: ${faultText(observed.fault)}`;
    case "dead-letter":
      return `a dead letter: ${letterText(observed.reason, observed.event)}, at ${observed.port === "" ? observed.path : `${observed.port} of ${observed.path}`}`;
  }
}

/** A fault in one line. */
export function faultText({ cause, event }: Fault): string {
  const of = event === undefined ? "" : `, while handling ${show(event)}`;
  return `${showCause(cause)}${of}`;
}

/** A dead letter in one line. */
export function letterText(reason: DeadLetterReason, event: Event | undefined): string {
  return `${event === undefined ? "an entry" : show(event)} (${reason})`;
}
