import { Component, ScheduleTimeout, timeout, Timer } from "@kith/core";
import { expect } from "chai";
import { always, Engine } from "./engine.ts";
import { loss, simulate } from "./index.ts";
import { pingers } from "./scenario.test.ts";

class Due extends timeout("sim-scale/Due") {}

class Arming extends Component {
  readonly timer = this.requires(Timer);
  came = 0;

  constructor({ timers }: { readonly timers: number }) {
    super();
    const delays = this.random("delay");
    this.timer.on(Due, () => void this.came++);
    this.onStart(() => {
      for (let i = 0; i < timers; i++)
        this.timer.trigger(new ScheduleTimeout({ delay: delays.below(1000), timeout: new Due() }));
    });
  }
}

/** The CPU time of an action in milliseconds. */
function cost(action: () => void): number {
  const begin = process.cpuUsage();
  action();
  const { user, system } = process.cpuUsage(begin);
  return (user + system) / 1000;
}

/** Checks that four times as much costs less than nine times as much; 16 times would be quadratic. */
function growth(small: number, action: (size: number) => void): void {
  const one = cost(() => action(small));
  const four = cost(() => action(small * 4));
  expect(four, `${small}: ${one} ms, four times that: ${four} ms`).to.be.below(one * 9 + 20);
}

describe("the cost of a simulation", () => {
  it("lets 20 nodes run for a minute with 1 % loss in a fraction of a second", () => {
    const took = cost(() => {
      const simulation = pingers(20);
      simulation.rule(loss(0.01));
      simulation.runFor(60_000);
      const sum = simulation.nodes.reduce((all, { root }) => all + root.pongs, 0);
      expect(sum).to.be.above(1000);
    });
    expect(took).to.be.below(1500);
  });

  it("does not grow faster than 100,000 armed timers do", function () {
    this.timeout(30_000);
    growth(25_000, (timers) => {
      const simulation = simulate(Arming, { seed: 1, init: { timers } });
      simulation.runFor(1000);
      expect(simulation.node(0).root.came).to.equal(timers);
    });
  });

  it("does not grow faster than 10,000 nodes do", function () {
    this.timeout(30_000);
    growth(2500, (nodes) => {
      const simulation = simulate(Arming, { seed: 1, nodes, init: { timers: 1 } });
      simulation.runFor(1000);
      expect(simulation.nodes.every(({ root }) => root.came === 1)).to.equal(true);
    });
  });

  it("does not grow faster than a million queued events do", function () {
    this.timeout(30_000);
    growth(250_000, (events) => {
      const engine = new Engine(1);
      let done = 0;
      for (let i = 0; i < events; i++) engine.at(always, (i * 7919) % events, i, () => void done++);
      while (engine.step(Infinity));
      expect(done).to.equal(events);
    });
  });

  it("does not keep timers that are armed and cancelled again and again", () => {
    const engine = new Engine(1);
    for (let i = 0; i < 100_000; i++)
      engine.cancel(engine.at(always, 1_000_000 + i, i, () => undefined));
    expect(engine.waiting).to.be.below(200);
  });
});
