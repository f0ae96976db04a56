/**
 * State: what a component hands to its replacement. It is plain data with a version, exported as a
 * deep copy between any two handlers; asks, timers and queues are the kernel's and not part of it.
 *
 * A component either declares a state object, which is copied out and in as it is, or has a pair of
 * `exportState` and `importState`. `migrate` leads from older versions.
 */

import type { ComponentClass } from "./child.ts";
import type { Component } from "./component.ts";
import type { ComponentCore } from "./component-core.ts";
import { coreError } from "./errors.ts";
import { copyPlain } from "./plain.ts";
import type { PortsOf } from "./port.ts";

declare const declaredState: unique symbol;

/** A state object that the component declared: read it and write to it like any object. */
export type Declared<S extends object> = S & {
  /** Phantom: the shape that a replacement has to take. */
  readonly [declaredState]: S;
};

/** What a component with a state of its own may implement. */
export interface Stateful<S> {
  /** The version of the shape; 1 where it is not given. */
  readonly stateVersion?: number;
  /** A deep copy of the state; pure, and callable between any two handlers. */
  exportState(): S;
  /** Takes the state of the predecessor, before any event. */
  importState(state: S): void;
  /** Leads from the state of another version to one that `importState` takes. */
  migrate?(state: unknown, version: number): S;
}

/** The state of a component and its children, by name, as plain data. */
export interface Snapshot {
  /** The version of `state`. */
  readonly version: number;
  /** The state; undefined for a component that has none. */
  readonly state: unknown;
  readonly children: Readonly<Record<string, Snapshot>>;
}

type DeclaredField<C> = {
  [K in keyof C]: C[K] extends { readonly [declaredState]: infer S } ? S : never;
}[keyof C];

/** The state that instances of `C` hand over; never for those that have none (or keep it private). */
export type StateOf<C> = C extends { exportState(): infer S } ? S : DeclaredField<C>;

type Takes<New, S> = New extends { migrate(state: never, version: never): unknown }
  ? true
  : New extends { importState(state: infer T): void }
    ? S extends T
      ? true
      : false
    : [DeclaredField<New>] extends [never]
      ? false
      : S extends DeclaredField<New>
        ? true
        : false;

type DroppedPorts<Old, New> = {
  [K in keyof PortsOf<Old>]: K extends keyof PortsOf<New>
    ? PortsOf<New>[K] extends PortsOf<Old>[K]
      ? never
      : K
    : K;
}[keyof PortsOf<Old>];

/** The class `K` where its instances can replace `Old`; else an explanation. */
export type Replacement<Old extends Component, K extends ComponentClass> = [
  DroppedPorts<Old, InstanceType<K>>,
] extends [never]
  ? [StateOf<Old>] extends [never]
    ? K
    : Takes<InstanceType<K>, StateOf<Old>> extends true
      ? K
      : {
          readonly error: "the replacement does not take the state: importState, a declared state or migrate is missing";
          readonly state: StateOf<Old>;
        }
  : {
      readonly error: "the replacement lacks a port, or has it with another type or direction";
      readonly ports: DroppedPorts<Old, InstanceType<K>>;
    };

/** Exports a component and all below it. */
export function exportTree(core: ComponentCore): Snapshot {
  const children: Record<string, Snapshot> = {};
  for (const handle of core.childHandles()) children[handle.name] = exportTree(handle.core);
  const own = core.instance as Partial<Stateful<unknown>>;
  const state = own.exportState?.() ?? core.declared ?? undefined;
  return {
    version: own.stateVersion ?? 1,
    state: copyPlain(state, `The state of ${core.path}`),
    children,
  };
}

/**
 * Imports a snapshot into a component and all below it; children are matched by name.
 *
 * @param discarded takes the paths of states that found no component; the caller decides over them
 */
export function importTree(core: ComponentCore, snapshot: Snapshot, discarded: string[]): void {
  const { state, version } = snapshot;
  // In its own turn: what it triggers counts as the replacement's, after the commit.
  if (state !== undefined) core.system.within(core, () => importOne(core, state, version));
  for (const [name, child] of Object.entries(snapshot.children)) {
    const handle = core.children?.get(name);
    if (handle !== undefined) importTree(handle.core, child, discarded);
    else if (holdsState(child)) discarded.push(`${core.path}/${name}`);
  }
}

/** Imports the state of one component. */
export function importOne(core: ComponentCore, state: unknown, version: number): void {
  const own = core.instance as Partial<Stateful<unknown>>;
  const wanted = own.stateVersion ?? 1;
  if (version !== wanted) {
    if (own.migrate === undefined) {
      throw coreError(
        "KITH_STATE_VERSION",
        `${core.className} takes state of version ${wanted}, and was given version ${version}.`,
      );
    }
    state = own.migrate(state, version);
  }
  if (own.importState !== undefined) own.importState(state);
  else if (core.declared !== null) Object.assign(core.declared, state);
  else
    throw coreError(
      "KITH_SWAP_NO_TRANSFER",
      `${core.className} takes no state, and ${core.path} has one.`,
    );
}

function holdsState(snapshot: Snapshot): boolean {
  return snapshot.state !== undefined || Object.values(snapshot.children).some(holdsState);
}
