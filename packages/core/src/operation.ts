/**
 * Operations and entries that a checkpoint can hold. Most of what waits at a component is data; what
 * the kernel itself or the outside world has queued there are functions. Those that a checkpoint has
 * to be able to describe say what they are about, as plain facts from which they are built again.
 *
 * Invariant: an operation without `about` captures nothing, or it stands in the way of a checkpoint.
 */

import type { ComponentCore } from "./component-core.ts";
import type { Event } from "./event.ts";
import type { Escalation } from "./fault.ts";

/** What an operation does, apart from where it runs. */
export type OperationAbout =
  | { readonly kind: "tell"; readonly event: Event }
  | {
      readonly kind: "resolve";
      readonly parent: ComponentCore;
      readonly child: ComponentCore;
      readonly escalation: Escalation;
    };

/** A control operation. */
export interface Operation {
  (core: ComponentCore): void;
  about?: OperationAbout;
}

/** Which of a component's declared entrances somebody came in by, and with what. */
export interface EntryAbout {
  readonly entrance: number;
  readonly data: unknown;
}

/** A callback of the outside world. */
export interface Entry {
  (): void;
  about?: EntryAbout;
}

/** Says what an operation is about. */
export function operation(about: OperationAbout, run: (core: ComponentCore) => void): Operation {
  const described: Operation = run;
  described.about = about;
  return described;
}

/**
 * Tells a component something on its control port. A restart meanwhile hands it to the replacement,
 * whose handlers then count.
 */
export function telling(event: Event): Operation {
  return operation({ kind: "tell", event }, (core) => {
    if (core.control?.wants(event.constructor) !== true) return;
    core.controlEvent = event;
    core.control.execute(event, null);
  });
}

/** Comes in by an entrance that the component has declared. */
export function entering(core: ComponentCore, about: EntryAbout): Entry {
  const entry: Entry = () => core.entrances?.[about.entrance]?.(about.data);
  entry.about = about;
  return entry;
}
