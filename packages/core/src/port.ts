/**
 * Port types, and the two sides of a port as the compiler sees them.
 *
 * A port type names the events that may pass and their direction: requests go to the provider,
 * indications to its users. A component holds a port on one side, as its own handle to subscribe to
 * and trigger on (`ProvidedPort`, `RequiredPort`); everyone else sees an opaque reference
 * (`ProvidedRef`, `RequiredRef`) that is good for `connect`, `exposes` and `offers` only.
 */

import type { Event, EventClass, Request, responseOf } from "./event.ts";
import type { Key, Millis } from "./types.ts";

declare const requestsOf: unique symbol;
declare const indicationsOf: unique symbol;
declare const provides: unique symbol;
declare const requires: unique symbol;
declare const tokenOf: unique symbol;

/** The contract between a provider and its users: which events pass, and in which direction. */
export interface PortType<
  Name extends string = string,
  Req extends Event = Event,
  Ind extends Event = Event,
> {
  /** The name, which is the port type's identity. */
  readonly name: Name;
  /** The classes that users trigger or ask and the provider handles. */
  readonly requests: readonly EventClass[];
  /** The classes that the provider triggers and users handle. */
  readonly indications: readonly EventClass[];
  /** Phantom: the union of the requests. */
  readonly [requestsOf]: Req;
  /** Phantom: the union of the indications. */
  readonly [indicationsOf]: Ind;
}

/** Any port type, for bounds of type parameters. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the kernel's bound for inference
export type AnyPort = PortType<string, any, any>;
/** The events that a provider of port type `P` handles. */
export type RequestsOf<P extends AnyPort> = P[typeof requestsOf];
/** The events that a user of port type `P` handles. */
export type IndicationsOf<P extends AnyPort> = P[typeof indicationsOf];

/**
 * Declares a port type.
 *
 * ```ts no-run
 * import { event, port } from "@kith/core";
 * class Ping extends event("pingpong/Ping")<{ n: number }> {}
 * class Pong extends event("pingpong/Pong")<{ n: number }> {}
 * const PingPong = port("PingPong", { requests: [Ping], indications: [Pong] });
 * ```
 *
 * A response to a request need not be listed: it travels by reply token.
 */
export function port<
  const Name extends string,
  const R extends readonly EventClass[] = readonly [],
  const I extends readonly EventClass[] = readonly [],
>(
  name: Name,
  events: { readonly requests?: R; readonly indications?: I },
): PortType<Name, R[number]["prototype"], I[number]["prototype"]> {
  const type = { name, requests: events.requests ?? [], indications: events.indications ?? [] };
  return Object.freeze(type) as unknown as PortType<
    Name,
    R[number]["prototype"],
    I[number]["prototype"]
  >;
}

/** A reference to a provided port, good for `connect`, `exposes` and `offers`. */
export interface ProvidedRef<P extends AnyPort> {
  /** Phantom: the port type, provided. */
  readonly [provides]: P;
}

/** A reference to a required port, good for `connect` and `exposes`. */
export interface RequiredRef<P extends AnyPort> {
  /** Phantom: the port type, required. */
  readonly [requires]: P;
}

/** Any reference to a port on one of its two sides. */
export type AnyRef = ProvidedRef<AnyPort> | RequiredRef<AnyPort>;

/** What a handler may return; the value is ignored. It keeps an `async` function from being a handler. */
// eslint-disable-next-line @typescript-eslint/no-invalid-void-type -- that is the point
export type Handled = void | boolean;

/** A subscription of a handler; `cancel` takes it back, at any time. */
export interface Subscription {
  /** Unsubscribes; a second call is the error `KITH_NOT_SUBSCRIBED`. */
  cancel(): void;
}

/**
 * What the handler of a request needs to answer it, once: now, later, or from the component's
 * replacement. Plain data: it may be kept in the component's state.
 */
export interface ReplyToken<R extends Event = Event> {
  /** The asker, by its number in the system. */
  readonly asker: number;
  /** The ask, by its number at the asker. */
  readonly ask: number;
  /** Phantom: the response. */
  readonly [tokenOf]: R;
}

/** The second argument of a handler: the reply token of a request, else nothing. */
export type TokenFor<E extends Event> = E extends { readonly [responseOf]: infer R extends Event }
  ? ReplyToken<R>
  : undefined;

/** The class `C` where it, or a superclass or subclass of it, passes in this direction; else an explanation. */
export type Passing<C extends EventClass, E extends Event> = C["prototype"] extends E
  ? C
  : [Extract<E, C["prototype"]>] extends [never]
    ? {
        readonly error: "no event of this class arrives at this side of the port";
        readonly arrives: E;
      }
    : C;

/** How a class-wide key is taken from the indications of a provided port. */
export interface KeyExtractor {
  /** The root of the classes that have a key. */
  readonly root: EventClass;
  /** The key of one event; undefined means that it goes to the unkeyed channels. */
  readonly key: (event: Event) => Key | undefined;
}

/**
 * Makes a key extractor for `provides`: `this.provides(Network, by(Message, (m) => m.to.peerId))`.
 * It applies to `root` and its subclasses.
 */
export function by<C extends EventClass>(
  root: C,
  key: (event: C["prototype"]) => Key | undefined,
): KeyExtractor {
  return { root, key: key as (event: Event) => Key | undefined };
}

/** A component's own provided port: it handles requests, and triggers indications. */
export interface ProvidedPort<P extends AnyPort> extends ProvidedRef<P> {
  /** Subscribes a handler to a request class, a superclass or a subclass of it. */
  on<C extends EventClass>(
    cls: C & Passing<C, RequestsOf<P>>,
    handler: (event: C["prototype"], token: TokenFor<C["prototype"]>) => Handled,
  ): Subscription;
  /** Sends an indication to the users. */
  trigger(event: IndicationsOf<P>): void;
  /** Answers a request. The first answer counts; a second, late or orphaned one is a dead letter. */
  reply<R extends Event>(token: ReplyToken<R>, response: NoInfer<R>): void;
}

/** What an asker may say beside the request. */
export interface AskOptions<Context> {
  /** After how many milliseconds `AskTimeout` is the answer; without it the ask waits for ever. */
  readonly timeout?: Millis;
  /** Plain data that comes back with the answer; a closure could not be carried over a swap. */
  readonly context: Context;
}

/** Asks a request; made by `onAnswer`, which says what happens to the answer. */
export type Ask<Q extends Event, Context> = undefined extends Context
  ? (request: Q, options?: Partial<AskOptions<Context>>) => void
  : (request: Q, options: AskOptions<Context>) => void;

/** The response type of a request type. */
export type ResponseOf<Q extends Event> = Q extends { readonly [responseOf]: infer R extends Event }
  ? R
  : never;

/** A component's own required port: it handles indications, and triggers or asks requests. */
export interface RequiredPort<P extends AnyPort> extends RequiredRef<P> {
  /** Subscribes a handler to an indication class, a superclass or a subclass of it. */
  on<C extends EventClass>(
    cls: C & Passing<C, IndicationsOf<P>>,
    handler: (event: C["prototype"], token: TokenFor<C["prototype"]>) => Handled,
  ): Subscription;
  /** Sends a request to the provider. Requests that are answered are asked instead. */
  trigger(event: Exclude<RequestsOf<P>, AskedOnly>): void;
  /**
   * Declares, once for each request class, what happens to answers, and returns the function that
   * asks. The context is whatever plain data the ask was given, so the continuation needs no closure.
   */
  onAnswer<C extends EventClass<Request>, Context = undefined>(
    cls: C & Passing<C, RequestsOf<P>>,
    handler: (
      answer: ResponseOf<C["prototype"]> | AskTimeout,
      request: C["prototype"],
      context: Context,
    ) => Handled,
  ): Ask<C["prototype"], Context>;
}

type AskedOnly = Request;
type AskTimeout = import("./ask.ts").AskTimeout;

/** The ports of a component that its parent may wire, by field name, as opaque references. */
export type PortsOf<C> = {
  readonly [K in keyof C as C[K] extends AnyRef ? K : never]: C[K] extends ProvidedRef<infer P>
    ? ProvidedRef<P>
    : C[K] extends RequiredRef<infer P>
      ? RequiredRef<P>
      : never;
};
