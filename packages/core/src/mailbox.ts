/**
 * A component's mailbox: a ring of (target, event, meta) in one array, so that an entry costs no
 * object. The first entry stands in fields: most mailboxes never hold two, and then neither need nor
 * touch an array. The ring grows by doubling, and a large one is given back once it is empty.
 *
 * Invariant: of `size` entries the first is in the fields if `first` is set, and the others lie in the
 * ring from `head` on, three slots each; fields and slots outside hold no event.
 */

/** Whoever an entry is executed by: a port half, the pending table. */
export interface Target {
  /** Runs one entry; a throw is the component's fault. */
  execute(event: object, meta: unknown): void;
}

const firstSlots = 4 * 3;
const keptSlots = 1024 * 3;
/** Empty components share it: ten thousand idle ones should not hold ten thousand arrays. */
const noSlots: readonly unknown[] = [];

/** Bounded by its owner, which looks at `size` before it adds. */
export class Mailbox {
  size = 0;
  first: Target | null = null;
  firstEvent: object | undefined = undefined;
  firstMeta: unknown = undefined;
  slots: unknown[] = noSlots as unknown[];
  head = 0;
  tail = 0;

  /** Adds an entry at the end. */
  add(target: Target, event: object, meta: unknown): void {
    if (this.size++ === 0) {
      this.first = target;
      this.firstEvent = event;
      this.firstMeta = meta;
    } else {
      this.addToRing(target, event, meta);
    }
  }

  /** Removes the first entry of the ring; the caller has read it, and knows that there is one. */
  dropFromRing(): void {
    const slots = this.slots;
    const head = this.head;
    slots[head + 1] = undefined;
    slots[head + 2] = undefined;
    this.head = head + 3 === slots.length ? 0 : head + 3;
    if (--this.size === 0 && slots.length > keptSlots) this.reset();
  }

  /** Visits the entries in order. */
  visit(visitor: (target: Target, event: object, meta: unknown) => void): void {
    if (this.first !== null) visitor(this.first, this.firstEvent as object, this.firstMeta);
    let at = this.head;
    for (let i = this.first === null ? 0 : 1; i < this.size; i++) {
      const slots = this.slots;
      visitor(slots[at] as Target, slots[at + 1] as object, slots[at + 2]);
      at = at + 3 === slots.length ? 0 : at + 3;
    }
  }

  /**
   * Takes all entries of another mailbox, into an empty one, without touching more of them than their
   * targets.
   *
   * @param retarget who executes an entry here; undefined where nobody does: then nothing is taken
   */
  takeAll(from: Mailbox, retarget: (target: Target) => Target | undefined): boolean {
    let fits = this.size === 0;
    from.visit((target) => {
      fits &&= retarget(target) !== undefined;
    });
    if (!fits) return false;
    this.size = from.size;
    this.first = from.first === null ? null : (retarget(from.first) as Target);
    this.firstEvent = from.firstEvent;
    this.firstMeta = from.firstMeta;
    this.slots = from.slots;
    this.head = from.head;
    this.tail = from.tail;
    from.reset();
    let at = this.head;
    for (let i = this.first === null ? 0 : 1; i < this.size; i++) {
      this.slots[at] = retarget(this.slots[at] as Target);
      at = at + 3 === this.slots.length ? 0 : at + 3;
    }
    return true;
  }

  /** Forgets everything. */
  reset(): void {
    this.size = this.head = this.tail = 0;
    this.first = null;
    this.firstEvent = this.firstMeta = undefined;
    this.slots = noSlots as unknown[];
  }

  private addToRing(target: Target, event: object, meta: unknown): void {
    const used = this.first === null ? this.size - 1 : this.size - 2;
    if (used * 3 === this.slots.length) this.grow();
    const slots = this.slots;
    const tail = this.tail;
    slots[tail] = target;
    slots[tail + 1] = event;
    slots[tail + 2] = meta;
    this.tail = tail + 3 === slots.length ? 0 : tail + 3;
  }

  private grow(): void {
    const old = this.slots;
    const slots: unknown[] = new Array(Math.max(firstSlots, old.length * 2)).fill(undefined);
    for (let i = 0; i < old.length; i++) slots[i] = old[(this.head + i) % old.length];
    this.slots = slots;
    this.head = 0;
    this.tail = old.length;
  }
}
