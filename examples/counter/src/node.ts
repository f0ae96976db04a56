/** One node of the example, the same in all three worlds: a counter, and somebody who counts. */

import { Component, type Millis, SchedulePeriodic, timeout, Timer } from "@kith/core";
import { Counted, Counter, type CounterInit, Counting, Increment, Total } from "./counter.ts";

class Click extends timeout("counter/Click") {}

/** What a node has to know. */
export interface NodeInit extends CounterInit {
  /** How far it counts, in all its lives together. */
  readonly target: number;
  /** The time between two increments, in milliseconds. */
  readonly pause: Millis;
}

/** The main component. Counts up to its target, one increment at a time, and knows what was answered. */
export class Node extends Component {
  readonly counting = this.requires(Counting);
  readonly timer = this.requires(Timer);
  readonly counter;
  readonly state = this.declareState({
    /** Whether earlier lives' counts are known, and whether an increment is under way. */
    ready: false,
    asking: false,
    own: 0,
    total: 0,
  });
  readonly #increment = this.counting.onAnswer(Increment, (answer) => {
    this.state.asking = false;
    if (answer instanceof Counted) this.state.own = answer.own;
  });

  constructor(init: NodeInit) {
    super();
    const { target, pause } = init;
    const { state } = this;
    this.counter = this.create(Counter, init);
    this.connect(this.counter.ports.counting, this.counting);
    this.counting.on(Total, ({ total, own }) => {
      state.ready = true;
      state.total = total;
      state.own = own;
    });
    this.timer.on(Click, () => {
      if (!state.ready || state.asking || state.own >= target) return;
      state.asking = true;
      this.#increment(new Increment());
    });
    this.onStart(() =>
      this.timer.trigger(new SchedulePeriodic({ period: pause, timeout: new Click() })),
    );
  }
}
