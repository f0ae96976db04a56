/**
 * References: how ports are named when they are wired. A reference leads to a half through the
 * child's handle and, where a composite exposes a port, through the exposed one: so it keeps leading
 * to the right half after a swap on either level, without a hop for the events.
 */

import type { ChildHandle } from "./child.ts";
import type { ComponentCore } from "./component-core.ts";
import { coreError } from "./errors.ts";
import { PortHalf } from "./half.ts";

/** A port of a child, by the child's handle and the port's name. */
export class ChildPortRef {
  readonly child: ChildHandle;
  readonly name: string;

  constructor(child: ChildHandle, name: string) {
    this.child = child;
    this.name = name;
  }
}

/** A port of a child that the composite `core` shows as its own. */
export class ExposedRef {
  readonly core: ComponentCore;
  readonly target: Reference;
  /** The field's name, known once the constructor has returned. */
  name = "";

  constructor(core: ComponentCore, target: Reference) {
    this.core = core;
    this.target = target;
  }
}

/** Everything that leads to a half. */
export type Reference = PortHalf | ChildPortRef | ExposedRef;

/** Follows a reference to the half that it leads to now. */
export function resolve(reference: Reference): PortHalf {
  let at: Reference = reference;
  while (!(at instanceof PortHalf)) {
    if (at instanceof ExposedRef) {
      at = at.target;
      continue;
    }
    const { child, name }: ChildPortRef = at;
    const next = child.core.portNamed(name);
    if (next === undefined) {
      throw coreError("KITH_PORT_NOT_A_FIELD", `${child.core.path} has no port named ${name}.`);
    }
    at = next;
  }
  return at;
}

/** Whether a reference leads through a port of the given component, or of a composite's inside. */
export function leadsThrough(reference: Reference | null, core: ComponentCore): boolean {
  let at: Reference | undefined | null = reference;
  while (at !== null && at !== undefined) {
    if (at instanceof PortHalf) return at.core === core;
    if (at instanceof ExposedRef) at = at.target;
    else if (at.child.core === core) return true;
    else at = at.child.core.portNamed(at.name);
  }
  return false;
}
