/**
 * What a half has handlers for, apart from the handlers: the classes that were subscribed to, in order. All halves that
 * have subscribed alike share one `Interest`, and with it what was found about the classes of events that come;
 * so of ten thousand instances of a component each brings its handlers alone, and what every event asks for
 * first is in the processor's cache.
 *
 * A `Joint` is the same for several halves at the far ends of one key: it says which of them take a class of events.
 *
 * Invariant: neither changes. Who subscribes to one class more has another interest from then on.
 */

import { type EventClass, ownTag } from "./event.ts";

/** Places in a list. Most answers are empty or short, and shared. */
export type Places = readonly number[];

/** No places: the one answer that is empty, so that it can be told by identity. */
export const nowhere: Places = [];

/** Remembers the answers for classes; the last two are at hand. */
abstract class Matching {
  private lastClass: unknown = null;
  private last: Places = nowhere;
  private olderClass: unknown = null;
  private older: Places = nowhere;
  // Weak, for it lives as long as the program, and classes may come from modules that are loaded at run time.
  private readonly found = new WeakMap<WeakKey, Places>();

  /** The places of those that take events of this class, in order; `nowhere` where there are none. */
  match(cls: WeakKey): Places {
    return cls === this.lastClass ? this.last : this.turn(cls);
  }

  protected abstract find(cls: WeakKey): Places;

  private turn(cls: WeakKey): Places {
    const { lastClass, last } = this;
    if (cls === this.olderClass) {
      this.last = this.older;
    } else {
      let found = this.found.get(cls);
      if (found === undefined) {
        found = this.find(cls);
        if (found.length === 0) found = nowhere;
        this.found.set(cls, found);
      }
      this.last = found;
    }
    this.lastClass = cls;
    this.olderClass = lastClass;
    this.older = last;
    return this.last;
  }
}

/** The classes that a half has subscribed to. */
export class Interest extends Matching {
  readonly classes: readonly EventClass[];
  readonly #others = new WeakMap<EventClass, Interest>();

  /** @internal Begin with `noInterest`: equal ones have to be one. */
  constructor(classes: readonly EventClass[]) {
    super();
    this.classes = classes;
  }

  /** The interest of whoever subscribes to one class more. */
  with(cls: EventClass): Interest {
    let other = this.#others.get(cls);
    if (other === undefined)
      this.#others.set(cls, (other = new Interest(this.classes.concat(cls))));
    return other;
  }

  /** The interest of whoever takes the subscription at that place back. */
  without(place: number): Interest {
    let other = noInterest;
    this.classes.forEach((cls, at) => {
      if (at !== place) other = other.with(cls);
    });
    return other;
  }

  protected override find(cls: WeakKey): Places {
    return this.classes.flatMap((own, at) => (isOf(cls, own) ? [at] : []));
  }
}

/** The interests of several halves, in their order. */
export class Joint extends Matching {
  readonly #before: Joint | null;
  readonly #interest: Interest;
  readonly #place: number;
  #longer: WeakMap<Interest, Joint> | null = null;

  /** @internal Begin with `joined`: equal ones have to be one. */
  constructor(before: Joint | null, interest: Interest) {
    super();
    this.#before = before;
    this.#interest = interest;
    this.#place = before === null ? 0 : before.#place + 1;
  }

  /** That of one half more. */
  with(interest: Interest): Joint {
    const longer = (this.#longer ??= new WeakMap());
    let joint = longer.get(interest);
    if (joint === undefined) longer.set(interest, (joint = new Joint(this, interest)));
    return joint;
  }

  protected override find(cls: WeakKey): Places {
    const before = this.#before?.find(cls) ?? nowhere;
    return this.#interest.match(cls) === nowhere ? before : [...before, this.#place];
  }
}

const joints = new Joint(null, new Interest([]));

/** The joint of several interests. Its places count from 1: the first one is nobody's. */
export function joined(interests: readonly Interest[]): Joint {
  let joint = joints;
  for (const interest of interests) joint = joint.with(interest);
  return joint;
}

/** Whoever has no handlers. */
export const noInterest = new Interest([]);

/** Whether events of class `cls` are events of class `root`: by identity, else by tag where a package is there twice. */
export function isOf(cls: unknown, root: EventClass): boolean {
  for (let at: unknown = cls; typeof at === "function"; at = Object.getPrototypeOf(at))
    if (at === (root as unknown)) return true;
  const tag = ownTag(root);
  for (
    let at: unknown = cls;
    tag !== undefined && typeof at === "function";
    at = Object.getPrototypeOf(at)
  ) {
    if (ownTag(at) === tag) return true;
  }
  return false;
}
