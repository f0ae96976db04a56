/**
 * What the kit has to know of the kernel and the kernel does not say: of which type and on which side
 * a child's port is, which instance stands behind a child, and what a value of the kernel is.
 *
 * It asks values and casts nothing: each function here looks at what it was given, and a kernel that
 * is built differently makes it give up with an error, not go on with a wrong type.
 */

import {
  type AnyPort,
  type Child,
  type ComponentClass,
  type Event,
  type EventClass,
  isOf as isClassOf,
  type ProvidedRef,
  type ReplyToken,
  type Request,
  type RequiredRef,
} from "@kith/core";

/** A port of the component under test, as the kit wires it. */
export type PortFacts =
  | {
      readonly name: string;
      readonly type: AnyPort;
      readonly provided: true;
      readonly ref: ProvidedRef<AnyPort>;
    }
  | {
      readonly name: string;
      readonly type: AnyPort;
      readonly provided: false;
      readonly ref: RequiredRef<AnyPort>;
    };

/** The ports of a child, in the order in which it declared them. */
export function portsOf(child: Child): PortFacts[] {
  return Object.entries<unknown>(child.ports).map(([name, ref]) => {
    const half = follow(ref);
    if (has(half, "type") && isPort(half.type) && has(half, "provided")) {
      const { type } = half;
      if (half.provided === true && isProvided(ref)) return { name, type, provided: true, ref };
      if (half.provided === false && isRequired(ref)) return { name, type, provided: false, ref };
    }
    throw new TypeError(`The port ${name} of ${child.path} is not built as this kit knows ports.`);
  });
}

/** The component that stands behind a child now. */
export function instanceOf<K extends ComponentClass>(child: Child, cls: K): InstanceType<K> {
  if (has(child, "core") && has(child.core, "instance") && isInstance(child.core.instance, cls)) {
    return child.core.instance;
  }
  throw new TypeError(`${child.path} is not an instance of ${cls.name}.`);
}

/** Whether an event is of a class, or of one derived from it; as the kernel sees it, so by tag where a package is there twice. */
export function isOf<K extends EventClass>(
  event: Event | undefined,
  cls: K,
): event is K["prototype"] {
  return event !== undefined && isClassOf(event.constructor, cls);
}

/** Those of the classes that no other of them is a base of: a handler for each sees every event once. */
export function rootsOf(classes: readonly EventClass[]): EventClass[] {
  const unique = [...new Set(classes)];
  return unique.filter((cls) => !unique.some((base) => base !== cls && isOf(cls.prototype, base)));
}

/** Whether events of this class are asked and answered. */
export function isRequestClass(cls: EventClass): cls is EventClass<Request> {
  return "response" in cls;
}

/** Whether an event was asked and wants an answer. */
export function isRequest(event: Event): event is Request {
  return "response" in event.constructor;
}

/** Whether a handler was given the token of a request. */
export function isToken(value: unknown): value is ReplyToken {
  return has(value, "asker") && has(value, "ask");
}

/**
 * Whether a request that went through the kernel is what the script's types say of it. They know more
 * than can be seen here: it was asked at a typed port, or expected by its class, and is the same now.
 */
export function isKnown<Q>(request: Event): request is Extract<Q, Event> {
  return isRequest(request);
}

/** Goes from a reference through exposed ports to the port itself. */
function follow(ref: unknown): unknown {
  let at = ref;
  for (;;) {
    if (has(at, "target")) {
      at = at.target;
    } else if (has(at, "child") && has(at, "name") && has(at.child, "core")) {
      const { name } = at;
      const ports: unknown = has(at.child.core, "ports") ? at.child.core.ports : undefined;
      const list: readonly unknown[] = Array.isArray(ports) ? ports : [];
      at = list.find((port) => has(port, "name") && port.name === name);
    } else {
      return at;
    }
  }
}

function has<K extends string>(value: unknown, key: K): value is Readonly<Record<K, unknown>> {
  return typeof value === "object" && value !== null && key in value;
}

function isPort(value: unknown): value is AnyPort {
  return has(value, "name") && has(value, "requests") && has(value, "indications");
}

function isProvided(ref: unknown): ref is ProvidedRef<AnyPort> {
  return typeof ref === "object" && ref !== null;
}

function isRequired(ref: unknown): ref is RequiredRef<AnyPort> {
  return typeof ref === "object" && ref !== null;
}

function isInstance<K extends ComponentClass>(value: unknown, cls: K): value is InstanceType<K> {
  return value instanceof cls;
}
