import { expect } from "chai";
import type { Fault } from "./kinds.ts";
import { Instants, Named } from "./named.ts";
import { NetworkNemesis } from "./network-nemesis.ts";
import type { Plan } from "./plan.ts";

function loss(at: number, number: number): Fault {
  return { kind: "loss", at, nodes: [0], others: [1], tag: "t", number };
}

/** Which of so many things, one each millisecond unless said otherwise, is one that was named. */
function taken(faults: readonly Fault[], times: readonly number[]): number[] {
  const named = new Named();
  for (const fault of faults) named.add("sort", fault);
  return times.flatMap((time, index) => (named.take("sort", time) === undefined ? [] : [index]));
}

describe("named deeds", () => {
  it("are the so many-th since their time", () => {
    expect(taken([loss(2, 1)], [0, 1, 2, 3])).to.deep.equal([2]);
    expect(taken([loss(2, 1)], [0, 1, 5])).to.deep.equal([2]);
    expect(taken([loss(2, 2)], [0, 1, 2, 3, 4])).to.deep.equal([3]);
  });

  it("are counted each by itself", () => {
    expect(taken([loss(5, 1), loss(5, 2)], [5, 5, 5, 6])).to.deep.equal([0, 1]);
    expect(taken([loss(5, 3), loss(5, 1)], [5, 5, 5, 6])).to.deep.equal([0, 2]);
    expect(taken([loss(5, 3), loss(6, 1)], [5, 5, 6, 7])).to.deep.equal([2, 3]);
  });

  it("are each another one, where the first for both is the same", () => {
    expect(taken([loss(1, 1), loss(2, 1)], [7, 8, 9])).to.deep.equal([0, 1]);
  });

  it("have a number among those of one instant", () => {
    const instants = new Instants();
    const counts = [1, 1, 1, 2, 2, 3].map((time) => instants.count("a", time));
    expect(counts).to.deep.equal([1, 2, 3, 1, 2, 1]);
    expect(instants.count("b", 3)).to.equal(1);
  });
});

describe("what is held back", () => {
  it("is let go at the healing, or all that comes behind it would be late, too", () => {
    const clog: Fault = { kind: "clogged pair", at: 10, for: 60_000, nodes: [0], others: [1] };
    const nemesis = new NetworkNemesis(planOf([clog]), () => undefined, false);
    const message = { from: "n1", to: "n2", tag: "t", bytes: 1, draw: 1 };
    expect(nemesis.judge({ ...message, time: 30 })).to.deep.equal({ kind: "delay", delay: 70 });
    const short = new NetworkNemesis(planOf([{ ...clog, for: 50 }]), () => undefined, false);
    expect(short.judge({ ...message, time: 30 })).to.deep.equal({ kind: "delay", delay: 30 });
  });
});

function planOf(faults: readonly Fault[]): Plan {
  return {
    seed: 1,
    nodes: 2,
    transport: "stream",
    duration: 100,
    settle: 100,
    core: [0, 1],
    rest: {},
    faults,
  };
}

describe("what was drawn for one of several messages of an instant", () => {
  /** Which of 100 messages, of which ten stand at one instant each, are lost, and how that is named. */
  function lost(faults: readonly Fault[]): {
    readonly which: readonly number[];
    readonly named: readonly Fault[];
  } {
    const named: Fault[] = [];
    const nemesis = new NetworkNemesis(planOf(faults), (_, fault) => named.push(fault), true);
    const which = Array.from({ length: 100 }, (_, draw) => draw).filter((draw) => {
      const time = Math.floor(draw / 10);
      const message = { from: "n1", to: "n2", tag: "t", bytes: 1, time, draw };
      return nemesis.judge(message) !== undefined;
    });
    return { which, named };
  }

  it("strikes the same one when it is named", () => {
    const drawn = lost([{ kind: "loss", at: 0, for: 100, rate: 0.2 }]);
    expect(drawn.which.length).to.be.within(5, 40);
    expect(drawn.named.some(({ number = 0 }) => number > 1)).to.equal(true);
    expect(lost(drawn.named).which).to.deep.equal(drawn.which);
  });
});
