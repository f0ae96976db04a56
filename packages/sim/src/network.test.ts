import { expect } from "chai";
import fc from "fast-check";
import {
  delay,
  duplication,
  loss,
  oneWay,
  partition,
  reordering,
  resets,
  type Rule,
  type Simulation,
  table,
  uniform,
} from "./index.ts";
import { peerAt, type Post, posts, range } from "./scenario.test.ts";

function root(simulation: Simulation<typeof Post>, index: number): Post {
  return simulation.node(index).root;
}

/** Sends `count` messages from n1 to n2, one each `every` milliseconds. */
function stream(simulation: Simulation<typeof Post>, count: number, every = 10): void {
  for (const n of range(count))
    simulation.at(simulation.time + n * every, () => root(simulation, 0).send(peerAt(1), n));
}

describe("the simulated network", () => {
  it("takes a latency within its bounds", () => {
    const simulation = posts(2, { latency: uniform(3, 5) });
    root(simulation, 0).send(peerAt(1), 0);
    simulation.runFor(100);
    const sent: number[] = [];
    for (const n of range(200)) {
      sent.push(simulation.time);
      root(simulation, 0).send(peerAt(1), n);
      simulation.runFor(100);
    }
    const took = root(simulation, 1)
      .times.slice(1)
      .map((at, i) => at - (sent[i] ?? 0));
    expect(Math.min(...took)).to.be.within(3, 3.2);
    expect(Math.max(...took)).to.be.within(4.8, 5);
  });

  it("takes a latency out of a table", () => {
    const simulation = posts(2, { latency: table([1, 7]) });
    root(simulation, 0).send(peerAt(1), 0);
    simulation.runFor(100);
    const took = new Set<number>();
    for (const n of range(50)) {
      const sent = simulation.time;
      root(simulation, 0).send(peerAt(1), n);
      simulation.runFor(100);
      took.add((root(simulation, 1).times.at(-1) ?? 0) - sent);
    }
    expect([...took].toSorted((a, b) => a - b)).to.deep.equal([1, 7]);
  });

  it("keeps order and loses nothing within a connection, under 10 % loss", () => {
    const simulation = posts(2);
    simulation.rule(loss(0.1));
    stream(simulation, 1000);
    simulation.runFor(120_000);
    const { seen, numbers } = root(simulation, 1);
    expect(seen.filter((one) => /^[+-]/.test(one))).to.deep.equal(["+n1"]);
    expect(numbers).to.deep.equal(range(1000));
  });

  it("keeps order within each connection, under 30 % loss", () => {
    const simulation = posts(2);
    simulation.rule(loss(0.3));
    stream(simulation, 1000, 100);
    simulation.runFor(400_000);
    // Between two connections numbers may be missing; within one, none.
    promisesHold(root(simulation, 1).seen);
    expect(root(simulation, 1).numbers.length).to.be.above(900);
  });

  it("makes one connection of two that are dialled at once", () => {
    for (const seed of range(20)) {
      const simulation = posts(2, { seed });
      root(simulation, 0).send(peerAt(1), 1);
      root(simulation, 1).send(peerAt(0), 2);
      simulation.runFor(1000);
      expect(root(simulation, 0).seen).to.deep.equal(["+n2", "n2:2"]);
      expect(root(simulation, 1).seen).to.deep.equal(["+n1", "n1:1"]);
    }
  });

  it("refuses the connection to a node that is down, and tells what is lost", () => {
    const simulation = posts(2);
    simulation.node(1).crash();
    root(simulation, 0).send(peerAt(1), 1, 2);
    simulation.runFor(1000);
    expect(root(simulation, 0).seen).to.deep.equal(["-n2 refused"]);
    expect(root(simulation, 0).drops.map(({ reason }) => reason)).to.deep.equal([
      "unreachable",
      "unreachable",
    ]);
  });

  it("carries messages to oneself over no connection, in a later turn", () => {
    const simulation = posts(1);
    root(simulation, 0).send(peerAt(0), 1, 2, 3);
    root(simulation, 0).deliver(peerAt(0), "acknowledged", 4);
    root(simulation, 0).send(peerAt(0, 9), 5);
    simulation.runFor(0);
    expect(root(simulation, 0).numbers.toSorted((a, b) => a - b)).to.deep.equal([1, 2, 3, 4]);
    expect(root(simulation, 0).seen).to.have.length(4);
    expect(root(simulation, 0).deliveries).to.deep.equal([{ n: 4, status: "acknowledged" }]);
    expect(root(simulation, 0).drops.map(({ reason }) => reason)).to.deep.equal([
      "wrong-incarnation",
    ]);
  });

  it("keeps the order of messages to oneself", () => {
    const simulation = posts(1);
    root(simulation, 0).send(peerAt(0), ...range(50));
    simulation.runFor(0);
    expect(root(simulation, 0).numbers).to.deep.equal(range(50));
  });
});

describe("a partition", () => {
  const talk = (simulation: Simulation<typeof Post>): string[] => {
    const count = simulation.nodes.length;
    const before = simulation.nodes.map(({ root: { numbers } }) => numbers.length);
    for (const from of range(count, 0))
      for (const to of range(count, 0))
        if (from !== to) root(simulation, from).send(peerAt(to), from * 10 + to);
    simulation.runFor(1000);
    return simulation.nodes.flatMap(({ root: { numbers } }, i) =>
      numbers.slice(before[i]).map((n) => `${Math.floor(n / 10) + 1}>${(n % 10) + 1}`),
    );
  };

  it("cuts two groups off from each other, and heals", () => {
    const simulation = posts(3);
    expect(talk(simulation)).to.have.length(6);
    const heal = simulation.rule(partition(["n1"], ["n2", "n3"]));
    expect(talk(simulation)).to.have.members(["2>3", "3>2"]);
    heal();
    simulation.runFor(30_000);
    expect(talk(simulation)).to.have.length(6);
  });

  it("may leave a bridge, so that reach is not transitive", () => {
    const simulation = posts(3);
    simulation.rule(partition(["n1"], ["n3"]));
    expect(talk(simulation)).to.have.members(["1>2", "2>1", "2>3", "3>2"]);
  });

  it("may cut one way alone, of a connection that is up", () => {
    const simulation = posts(2);
    expect(talk(simulation)).to.have.length(2);
    simulation.rule(oneWay("n1", "n2"));
    expect(talk(simulation)).to.have.members(["2>1"]);
  });

  it("keeps a connection from coming up by either way", () => {
    for (const [from, to] of [
      ["n1", "n2"],
      ["n2", "n1"],
    ] as const) {
      const simulation = posts(2);
      simulation.rule(oneWay(from, to));
      root(simulation, 0).send(peerAt(1), 1);
      simulation.runFor(60_000);
      expect(root(simulation, 0).seen, `${from} to ${to}`).to.deep.equal(["-n2 refused"]);
      expect(root(simulation, 1).numbers).to.deep.equal([]);
    }
  });

  it("breaks a connection that waits too long, and both sides learn", () => {
    const simulation = posts(2);
    root(simulation, 0).send(peerAt(1), 1);
    simulation.runFor(100);
    simulation.rule(partition(["n1"], ["n2"]));
    root(simulation, 0).send(peerAt(1), 2);
    simulation.runFor(10_000);
    expect(root(simulation, 0).seen).to.deep.equal(["+n2"]);
    simulation.runFor(10_000);
    expect(root(simulation, 0).seen).to.deep.equal(["+n2", "-n2 lost"]);
    expect(root(simulation, 1).seen).to.deep.equal(["+n1", "n1:1", "-n1 lost"]);
  });

  it("delivers late what was sent meanwhile, where it heals in time", () => {
    const simulation = posts(2);
    root(simulation, 0).send(peerAt(1), 1);
    simulation.runFor(100);
    const heal = simulation.rule(partition(["n1"], ["n2"]));
    root(simulation, 0).send(peerAt(1), 2, 3, 4);
    simulation.runFor(3000);
    heal();
    simulation.runFor(10_000);
    expect(root(simulation, 1).seen).to.deep.equal(["+n1", ...range(4).map((n) => `n1:${n}`)]);
  });
});

describe("a connection that ends", () => {
  it("by a reset, is gone for both, and what is lost is a suffix", () => {
    for (const seed of range(20)) {
      const simulation = posts(2, { seed, latency: uniform(1, 50) });
      stream(simulation, 100, 1);
      simulation.runFor(120);
      simulation.reset(simulation.node(0), simulation.node(1));
      simulation.runFor(1000);
      const { seen } = root(simulation, 1);
      expect(root(simulation, 0).seen).to.include("-n2 lost");
      expect(seen.filter((one) => one === "-n1 lost")).to.have.length(1);
      promisesHold(seen);
    }
  });

  it("by a rule, breaks at the message that it hits", () => {
    const simulation = posts(2);
    root(simulation, 0).send(peerAt(1), 1);
    simulation.runFor(100);
    const remove = simulation.rule(resets(1, { tag: "sim-test/Numbered" }));
    root(simulation, 0).send(peerAt(1), 2);
    simulation.runFor(100);
    remove();
    root(simulation, 0).send(peerAt(1), 3);
    simulation.runFor(100);
    expect(root(simulation, 1).seen).to.deep.equal(["+n1", "n1:1", "-n1 lost", "+n1", "n1:3"]);
  });

  it("half, is believed in by the other until it sends", () => {
    const simulation = posts(2);
    root(simulation, 0).send(peerAt(1), 1);
    simulation.runFor(100);
    simulation.halfOpen(simulation.node(0), simulation.node(1));
    simulation.runFor(60_000);
    expect(root(simulation, 0).seen).to.deep.equal(["+n2", "-n2 lost"]);
    expect(root(simulation, 1).seen).to.deep.equal(["+n1", "n1:1"]);
    root(simulation, 1).deliver(peerAt(0), "acknowledged", 2);
    simulation.runFor(100);
    expect(root(simulation, 0).numbers).to.deep.equal([]);
    expect(root(simulation, 1).seen.at(-1)).to.equal("-n1 lost");
    expect(root(simulation, 1).deliveries).to.deep.equal([{ n: 2, status: "unknown" }]);
  });

  it("half, ends for the other when a new one is made", () => {
    const simulation = posts(2);
    root(simulation, 0).send(peerAt(1), 1);
    simulation.runFor(100);
    simulation.halfOpen(simulation.node(0), simulation.node(1));
    root(simulation, 0).send(peerAt(1), 2);
    simulation.runFor(100);
    expect(root(simulation, 1).seen).to.deep.equal(["+n1", "n1:1", "-n1 lost", "+n1", "n1:2"]);
  });
});

describe("what waits for a peer", () => {
  it("is bounded: full at half of it, drained at a quarter, and the rest is dropped", () => {
    const simulation = posts(2, { waitingMax: 100 });
    root(simulation, 0).send(peerAt(1), ...range(150));
    simulation.runFor(0);
    expect(root(simulation, 0).seen).to.deep.equal(["full n2"]);
    expect(root(simulation, 0).drops).to.have.length(50);
    expect(root(simulation, 0).drops[0]?.reason).to.equal("full");
    simulation.runFor(1000);
    expect(root(simulation, 0).seen).to.deep.equal(["full n2", "+n2", "drained n2"]);
    expect(root(simulation, 1).numbers).to.deep.equal(range(100));
    root(simulation, 0).send(peerAt(1), 151);
    simulation.runFor(100);
    expect(root(simulation, 1).numbers.at(-1)).to.equal(151);
  });

  it("has another bound from when that is said", () => {
    const simulation = posts(2, { waitingMax: 1 });
    root(simulation, 0).send(peerAt(1), 1, 2);
    simulation.runFor(1000);
    expect(root(simulation, 0).drops).to.have.length(1);
    simulation.limitQueues();
    root(simulation, 0).send(peerAt(1), ...range(150));
    simulation.runFor(1000);
    expect(root(simulation, 0).drops).to.have.length(1);
    simulation.limitQueues(2);
    root(simulation, 0).send(peerAt(1), 1, 2, 3);
    expect(() => simulation.limitQueues(0)).to.throw("queue of 0");
    simulation.runFor(1000);
    expect(root(simulation, 0).drops).to.have.length(2);
  });

  it("fills up while the peer is paused", () => {
    const simulation = posts(2, { waitingMax: 10 });
    root(simulation, 0).send(peerAt(1), 0);
    simulation.runFor(100);
    simulation.node(1).pause();
    root(simulation, 0).send(peerAt(1), ...range(12));
    simulation.runFor(60_000);
    expect(root(simulation, 0).drops).to.have.length(2);
    simulation.node(1).resume();
    simulation.runFor(100);
    expect(root(simulation, 0).seen).to.deep.equal(["+n2", "full n2", "drained n2"]);
    expect(root(simulation, 1).numbers).to.deep.equal(range(11, 0));
  });
});

describe("a delivery", () => {
  it("is told to be sent, acknowledged or failed", () => {
    const simulation = posts(3, { waitingMax: 4 });
    simulation.node(2).crash();
    root(simulation, 0).deliver(peerAt(1), "sent", 1);
    root(simulation, 0).deliver(peerAt(1), "acknowledged", 2);
    root(simulation, 0).deliver(peerAt(2), "acknowledged", 3);
    simulation.runFor(1000);
    root(simulation, 0).deliver(peerAt(1), "sent", ...range(5, 10));
    simulation.runFor(1000);
    const { deliveries, drops } = root(simulation, 0);
    const statusOf = (n: number): string | undefined => deliveries.find((d) => d.n === n)?.status;
    expect([1, 2, 3, 10, 14].map(statusOf)).to.deep.equal([
      "sent",
      "acknowledged",
      "failed",
      "sent",
      "failed",
    ]);
    expect(deliveries).to.have.length(8);
    expect(drops).to.deep.equal([]);
  });

  for (const transport of ["stream", "datagram"] as const)
    it(`has failed where the other side is in another life, over a ${transport}`, () => {
      const simulation = posts(2, { transport });
      simulation.node(1).crash();
      simulation.node(1).start();
      root(simulation, 0).deliver(peerAt(1), "acknowledged", 1);
      simulation.runFor(5000);
      expect(root(simulation, 0).deliveries).to.deep.equal([{ n: 1, status: "failed" }]);
      expect(root(simulation, 1).numbers).to.deep.equal([]);
    });

  it("is unknown where the acknowledgement cannot come back, though the message arrived", () => {
    const simulation = posts(2);
    root(simulation, 0).send(peerAt(1), 1);
    simulation.runFor(100);
    simulation.rule(oneWay("n2", "n1"));
    root(simulation, 0).deliver(peerAt(1), "acknowledged", 2);
    simulation.runFor(60_000);
    expect(root(simulation, 1).numbers).to.deep.equal([1, 2]);
    expect(root(simulation, 0).deliveries).to.deep.equal([{ n: 2, status: "unknown" }]);
  });

  for (const transport of ["stream", "datagram"] as const) {
    it(`is told exactly once, whatever happens (${transport})`, () => {
      for (const seed of range(20)) {
        const simulation = posts(2, { seed, transport });
        simulation.rule(loss(0.3));
        simulation.rule(duplication(0.3));
        simulation.rule(resets(0.05));
        for (const n of range(100)) {
          simulation.at(n * 50, () =>
            root(simulation, 0).deliver(peerAt(1), n % 2 === 0 ? "sent" : "acknowledged", n),
          );
        }
        simulation.at(3000, () => simulation.node(1).crash());
        simulation.at(3500, () => simulation.node(1).start());
        simulation.runFor(200_000);
        const { deliveries } = root(simulation, 0);
        const numbers = deliveries.map(({ n }) => n).toSorted((a, b) => a - b);
        expect(numbers).to.deep.equal(range(100));
      }
    });
  }
});

describe("datagrams", () => {
  it("are lost, doubled and reordered as the rules say", () => {
    const simulation = posts(2, { transport: "datagram" });
    simulation.rule(loss(0.1));
    simulation.rule(duplication(0.1));
    simulation.rule(reordering(0.2));
    stream(simulation, 1000, 1);
    simulation.runFor(5000);
    const { numbers, seen } = root(simulation, 1);
    const distinct = new Set(numbers);
    expect(distinct.size).to.be.within(860, 940);
    expect(numbers.length - distinct.size).to.be.within(50, 150);
    expect(numbers).not.to.deep.equal(numbers.toSorted((a, b) => a - b));
    expect(seen).to.have.length(numbers.length);
  });

  it("arrive in order where no rule and no latency says otherwise", () => {
    const simulation = posts(2, { transport: "datagram", latency: uniform(1, 1) });
    stream(simulation, 100, 1);
    simulation.runFor(5000);
    expect(root(simulation, 1).numbers).to.deep.equal(range(100));
  });
});

describe("rules", () => {
  it("are asked in order: the first verdict wins", () => {
    const asked: string[] = [];
    const noting = (rule: Rule): Rule => ({
      name: rule.name,
      judge: (m) => {
        asked.push(rule.name);
        return rule.judge(m);
      },
    });
    const simulation = posts(2, { transport: "datagram" });
    simulation.rule({
      name: "n2 is safe",
      judge: ({ to }) => (to === "n2" ? { kind: "pass" } : undefined),
    });
    simulation.rule(noting(loss(1)));
    stream(simulation, 10);
    simulation.runFor(1000);
    expect(root(simulation, 1).numbers).to.deep.equal(range(10));
    expect(asked).to.deep.equal([]);
  });

  it("make messages late", () => {
    const simulation = posts(2, { latency: uniform(1, 1) });
    root(simulation, 0).send(peerAt(1), 1);
    simulation.runFor(100);
    simulation.rule(delay(50, 50));
    const sent = simulation.time;
    root(simulation, 0).send(peerAt(1), 2);
    simulation.runFor(1000);
    expect(root(simulation, 1).times.at(-1)).to.equal(sent + 51);
  });

  it("are for the links and tags that they name", () => {
    const simulation = posts(3, { transport: "datagram" });
    simulation.rule(loss(1, { from: "n1", to: ["n2"] }));
    simulation.rule(loss(1, { tag: "something/Else" }));
    root(simulation, 0).send(peerAt(1), 1);
    root(simulation, 0).send(peerAt(2), 2);
    simulation.runFor(100);
    expect([root(simulation, 1).numbers, root(simulation, 2).numbers]).to.deep.equal([[], [2]]);
  });

  it("refuse what is no probability", () => {
    for (const wrong of [-0.1, 1.1, Number.NaN])
      expect(() => loss(wrong))
        .to.throw()
        .with.property("code", "KITH_SIM_ARGUMENT");
  });
});

/** Within a connection numbers rise without a gap; between two of them they only rise. */
function promisesHold(seen: readonly string[]): void {
  let last = 0;
  let begun = false;
  let up = false;
  for (const one of seen) {
    if (one.startsWith("+")) {
      expect(up, "one connection at a time").to.equal(false);
      up = true;
      begun = false;
    } else if (one.startsWith("-")) {
      expect(up, "an end without a beginning").to.equal(true);
      up = false;
    } else if (one.includes(":")) {
      const n = Number(one.split(":")[1]);
      expect(up, "a message without a connection").to.equal(true);
      if (begun) expect(n, "within a connection").to.equal(last + 1);
      else expect(n, "on a new connection").to.be.above(last);
      begun = true;
      last = n;
    }
  }
}

describe("what a connection promises", () => {
  const probability = fc.double({ min: 0, max: 0.6, noNaN: true });
  const rule: fc.Arbitrary<Rule> = fc.oneof(
    probability.map((p) => loss(p)),
    probability.map((p) => loss(p, { from: "n1" })),
    probability.map((p) => duplication(p)),
    probability.map((p) => reordering(p, 200)),
    fc.double({ min: 0, max: 0.05, noNaN: true }).map((p) => resets(p)),
    fc.nat(100).map((max) => delay(0, max)),
    fc.constant(oneWay("n2", "n1")),
    fc.constant(partition(["n1"], ["n2"])),
  );
  const installed = fc.record({ rule, from: fc.nat(20_000), lasts: fc.nat(20_000) });

  it("holds under every set of rules", function () {
    this.timeout(30_000);
    const property = fc.property(
      fc.nat(),
      fc.array(installed, { maxLength: 5 }),
      fc.array(fc.nat(20_000), { maxLength: 3 }),
      (seed, rules, halves) => {
        const simulation = posts(2, { seed });
        for (const { rule: one, from, lasts } of rules) {
          simulation.at(from, () => {
            const remove = simulation.rule(one);
            simulation.at(from + lasts, remove);
          });
        }
        for (const [i, at] of halves.entries())
          simulation.at(at, () =>
            i % 2 === 0
              ? simulation.halfOpen(simulation.node(0), simulation.node(1))
              : simulation.reset(simulation.node(0), simulation.node(1)),
          );
        stream(simulation, 200, 100);
        simulation.runFor(120_000);
        promisesHold(root(simulation, 1).seen);
        const before = root(simulation, 1).numbers.length;
        root(simulation, 0).send(peerAt(1), 1000);
        simulation.runFor(60_000);
        expect(root(simulation, 1).numbers.length).to.be.above(before);
      },
    );
    fc.assert(property, { numRuns: 60, seed: 20260101 });
  });
});
