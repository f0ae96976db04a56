/**
 * One timer of the host for everybody who waits in this process: a binary heap of what is armed, and a
 * host timer for its first.
 *
 * Nothing rings early: the host's timers count in rounded milliseconds and may be a little early by the
 * monotonic clock, so the clock is read again when one fires. The wall clock has no part in it. Arming and
 * disarming cost the logarithm of how many are armed, and what is disarmed leaves nothing behind. While
 * nothing is armed there is no host timer, and nothing keeps the process from ending.
 */

/** What the alarm needs of its host. */
export interface AlarmHost {
  /** Microseconds of a clock that never goes back. */
  now(): number;
  /** Calls back after so many milliseconds, of which hosts count at most 2^31 - 1. */
  set(action: () => void, delayMs: number): unknown;
  clear(handle: unknown): void;
}

/** One who waits. */
export interface Armed {
  /** When it rings, in microseconds of the host's clock; fixed while it is armed. */
  due: number;
  /** Its place in the heap; -1 while it is not armed. Nobody else's business. */
  place: number;
  /** Which of two with the same time came first. Nobody else's business. */
  order: number;
  /** Called by the host, outside of every turn, once it is due; it is no longer armed then. */
  ring(): void;
}

const hostDelayMaxMs = 2 ** 31 - 1;

/** The host that this module runs on. It has at most one timer at a time, so the handle is kept here. */
function theHost(): AlarmHost {
  let handle: ReturnType<typeof setTimeout> | undefined;
  return {
    // The same clock, rounded in the same way, as the one that components read.
    now: () => Math.floor(performance.now() * 1000),
    set: (action, delayMs) => (handle = setTimeout(action, delayMs)),
    clear: () => clearTimeout(handle),
  };
}

/** A heap of those who wait, and one timer of the host. */
export class Alarm {
  readonly #host: AlarmHost;
  readonly #heap: Armed[] = [];
  #handle: unknown = null;
  /** When the host's timer will fire, in microseconds; Infinity where there is none. */
  #set = Infinity;
  #order = 0;
  readonly #fire = (): void => this.#ring();

  constructor(host: AlarmHost = theHost()) {
    this.#host = host;
  }

  /** How many wait. */
  get size(): number {
    return this.#heap.length;
  }

  /** Microseconds by the clock of this alarm. */
  now(): number {
    return this.#host.now();
  }

  /** Lets one wait until its time, which may be past: then it rings as soon as the host comes to it. */
  arm(armed: Armed): void {
    if (armed.place >= 0) this.disarm(armed);
    armed.order = ++this.#order;
    this.#heap.push(armed);
    this.#up(armed, this.#heap.length - 1);
    if (armed.place === 0 && armed.due < this.#set) this.#wind();
  }

  /** Lets one wait no more; harmless where it does not. */
  disarm(armed: Armed): void {
    const { place } = armed;
    if (place < 0 || this.#heap[place] !== armed) return;
    armed.place = -1;
    const last = this.#heap.pop();
    if (last !== undefined && last !== armed) {
      this.#up(last, place);
      this.#down(last, last.place);
    }
    // If it was the first, the host's timer fires in vain, which costs less than to set it anew.
    if (this.#heap.length === 0) this.#stop();
  }

  /** Disarms all. */
  clear(): void {
    for (const armed of this.#heap) armed.place = -1;
    this.#heap.length = 0;
    this.#stop();
  }

  #ring(): void {
    this.#handle = null;
    this.#set = Infinity;
    // Those who are armed by the ones that ring have their own turn of the host.
    const now = this.#host.now();
    const due: Armed[] = [];
    for (
      let first = this.#heap[0];
      first !== undefined && first.due <= now;
      first = this.#heap[0]
    ) {
      this.#removeFirst(first);
      due.push(first);
    }
    try {
      for (const armed of due) armed.ring();
    } finally {
      if (this.#heap.length > 0) this.#wind();
    }
  }

  #removeFirst(first: Armed): void {
    first.place = -1;
    const last = this.#heap.pop();
    if (last !== undefined && last !== first) this.#down(last, 0);
  }

  /** Sets the host's timer for the first. */
  #wind(): void {
    const first = this.#heap[0];
    if (first === undefined || first.due >= this.#set) return;
    this.#stop();
    this.#set = first.due;
    const delayMs = Math.ceil((first.due - this.#host.now()) / 1000);
    this.#handle = this.#host.set(this.#fire, Math.min(Math.max(delayMs, 1), hostDelayMaxMs));
  }

  #stop(): void {
    if (this.#handle !== null) this.#host.clear(this.#handle);
    this.#handle = null;
    this.#set = Infinity;
  }

  #up(armed: Armed, from: number): void {
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const other = this.#heap[above];
      if (other === undefined || !isBefore(armed, other)) break;
      this.#put(other, place);
      place = above;
    }
    this.#put(armed, place);
  }

  #down(armed: Armed, from: number): void {
    let place = from;
    for (;;) {
      const left = this.#heap[2 * place + 1];
      const right = this.#heap[2 * place + 2];
      if (left === undefined) break;
      const below = right !== undefined && isBefore(right, left) ? right : left;
      if (!isBefore(below, armed)) break;
      const next = below.place;
      this.#put(below, place);
      place = next;
    }
    this.#put(armed, place);
  }

  #put(armed: Armed, place: number): void {
    this.#heap[place] = armed;
    armed.place = place;
  }
}

/** The alarm of this process. */
export const alarm = new Alarm();

function isBefore(a: Armed, b: Armed): boolean {
  return a.due < b.due || (a.due === b.due && a.order < b.order);
}
