/**
 * The handle of a child: it stands for the place in the tree, and so always means the component that
 * is there now, before and after a restart or a swap.
 */

import type { Component } from "./component.ts";
import type { ComponentCore } from "./component-core.ts";
import type { FaultPolicy } from "./fault.ts";
import type { PortsOf } from "./port.ts";
import { ChildPortRef } from "./reference.ts";
import type { SwapJob } from "./swap.ts";

/** A constructor of components: without arguments, or with its init. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the kernel's bound for inference
export type ComponentClass<C extends Component = Component> = new (...args: any[]) => C;

/** What `create(Class, …)` takes after the class: the init where the constructor wants one, then options. */
export type InitArguments<K extends ComponentClass, Options> =
  ConstructorParameters<K> extends []
    ? [init?: Record<string, never>, options?: Options]
    : ConstructorParameters<K> extends [infer I]
      ? [init: I, options?: Options]
      : ConstructorParameters<K> extends [(infer I)?]
        ? [init?: I, options?: Options]
        : [error: { readonly error: "a component's constructor takes nothing, or one init" }];

/** The init type of a component class. */
export type InitOf<K extends ComponentClass> = InitArguments<K, never>[0];

/** A component's handle of one of its children. */
export interface Child<C extends Component = Component> {
  /** The name, unique among the parent's children. */
  readonly name: string;
  /** The path from the root, such as `/Main-1/Pinger-1`. */
  readonly path: string;
  /** References to the child's ports, by field name. */
  readonly ports: PortsOf<C>;
}

/** Most children are never restarted or swapped: they share one empty list. */
const none: readonly never[] = [];

/** The kernel's side of a child. */
export class ChildHandle {
  readonly name: string;
  cls: ComponentClass;
  readonly policy: FaultPolicy | undefined;
  init: unknown;
  core: ComponentCore;
  /** Whether the parent's start or stop still waits for this one. */
  awaited = false;
  /** When it was restarted, in microseconds. */
  restarts: readonly number[] = none;
  /** Swaps of this child that are under way or wait for their turn. */
  swaps: readonly SwapJob[] = none;
  #refs: Record<string, ChildPortRef> | null = null;
  #refsOf: ComponentCore | null = null;

  constructor(
    name: string,
    cls: ComponentClass,
    init: unknown,
    policy: FaultPolicy | undefined,
    core: ComponentCore,
  ) {
    this.name = name;
    this.cls = cls;
    this.init = init;
    this.policy = policy;
    this.core = core;
  }

  get path(): string {
    return this.core.path;
  }

  get ports(): Readonly<Record<string, ChildPortRef>> {
    if (this.#refs === null || this.#refsOf !== this.core) {
      const refs: Record<string, ChildPortRef> = {};
      for (const { name } of this.core.ports)
        refs[name] = this.#refs?.[name] ?? new ChildPortRef(this, name);
      this.#refs = refs;
      this.#refsOf = this.core;
    }
    return this.#refs;
  }
}
