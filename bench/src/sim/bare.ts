/**
 * The peer of the simulator: the loop that one would write by hand for this one workload. One binary
 * heap of event objects in an array, a message object for each message, an array of nodes with a
 * handler for each kind; no components, ports, channels, codec, hash, keyed draws or faults.
 */

interface BareMessage {
  readonly kind: 0 | 1 | 2;
  readonly from: number;
  readonly n: number;
}

interface BareEvent {
  readonly time: number;
  readonly node: number;
  readonly message: BareMessage;
}

/** Each node pings a random other once a simulated second, and is answered; latencies as in the simulator's default. */
export class BareSimulation {
  /** Ticks, pings and pongs handled. */
  events = 0;
  pongs = 0;
  #micros = 0;
  #state = 42;
  readonly #heap: BareEvent[] = [];
  readonly #nodes: ((message: BareMessage) => void)[][];

  constructor(nodes: number) {
    this.#nodes = Array.from({ length: nodes }, (_, node) => {
      let n = 0;
      return [
        (tick) => {
          this.#add({ time: this.#micros + 1_000_000, node, message: tick });
          this.#send(this.#below(nodes), { kind: 1, from: node, n: ++n });
        },
        (ping) => this.#send(ping.from, { kind: 2, from: node, n: ping.n }),
        () => {
          this.pongs++;
        },
      ];
    });
    for (let node = 0; node < nodes; node++) {
      this.#add({ time: this.#below(1_000_000), node, message: { kind: 0, from: node, n: 0 } });
    }
  }

  /** Lets so many simulated seconds pass. */
  runFor(seconds: number): void {
    const end = this.#micros + seconds * 1_000_000;
    for (
      let event = this.#heap[0];
      event !== undefined && event.time <= end;
      event = this.#heap[0]
    ) {
      this.#take();
      this.#micros = event.time;
      this.events++;
      const { message } = event;
      this.#nodes[event.node]?.[message.kind]?.(message);
    }
    this.#micros = end;
  }

  #send(node: number, message: BareMessage): void {
    this.#add({ time: this.#micros + 200 + this.#below(1801), node, message });
  }

  #below(bound: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#state % bound;
  }

  #add(event: BareEvent): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above] as BareEvent;
      if (parent.time <= event.time) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = event;
  }

  #take(): void {
    const heap = this.#heap;
    const last = heap.pop() as BareEvent;
    const size = heap.length;
    if (size === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && (heap[child + 1] as BareEvent).time < (heap[child] as BareEvent).time)
        child++;
      if ((heap[child] as BareEvent).time >= last.time) break;
      heap[at] = heap[child] as BareEvent;
      at = child;
    }
    heap[at] = last;
  }
}
