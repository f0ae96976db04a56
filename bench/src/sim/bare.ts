/**
 * The peer of the simulator: the loop that one would write by hand for this one workload. A binary heap
 * of events in arrays, a switch over their kind, no components, ports, channels, codec, hash or faults.
 */

/** Each node pings a random other once a simulated second, and is answered; latencies as in the simulator's default. */
export class BareSimulation {
  /** Ticks, pings and pongs handled. */
  events = 0;
  pongs = 0;
  readonly #nodes: number;
  #micros = 0;
  #state = 42;
  #size = 0;
  #times: Float64Array;
  #kinds: Uint8Array;
  #targets: Uint32Array;
  #sources: Uint32Array;

  constructor(nodes: number) {
    this.#nodes = nodes;
    const capacity = 2 ** Math.ceil(Math.log2(nodes * 4 + 64));
    this.#times = new Float64Array(capacity);
    this.#kinds = new Uint8Array(capacity);
    this.#targets = new Uint32Array(capacity);
    this.#sources = new Uint32Array(capacity);
    for (let node = 0; node < nodes; node++) this.#add(this.#below(1_000_000), 0, node, node);
  }

  /** Lets so many simulated seconds pass. */
  runFor(seconds: number): void {
    const end = this.#micros + seconds * 1_000_000;
    while (this.#size > 0 && (this.#times[0] as number) <= end) {
      const time = this.#times[0] as number;
      const kind = this.#kinds[0] as number;
      const target = this.#targets[0] as number;
      const source = this.#sources[0] as number;
      this.#take();
      this.#micros = time;
      this.events++;
      if (kind === 0) {
        this.#add(time + 1_000_000, 0, target, target);
        this.#add(time + 200 + this.#below(1801), 1, this.#below(this.#nodes), target);
      } else if (kind === 1) {
        this.#add(time + 200 + this.#below(1801), 2, source, target);
      } else {
        this.pongs++;
      }
    }
    this.#micros = end;
  }

  #below(bound: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#state % bound;
  }

  #add(time: number, kind: number, target: number, source: number): void {
    let at = this.#size++;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if ((this.#times[above] as number) <= time) break;
      this.#move(above, at);
      at = above;
    }
    this.#put(at, time, kind, target, source);
  }

  #take(): void {
    const last = --this.#size;
    if (last === 0) return;
    const time = this.#times[last] as number;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= last) break;
      if (child + 1 < last && (this.#times[child + 1] as number) < (this.#times[child] as number)) child++;
      if ((this.#times[child] as number) >= time) break;
      this.#move(child, at);
      at = child;
    }
    this.#put(at, time, this.#kinds[last] as number, this.#targets[last] as number, this.#sources[last] as number);
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#times[from] as number, this.#kinds[from] as number, this.#targets[from] as number, this.#sources[from] as number);
  }

  #put(at: number, time: number, kind: number, target: number, source: number): void {
    this.#times[at] = time;
    this.#kinds[at] = kind;
    this.#targets[at] = target;
    this.#sources[at] = source;
  }
}
