/**
 * The statements that expect one thing each. They are the same in a script and in all blocks; what
 * may stand beside them differs, and is said by the classes derived from this one.
 *
 * Type parameters: `P` is the table of ports, `Self` what a statement returns, and so what may follow.
 */

import type { DeadLetterReason, Event, EventClass, Fault, Request, ResponseOf } from "@kith/core";
import type { Among, AnswersAt, AskedAt, Leaving, PortName, RequestFor } from "./direction.ts";
import { isKnown, isOf } from "./kernel.ts";
import { type Fields, type Match, type Matcher, matcher, type Refusal, tested } from "./match.ts";
import { type Action, extend, type Leaf, nextStatement, type Trail, trailOf } from "./node.ts";
import type { Observed } from "./observed.ts";
import { show, showCause } from "./show.ts";

/** What a fault has to be; what is left out may be anything. */
export interface FaultMatch {
  /** The class of what was thrown. */
  readonly cause?: abstract new (...args: never[]) => unknown;
  /** The message of what was thrown: a part of it, or a pattern. */
  readonly message?: string | RegExp;
  /** The stable code of a `KithError`. */
  readonly code?: string;
  /** The class of the event in whose handler it was thrown. */
  readonly event?: EventClass;
  /** The end of the path of the component that threw, such as `Worker-1`. */
  readonly path?: string;
}

/** An answer's fields, or a predicate that also sees which request was answered. */
export type AnswerMatch<A, Q> = Fields<A> | ((answer: A, request: Q) => boolean);

/** A response, or how it is made of the request. */
export type Response<Q extends Event> = ResponseOf<Q> | ((request: Q) => ResponseOf<Q>);

/** A response to every request, or how it is made; undefined leaves the request to others. */
export type StandingResponse<Q extends Event> =
  | ResponseOf<Q>
  | ((request: Q) => ResponseOf<Q> | undefined);

/** Statements that expect one thing each. */
export abstract class Expecting<P, Self> {
  /** @internal */
  readonly [trailOf]: Trail;

  constructor(trail: Trail) {
    this[trailOf] = trail;
  }

  /** Makes what a statement returns. */
  protected abstract grown(trail: Trail): Self;

  /**
   * Expects an event as the next thing that leaves the component.
   *
   * @param port the component's port
   * @param cls the event's class, or a base of it
   * @param match some of its fields, or a predicate
   */
  expect<N extends PortName<P>, K extends EventClass>(
    port: N,
    cls: K & Among<K, Leaving<P[N]>>,
    match?: Match<K["prototype"]>,
  ): Self {
    const wanted = matcher<K>(cls, match);
    const leaf = this.leaf("expect", "event", port, wanted);
    return this.grown(extend(this[trailOf], [leaf]));
  }

  /**
   * Expects that the component asks a request as the next thing that leaves it, and leads on to what
   * becomes of it: `reply`, or `noReply`.
   */
  expectRequest<N extends PortName<P>, K extends EventClass<Request>>(
    port: N,
    cls: K & Among<K, AskedAt<P[N]>>,
    match?: Match<K["prototype"]>,
  ): Requested<K["prototype"], Self> {
    const trail = this.requested(port, matcher<K>(cls, match));
    return new Requested<K["prototype"], Self>(trail, (grown) => this.grown(grown));
  }

  /**
   * Expects that the component answers a request that the script has asked, as the next thing that
   * leaves it.
   *
   * @param match some fields of the answer, or a predicate over the answer and its request
   */
  expectAnswer<N extends PortName<P>, K extends EventClass>(
    port: N,
    cls: K & Among<K, AnswersAt<P[N]>>,
    match?: AnswerMatch<K["prototype"], RequestFor<P[N], K["prototype"]>>,
  ): Self {
    if (typeof match !== "function") {
      const leaf = this.leaf("expectAnswer", "answer", port, matcher<K>(cls, match));
      return this.grown(extend(this[trailOf], [leaf]));
    }
    const plain = this.leaf("expectAnswer", "answer", port, {
      text: `${cls.name} that satisfies the predicate`,
      source: `${cls.name}, (predicate)`,
      refuses: (event) => (isOf(event, cls) ? undefined : ""),
    });
    const refuses = (observed: Observed): Refusal => {
      const refusal = plain.refuses(observed);
      if (refusal !== undefined || observed.kind !== "answer") return refusal;
      const { event, request } = observed;
      if (!isOf<K>(event, cls) || !isKnown<RequestFor<P[N], K["prototype"]>>(request)) return "";
      return tested(() => match(event, request));
    };
    return this.grown(extend(this[trailOf], [{ ...plain, refuses }]));
  }

  /**
   * Expects a fault of the component as the next thing. What was triggered before the throw came
   * before it. After it the component goes on as the option `faultPolicy` says.
   */
  expectFault(match: FaultMatch | ((fault: Fault) => boolean) = {}): Self {
    const text = typeof match === "function" ? "(predicate)" : textOf(match);
    const leaf: Leaf = {
      ...nextStatement(this[trailOf], this, "expectFault", text),
      kind: "leaf",
      wanted: text === "" ? "a fault" : `a fault: ${text}`,
      refuses: (observed) => {
        if (observed.kind !== "fault") return "";
        const { fault } = observed;
        return typeof match === "function" ? tested(() => match(fault)) : differing(fault, match);
      },
    };
    return this.grown(extend(this[trailOf], [leaf]));
  }

  /**
   * Expects that an event reached nobody. Dead letters come after everything else that the same
   * statement has caused.
   */
  expectDeadLetter<K extends EventClass>(
    reason: DeadLetterReason,
    cls?: K,
    match?: Match<NoInfer<K>["prototype"]>,
  ): Self {
    const wanted = cls === undefined ? undefined : matcher<K>(cls, match);
    const source = wanted === undefined ? "" : `, ${wanted.source}`;
    const leaf: Leaf = {
      ...nextStatement(this[trailOf], this, "expectDeadLetter", `${show(reason)}${source}`),
      kind: "leaf",
      wanted: `a dead letter: ${wanted?.text ?? "any event"} (${reason})`,
      refuses: (observed) => {
        if (observed.kind !== "dead-letter") return "";
        if (observed.reason !== reason) return `the reason is ${observed.reason}`;
        if (wanted === undefined) return undefined;
        return observed.event === undefined ? "" : wanted.refuses(observed.event);
      },
    };
    return this.grown(extend(this[trailOf], [leaf]));
  }

  /** The trail after an expected request. */
  protected requested(port: string, wanted: Matcher): Trail {
    return extend(this[trailOf], [this.leaf("expectRequest", "request", port, wanted)]);
  }

  private leaf(
    verb: string,
    kind: "event" | "request" | "answer",
    port: string,
    { text, source, refuses }: Matcher,
  ): Leaf {
    const article = kind === "event" ? "" : `the ${kind} `;
    return {
      ...nextStatement(this[trailOf], this, verb, `${show(port)}, ${source}`),
      kind: "leaf",
      wanted: `${article}${text} at ${port}`,
      refuses: (observed) =>
        observed.kind === kind && observed.port === port ? refuses(observed.event) : "",
    };
  }
}

/** After an expected request: what becomes of it. */
export class Requested<Q extends Event, Self> {
  protected readonly trail: Trail;
  readonly #grown: (trail: Trail) => Self;

  constructor(trail: Trail, grown: (trail: Trail) => Self) {
    this.trail = trail;
    this.#grown = grown;
  }

  /** Answers it, with a response or with what a function makes of the request. */
  reply(response: Response<NoInfer<Q>>): Self {
    const text = typeof response === "function" ? "(function)" : show(response);
    const action: Action = {
      ...nextStatement(this.trail, this, "reply", text),
      kind: "action",
      perform: (stage, last) => {
        if (last?.kind !== "request") return;
        stage.reply(last, responseTo(last.event, response));
      },
    };
    return this.#grown(extend(this.trail, [action]));
  }

  /** Leaves it unanswered. */
  noReply(): Self {
    return this.#grown(this.trail);
  }
}

/** The response to a request that the script has expected. */
export function responseTo<Q extends Event>(request: Event, response: Response<Q>): Event {
  const made = standingResponseTo<Q>(request, response);
  if (made !== undefined) return made;
  throw new TypeError(`The function made no response to ${show(request)}.`);
}

/** The response of a standing rule to a request of its class. */
export function standingResponseTo<Q extends Event>(
  request: Event,
  response: StandingResponse<Q>,
): Event | undefined {
  if (typeof response !== "function") return response;
  return isKnown<Q>(request) ? response(request) : undefined;
}

function textOf({ cause, message, code, event, path }: FaultMatch): string {
  const parts: string[] = [];
  if (cause !== undefined) parts.push(`cause: ${cause.name}`);
  if (message !== undefined) {
    parts.push(`message: ${typeof message === "string" ? show(message) : String(message)}`);
  }
  if (code !== undefined) parts.push(`code: ${show(code)}`);
  if (event !== undefined) parts.push(`event: ${event.name}`);
  if (path !== undefined) parts.push(`path: ${show(path)}`);
  return parts.length === 0 ? "" : `{ ${parts.join(", ")} }`;
}

function differing(fault: Fault, match: FaultMatch): Refusal {
  const { cause, message, code, event, path } = match;
  if (cause !== undefined && !(fault.cause instanceof cause)) {
    return `the cause is ${showCause(fault.cause)}, no ${cause.name}`;
  }
  const text = fault.cause instanceof Error ? fault.cause.message : String(fault.cause);
  if (message !== undefined) {
    const fits = typeof message === "string" ? text.includes(message) : text.search(message) >= 0;
    if (!fits) return `the message is ${show(text)}`;
  }
  if (code !== undefined && codeOf(fault.cause) !== code) {
    return `the code is ${show(codeOf(fault.cause))}`;
  }
  if (event !== undefined && !isOf(fault.event, event)) {
    return `the event is ${fault.event === undefined ? "none" : show(fault.event)}`;
  }
  if (path !== undefined && !`${fault.path}/`.endsWith(`/${path}/`))
    return `the path is ${fault.path}`;
  return undefined;
}

function codeOf(cause: unknown): unknown {
  return typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined;
}
