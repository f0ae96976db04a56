import { Component, restart, ScheduleTimeout, timeout, Timer } from "@kith/core";
import { expect } from "chai";
import { simulate, type Simulation, twice } from "./index.ts";
import { watchPromises } from "./promises.test.ts";

class Now extends timeout("sim-traps/Now") {}

let deed = (): unknown => undefined;

/** Does something that it should not, in a handler. */
class Leaky extends Component {
  readonly timer = this.requires(Timer);
  done = 0;

  constructor() {
    super();
    this.timer.on(Now, () => {
      deed();
      this.done++;
    });
    this.onStart(() => this.timer.trigger(new ScheduleTimeout({ delay: 5, timeout: new Now() })));
  }
}

class Main extends Component {
  readonly leaky = this.create(Leaky, {}, { name: "Inner" });
}

class Forgiving extends Component {
  readonly leaky = this.create(Leaky);

  constructor() {
    super();
    this.onFault(() => restart({ backoff: 0 }));
  }
}

function leaky(what: () => unknown, traps = true): Simulation<typeof Main> {
  deed = what;
  return simulate(Main, { seed: 1, nodes: 1, traps });
}

const leaks: readonly (readonly [string, () => unknown])[] = [
  ["Date.now", () => Date.now()],
  ["new Date()", () => new Date()],
  ["Date()", () => Date()],
  ["performance.now", () => performance.now()],
  ["Math.random", () => Math.random()],
  ["setTimeout", () => setTimeout(() => undefined, 0)],
  ["setInterval", () => setInterval(() => undefined, 1)],
  ["setImmediate", () => setImmediate(() => undefined)],
  ["queueMicrotask", () => queueMicrotask(() => undefined)],
  ["crypto.randomUUID", () => crypto.randomUUID()],
  ["crypto.getRandomValues", () => crypto.getRandomValues(new Uint8Array(1))],
];

describe("what leaks into a simulation", () => {
  for (const [shown, what] of leaks) {
    it(`is found out: ${shown}`, () => {
      expect(() => leaky(what).runFor(10))
        .to.throw(`n1 /Main-1/Inner used ${shown} in a simulation`)
        .with.property("code", "KITH_SIM_LEAK");
    });
  }

  it("is found out where the component would swallow the error, or a policy handle it", () => {
    const swallowing = leaky(() => {
      try {
        return Math.random();
      } catch {
        return 0;
      }
    });
    expect(() => swallowing.runFor(10)).to.throw("used Math.random");
    deed = () => Math.random();
    const forgiving = simulate(Forgiving, { seed: 1 });
    expect(() => forgiving.runFor(10)).to.throw("used Math.random");
  });

  it("is found out in a constructor, at the start of a node", () => {
    class Early extends Component {
      readonly at = Date.now();
    }
    const simulation = simulate(Early, { seed: 1, nodes: 2 });
    expect(() => simulation.boot())
      .to.throw("n1 /Early-1 used Date.now")
      .with.property("code", "KITH_SIM_LEAK");
  });

  it("is not a date that somebody knows already", () => {
    let year = 0;
    const simulation = leaky(() => {
      const date = new Date(Date.UTC(2026, 0, 1));
      year = date instanceof Date ? date.getUTCFullYear() : -1;
    });
    simulation.runFor(10);
    expect(year).to.equal(2026);
    expect(simulation.node(0).root.leaky).not.to.equal(undefined);
  });

  it("is let through where the traps are off", () => {
    leaky(() => Math.random(), false).runFor(10);
  });

  it("is not the host's own code, in a script, a condition or between runs", () => {
    const simulation = leaky(() => undefined);
    simulation.at(1, () => void Date.now());
    simulation.until(() => Date.now() > 0 && simulation.time >= 3);
    expect(Math.random()).to.be.within(0, 1);
    expect(Date.now()).to.be.above(1_000_000);
    expect(new Date().getTime()).to.be.above(1_000_000);
  });

  it("finds everything put back after a run, also after an error", () => {
    const names = ["setTimeout", "setInterval", "setImmediate", "queueMicrotask", "Date"] as const;
    const look = (): unknown[] => [
      ...names.map((name) => globalThis[name]),
      Date.now,
      Math.random,
      Object.getOwnPropertyDescriptor(performance, "now"),
      Object.getOwnPropertyDescriptor(crypto, "randomUUID"),
    ];
    const before = look();
    leaky(() => undefined).runFor(10);
    expect(look()).to.deep.equal(before);
    expect(() => leaky(() => Math.random()).runFor(10)).to.throw();
    expect(look()).to.deep.equal(before);
  });
});

describe("a promise in a simulation", () => {
  const promises = watchPromises;

  it("is found out in the mode that runs twice, and names the component", () => {
    expect(() =>
      twice(
        () => leaky(() => Promise.resolve(1)),
        (simulation) => simulation.runFor(10),
        { promises },
      ),
    )
      .to.throw("n1 /Main-1/Inner used a promise")
      .with.property("code", "KITH_SIM_LEAK");
  });

  it("is found out behind an async function", () => {
    const later = async (): Promise<number> => 1;
    expect(() =>
      twice(
        () => leaky(() => later()),
        (simulation) => simulation.runFor(10),
        { promises },
      ),
    ).to.throw("used a promise");
  });

  it("may be the host's own", () => {
    const made: Promise<void>[] = [];
    twice(
      () => leaky(() => undefined),
      (simulation) => {
        made.push(Promise.resolve());
        simulation.at(1, () => void made.push(Promise.resolve()));
        simulation.runFor(10);
        simulation.node(0).stop();
        simulation.runFor(10);
      },
      { promises },
    );
    expect(made).to.have.length(4);
  });
});
