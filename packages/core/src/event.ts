/**
 * Events: immutable instances of classes that carry a nominal tag. The class is the identity at run
 * time, the tag the identity on the wire and between two copies of one package.
 *
 * The tag is also a type: without it two events of one shape would be interchangeable, and a wrong
 * direction would compile. It is kept as a record of tags, so that a subclass has those of its bases
 * and is assignable to them, while unrelated events never are.
 */

import type { EmptyFields } from "./types.ts";

/** Marks the nameless classes that `event` makes, also those of another copy of this package. */
const made = Symbol.for("kith.event.made");

/**
 * A static method under this key is told, with the class itself, when somebody subscribes to a class.
 * Messages register with the codecs by it: what nobody subscribes to and nobody builds, nobody needs
 * to decode. Shared by all copies of this package.
 */
export const onSubscribe: unique symbol = Symbol.for("kith.event.onSubscribe") as never;

/** Type-level key under which an event keeps its tags; nothing is stored there at run time. */
export declare const tagsOf: unique symbol;
/** Type-level key for the response that answers a request; nothing is stored there at run time. */
export declare const responseOf: unique symbol;
/** Type-level key that marks requests which are asked, not triggered. */
export declare const askedOnly: unique symbol;

/** The root of all events. Its instances are immutable by contract: no handler changes one. */
export abstract class Event {
  /** Every event class has a tag of its own; the root's makes it a class to subscribe to like any other. */
  static readonly tag: string = "kith/Event";
  /** Phantom: the tags of the event's class and its bases. */
  declare readonly [tagsOf]: object;

  constructor(fields?: object) {
    // One copy, so that a caller's object is never aliased; explicit classes pass nothing. The loop
    // costs two thirds of Object.assign, and no more where it sees fields of many shapes.
    if (fields === undefined) return;
    const from = fields as Record<string, unknown>;
    for (const name in from) (this as Record<string, unknown>)[name] = from[name];
  }
}

/** What the kernel needs to know of an event's class; one-line and explicit classes both satisfy it. */
export interface EventClass<E extends Event = Event> {
  /** The class's prototype, from which the type of its instances is inferred. */
  readonly prototype: E;
  /** The nominal tag, such as `"pingpong/Ping"`. */
  readonly tag: string;
  /** The class's name, for people. */
  readonly name: string;
}

/** The constructor arguments for the given fields: none are needed where all are optional. */
export type FieldArguments<F extends object> =
  Record<never, never> extends F ? [fields?: F] : [fields: F];

type BaseFields<B> = B extends abstract new (...args: infer A) => Event
  ? A extends [infer F extends object]
    ? F
    : A extends [(infer F extends object)?]
      ? F
      : EmptyFields
  : EmptyFields;

/** The class that `event(tag)` makes, ready to be extended with its fields as the type argument. */
export interface EventBase<Tag extends string, E extends Event, F0 extends object> {
  new <F extends object = EmptyFields>(
    ...fields: FieldArguments<F & F0>
  ): E & Readonly<F> & { readonly [tagsOf]: { readonly [K in Tag]: true } };
  readonly prototype: E & { readonly [tagsOf]: { readonly [K in Tag]: true } };
  readonly tag: string;
}

/**
 * Makes the base class of an event.
 *
 * ```ts no-run
 * import { event } from "@kith/core";
 * class Ping extends event("pingpong/Ping")<{ n: number }> {}
 * ```
 *
 * The hottest events may be explicit classes with a hand-written constructor, which are cheaper to
 * build: `class Ping extends event("pingpong/Ping") { readonly n: number; constructor(n: number) {
 * super(); this.n = n; } }`.
 *
 * @param tag unique in the whole program, by convention `package/Name`
 * @param base an event class to derive from; handlers of the base see the derived event too
 */
export function event<const Tag extends string>(tag: Tag): EventBase<Tag, Event, EmptyFields>;
export function event<const Tag extends string, B extends EventClass>(
  tag: Tag,
  base: B,
): EventBase<Tag, B["prototype"], BaseFields<B>>;
export function event(tag: string, base: unknown = Event): unknown {
  const parent = base as new (fields?: object) => Event;
  const tagged = class extends parent {
    static readonly tag: string = tag;
  };
  Object.defineProperty(tagged, made, { value: true });
  return tagged;
}

/** An event that is asked and answered: `ask` on the user's side, `reply` on the provider's. */
export abstract class Request<R extends Event = Event> extends Event {
  /** Phantom: the class of the response. */
  declare readonly [responseOf]: R;
  /** Phantom: a request is asked; triggering it would leave the provider without a reply token. */
  declare readonly [askedOnly]: true;
}

/** The class that `request(tag, Response)` makes. */
export interface RequestBase<Tag extends string, R extends Event> extends EventBase<
  Tag,
  Request<R>,
  EmptyFields
> {
  /** The class of the response, checked again when a reply is given. */
  readonly response: EventClass<R>;
}

/**
 * Makes the base class of a request that is answered by one response.
 *
 * ```ts no-run
 * import { event, request } from "@kith/core";
 * class Value extends event("store/Value")<{ value: string | null }> {}
 * class Get extends request("store/Get", Value)<{ key: string }> {}
 * ```
 */
export function request<const Tag extends string, C extends EventClass>(
  tag: Tag,
  response: C,
): RequestBase<Tag, C["prototype"]> {
  const tagged = event(tag, Request as unknown as EventClass) as unknown as {
    response: EventClass;
  };
  Object.defineProperty(tagged, "response", { value: response });
  return tagged as unknown as RequestBase<Tag, C["prototype"]>;
}

/** The root of the events that a Timer gives back when their time has come. */
export abstract class Timeout extends event("kith/Timeout") {}

/** Makes the base class of a timeout: `class Retry extends timeout("my/Retry")<{ attempt: number }> {}`. */
export function timeout<const Tag extends string>(tag: Tag): EventBase<Tag, Timeout, EmptyFields> {
  return event(tag, Timeout as unknown as EventClass) as unknown as EventBase<
    Tag,
    Timeout,
    EmptyFields
  >;
}

/**
 * The tag that names exactly this class, or undefined for a class that merely inherits one. Two
 * classes with the same own tag are two copies of one event (a package that is installed twice).
 */
export function ownTag(cls: object): string | undefined {
  const base: unknown = Object.getPrototypeOf(cls);
  // `class Ping extends event("t")`: the tag stands on the nameless class in between.
  return typeof base === "function" && Object.hasOwn(base, made)
    ? (base as unknown as EventClass).tag
    : undefined;
}
