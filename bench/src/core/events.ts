/** The events and ports that the benchmarks of the core share, in both forms of event classes. */

import { event, port } from "@kith/core";

/** One-line classes: the fields are copied from an object. */
export class Ping extends event("bench/Ping")<{ n: number }> {}
export class Pong extends event("bench/Pong")<{ n: number }> {}
export const PingPong = port("PingPong", { requests: [Ping], indications: [Pong] });

/** Explicit classes: a hand-written constructor. */
export class FastPing extends event("bench/FastPing") {
  readonly n: number;
  constructor(n: number) {
    super();
    this.n = n;
  }
}
export class FastPong extends event("bench/FastPong") {
  readonly n: number;
  constructor(n: number) {
    super();
    this.n = n;
  }
}
export const FastPingPong = port("FastPingPong", { requests: [FastPing], indications: [FastPong] });
