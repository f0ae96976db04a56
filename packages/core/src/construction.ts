/**
 * The construction of components. A constructor finds its core here: `create` leaves it, and the
 * first thing that the base class does is to take it. This is the only state outside a system, and it
 * lives for the length of one synchronous call.
 */

import { ChildHandle, type ComponentClass } from "./child.ts";
import type { Component } from "./component.ts";
import { ComponentCore } from "./component-core.ts";
import type { Given } from "./config.ts";
import { coreError } from "./errors.ts";
import type { FaultPolicy } from "./fault.ts";
import { Few } from "./few.ts";
import { PortHalf } from "./half.ts";
import { copyPlain } from "./plain.ts";
import { ExposedRef } from "./reference.ts";
import type { System } from "./system.ts";

/** What a parent may say of a child beside its init. */
export interface ChildOptions {
  /** The child's name; by default its class with an ordinal. */
  readonly name?: string;
  /** What happens when it, or something below it that escalates, fails; goes before `onFault`. */
  readonly onFault?: FaultPolicy;
  /** Values of settings, for the child and its subtree. */
  readonly settings?: readonly Given[];
  /** How many events its mailbox takes; default 2^20. */
  readonly mailboxBound?: number;
}

/** Whatever a class may be called, minified or not, and what suits names that are given. */
const validName = /^[\p{ID_Continue}$.:#-]+$/u;

let waiting: ComponentCore | null = null;

/** Takes the core that `create` left for the constructor. */
export function takeCore(cls: { readonly name: string }): ComponentCore {
  const core = waiting;
  waiting = null;
  if (core === null)
    throw coreError("KITH_NOT_CREATED", `new ${cls.name}() was called outside of create.`);
  return core;
}

/** Creates a child of `parent`, ready to be started. A throw in its constructor is the creator's. */
export function createChild(
  parent: ComponentCore,
  cls: ComponentClass,
  init: unknown,
  options: ChildOptions,
): ChildHandle {
  const name = options.name ?? ordinalName(parent, cls.name);
  if (!validName.test(name))
    throw coreError(
      "KITH_NAME_INVALID",
      `${parent.path} gave a child the name ${JSON.stringify(name)}.`,
    );
  if (parent.children?.has(name) === true)
    throw coreError("KITH_DUPLICATE_NAME", `${parent.path} has a child named ${name} already.`);
  const bound = options.mailboxBound ?? parent.bound;
  if (!(Number.isSafeInteger(bound) && bound > 0))
    throw coreError("KITH_BAD_ARGUMENT", `The mailbox bound of ${name} is ${bound}.`);
  const pristine =
    init === undefined
      ? undefined
      : copyPlain(init, `The init of ${parent.path}/${name}`, "KITH_INIT_NOT_PLAIN");
  const core = new ComponentCore(parent.system, parent, name, bound);
  core.shadow = parent.shadow;
  const handle = new ChildHandle(name, cls, pristine, options.onFault, core);
  core.handle = handle;
  if (options.settings !== undefined)
    core.settings = new Few(options.settings.map((given) => [given.name, given]));
  // A copy of its own: neither the creator nor a later restart sees what the child makes of it.
  instantiate(core, cls, copyPlain(pristine, "init"));
  (parent.children ??= new Few()).set(name, handle);
  return handle;
}

/** Builds the replacement of a component, in its place of the tree but not yet connected to it. */
export function createShadow(
  old: ComponentCore,
  cls: ComponentClass,
  init: unknown,
  again: boolean,
): ComponentCore {
  const core = new ComponentCore(old.system, old.parent, old.name, old.bound);
  core.shadow = true;
  core.handle = old.handle;
  core.settings = old.settings === null ? null : new Few(old.settings);
  // One that is made again draws on; the replacement in a swap draws in its constructor what the old
  // one drew there, and goes on after the old one's draws when it takes the place.
  if (again) core.continueDraws(old.drawCounts);
  // Its children copy the suspension of their parent; the replacement starts with a clean one.
  instantiate(core, cls, init);
  return core;
}

/** Creates the root of a system, which has no parent and no init. */
export function createRoot(system: System, cls: ComponentClass, bound: number): ComponentCore {
  const core = new ComponentCore(system, null, "", bound);
  instantiate(core, cls, undefined);
  return core;
}

function instantiate(core: ComponentCore, cls: ComponentClass, init: unknown): void {
  const outer = waiting;
  waiting = core;
  try {
    core.instance = new cls(init);
    if (waiting !== null) throw coreError("KITH_SUPER_FIRST", `${cls.name} did not call super().`);
    namePorts(core, core.instance, cls.name);
    core.constructing = false;
  } catch (error) {
    core.system.discard(core);
    throw error;
  } finally {
    waiting = outer;
  }
  core.system.born(core);
}

/** A port's name is the field that holds it. */
function namePorts(core: ComponentCore, instance: Component, className: string): void {
  if (core.ports.length === 0) return;
  // A getter of a subclass must not run here, and Object.entries would make an array for each field.
  for (const field in instance) {
    const value: unknown = instance[field as keyof Component];
    if (
      (value instanceof PortHalf || value instanceof ExposedRef) &&
      value.core === core &&
      value.name === ""
    )
      value.name = field;
  }
  for (const port of core.ports) {
    if (port.name !== "") continue;
    const type = port instanceof PortHalf ? port.type.name : "exposed";
    throw coreError(
      "KITH_PORT_NOT_A_FIELD",
      `${className} at ${core.path} has a port (${type}) that is in no field of its own.`,
    );
  }
}

function ordinalName(parent: ComponentCore, name: string): string {
  const className = name === "" ? "Component" : name;
  parent.ordinals ??= new Map();
  const ordinal = (parent.ordinals.get(className) ?? 0) + 1;
  parent.ordinals.set(className, ordinal);
  return `${className}-${ordinal}`;
}
