/**
 * Which events pass a port of the component under test, and in which direction, as types.
 *
 * `P` is always the table of ports that a script knows: the component's own ports by field name, and
 * those that the script offers. The component's own Timer is not among them, for the kit provides it.
 */

import type {
  Event,
  EventClass,
  IndicationsOf,
  PortsOf,
  ProvidedRef,
  Request,
  RequestsOf,
  RequiredRef,
  ResponseOf,
  Timer,
} from "@kith/core";

/** The ports of a component that a script drives: all but a required Timer. */
export type DrivenPorts<C> = {
  readonly [
    N in keyof PortsOf<C> as PortsOf<C>[N] extends RequiredRef<typeof Timer> ? never : N
  ]: PortsOf<C>[N];
};

/** The names of the ports in a table. */
export type PortName<P> = keyof P & string;

/** The events that leave the component at a port, and that it does not ask. */
export type Leaving<R> =
  R extends ProvidedRef<infer T>
    ? IndicationsOf<T>
    : R extends RequiredRef<infer T>
      ? Exclude<RequestsOf<T>, Request>
      : never;

/** The events that arrive at the component at a port, and that nobody asks. */
export type Arriving<R> =
  R extends ProvidedRef<infer T>
    ? Exclude<RequestsOf<T>, Request>
    : R extends RequiredRef<infer T>
      ? IndicationsOf<T>
      : never;

/** The requests that the component asks at a port. */
export type AskedAt<R> = R extends RequiredRef<infer T> ? Extract<RequestsOf<T>, Request> : never;

/** The requests that the component answers at a port. */
export type AnsweredAt<R> =
  R extends ProvidedRef<infer T> ? Extract<RequestsOf<T>, Request> : never;

/** The answers that leave the component at a port. */
export type AnswersAt<R> = ResponseOf<AnsweredAt<R>>;

/** The requests at a port that are answered by `A`. */
export type RequestFor<R, A> =
  AnsweredAt<R> extends infer Q
    ? Q extends Event
      ? [Extract<ResponseOf<Q>, A>] extends [never]
        ? [Extract<A, ResponseOf<Q>>] extends [never]
          ? never
          : Q
        : Q
      : never
    : never;

/** The class `K` where it, or a class derived from it, is among the events `E`; else an explanation. */
export type Among<K extends EventClass, E> = K["prototype"] extends E
  ? K
  : [Extract<E, K["prototype"]>] extends [never]
    ? { readonly error: "no event of this class passes here in this direction"; readonly passes: E }
    : K;
