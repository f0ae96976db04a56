/** One node of the example, the same in all three worlds: a counter, and somebody who counts. */

import { Component, type Millis, SchedulePeriodic, timeout, Timer } from "@kith/core";
import { Counted, Counter, type CounterInit, Counting, Increment, Total } from "./counter.ts";

class Click extends timeout("counter/Click") {}

/** What a node has to know. */
export interface NodeInit extends CounterInit {
  /** How many increments this life asks for; default 0. */
  readonly clicks?: number;
  /** The time between two of them, in milliseconds. */
  readonly pause: Millis;
}

/** The main component. Asks for increments, and knows what was answered. */
export class Node extends Component {
  readonly counting = this.requires(Counting);
  readonly timer = this.requires(Timer);
  readonly counter;
  readonly state = this.declareState({ asked: 0, acknowledged: 0, own: 0, total: 0 });
  readonly #increment = this.counting.onAnswer(Increment, (answer) => {
    if (!(answer instanceof Counted)) return;
    this.state.acknowledged++;
    this.state.own = answer.own;
  });

  constructor(init: NodeInit) {
    super();
    const { clicks = 0, pause } = init;
    this.counter = this.create(Counter, init);
    this.connect(this.counter.ports.counting, this.counting);
    this.counting.on(Total, ({ total }) => void (this.state.total = total));
    this.timer.on(Click, () => {
      if (this.state.asked >= clicks) return;
      this.state.asked++;
      this.#increment(new Increment());
    });
    this.onStart(() =>
      this.timer.trigger(new SchedulePeriodic({ period: pause, timeout: new Click() })),
    );
  }
}
