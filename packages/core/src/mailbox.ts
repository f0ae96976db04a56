/**
 * A component's mailbox: a ring of (target, event, meta) in one array, so that an entry costs no
 * object. It grows by doubling and gives a large array back once it is empty.
 *
 * Invariant: `size` entries lie from `head` on, three slots each; slots outside hold no event.
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
  slots: unknown[] = noSlots as unknown[];
  head = 0;
  tail = 0;

  /** Adds an entry at the end. */
  add(target: Target, event: object, meta: unknown): void {
    if (this.size * 3 === this.slots.length) this.grow();
    const slots = this.slots;
    let tail = this.tail;
    slots[tail] = target;
    slots[tail + 1] = event;
    slots[tail + 2] = meta;
    tail += 3;
    this.tail = tail === slots.length ? 0 : tail;
    this.size++;
  }

  /** Removes the first entry; the caller has read it, and knows that there is one. */
  dropFirst(): void {
    const slots = this.slots;
    const head = this.head;
    slots[head + 1] = undefined;
    slots[head + 2] = undefined;
    this.head = head + 3 === slots.length ? 0 : head + 3;
    if (--this.size === 0 && slots.length > keptSlots) this.reset();
  }

  /** Visits the entries in order; where the visitor returns a target, the entry is retargeted. */
  visit(visitor: (target: Target, event: object, meta: unknown) => Target | undefined): void {
    let at = this.head;
    for (let i = 0; i < this.size; i++) {
      const slots = this.slots;
      const target = visitor(slots[at] as Target, slots[at + 1] as object, slots[at + 2]);
      if (target !== undefined) slots[at] = target;
      at = at + 3 === slots.length ? 0 : at + 3;
    }
  }

  /** Forgets everything. */
  reset(): void {
    this.size = this.head = this.tail = 0;
    this.slots = noSlots as unknown[];
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
