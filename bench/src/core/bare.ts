/**
 * The peers that the core is measured against: what one would write by hand, without ports, types,
 * lifecycle, bounds or a turn rule.
 *
 * `BareScheduler` is the physical floor of the model: a ring of events for each component, a ring of
 * ready components, a handler looked up by the event's class, and one call.
 */

type Handler = (event: object) => void;

/** A component of the bare scheduler. */
export class BareComponent {
  readonly handlers = new Map<unknown, Handler>();
  readonly ring: (object | undefined)[];
  head = 0;
  size = 0;
  constructor(slots = 1024) {
    this.ring = new Array<object | undefined>(slots).fill(undefined);
  }
}

/** Two queues, one call. */
export class BareScheduler {
  readonly #ready: (BareComponent | undefined)[];
  #head = 0;
  #size = 0;
  constructor(slots = 1024) {
    this.#ready = new Array<BareComponent | undefined>(slots).fill(undefined);
  }

  send(to: BareComponent, event: object): void {
    to.ring[(to.head + to.size) & (to.ring.length - 1)] = event;
    if (to.size++ === 0) {
      this.#ready[(this.#head + this.#size) & (this.#ready.length - 1)] = to;
      this.#size++;
    }
  }

  run(): void {
    while (this.#size > 0) {
      const component = this.#ready[this.#head] as BareComponent;
      this.#ready[this.#head] = undefined;
      this.#head = (this.#head + 1) & (this.#ready.length - 1);
      this.#size--;
      for (let turn = 16; turn > 0 && component.size > 0; turn--) {
        const event = component.ring[component.head] as object;
        component.ring[component.head] = undefined;
        component.head = (component.head + 1) & (component.ring.length - 1);
        component.size--;
        (component.handlers.get(event.constructor) as Handler)(event);
      }
      if (component.size > 0) {
        this.#ready[(this.#head + this.#size) & (this.#ready.length - 1)] = component;
        this.#size++;
      }
    }
  }
}

/** Events of the bare peers: explicit classes without a base. */
export class BarePing {
  readonly n: number;
  constructor(n: number) {
    this.n = n;
  }
}
export class BarePong {
  readonly n: number;
  constructor(n: number) {
    this.n = n;
  }
}
