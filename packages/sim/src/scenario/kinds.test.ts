import { Component } from "@kith/core";
import { expect } from "chai";
import {
  allKinds,
  constant,
  describeFault,
  type Fault,
  type FaultKind,
  type Plan,
  planFor,
  Perform,
  Performed,
  Recording,
  runPlan,
  type RunResult,
  scenario,
  type Scenario,
  Workload,
} from "./index.ts";
import { promises } from "./plan.ts";
import { Get, PutDone, tally } from "./tally.test.ts";

const base: Plan = {
  seed: 7,
  nodes: 3,
  transport: "datagram",
  duration: 4000,
  settle: 10_000,
  core: [0, 1, 2],
  rest: {},
  faults: [],
};

/** One fault of each kind, so that it must strike. */
const examples: Readonly<Record<FaultKind, Omit<Fault, "kind">>> = {
  "latency tail": { at: 0, for: 3000, rate: 0.5, size: 50 },
  "asymmetric latency": { at: 0, for: 3000, nodes: [0], others: [1], size: 50 },
  loss: { at: 0, for: 3000, rate: 0.2 },
  duplicate: { at: 0, for: 3000, rate: 0.2, size: 20 },
  reorder: { at: 0, for: 3000, rate: 0.2, size: 20 },
  "late replay": { at: 0, for: 3000, rate: 0.2, size: 500 },
  corruption: { at: 0, for: 3000, rate: 0.2 },
  "clogged sender": { at: 500, for: 500, nodes: [0] },
  "clogged receiver": { at: 500, for: 500, nodes: [0] },
  "clogged pair": { at: 500, for: 500, nodes: [0], others: [1] },
  split: { at: 500, for: 500, nodes: [0], others: [1, 2] },
  isolation: { at: 500, for: 500, nodes: [0], others: [1, 2] },
  "one way": { at: 500, for: 500, nodes: [0], others: [1] },
  bridge: { at: 500, for: 500, nodes: [0], others: [2] },
  flapping: { at: 500, for: 500, nodes: [0], others: [1, 2], size: 50 },
  "gray link": { at: 500, for: 500, nodes: [0], others: [1], rate: 0.9 },
  "slow drip": { at: 500, for: 500, nodes: [0], others: [1], size: 20 },
  reset: { at: 0, for: 3000, rate: 0.02 },
  "half-open": { at: 1000, nodes: [0], others: [1] },
  "overflowing queue": { at: 0, size: 1 },
  "restart at once": { at: 1000, for: 2, nodes: [0] },
  "late restart": { at: 1000, for: 1000, nodes: [0] },
  "no restart": { at: 1000, nodes: [0] },
  "crash between effects": { at: 1000, for: 10, nodes: [0] },
  pause: { at: 1000, for: 200, nodes: [0] },
  "old disk": { at: 500, for: 1000, nodes: [0] },
  "wiped disk": { at: 1000, for: 10, nodes: [0] },
  "reused identity": { at: 1000, for: 10, nodes: [0] },
  "failing flush": { at: 0, for: 3000, nodes: [0], rate: 0.1 },
  "slow flush": { at: 0, for: 3000, nodes: [0], rate: 0.5, size: 50 },
  "read error": { at: 1000, for: 20, nodes: [0] },
  "full disk": { at: 500, for: 500, nodes: [0] },
  "bit rot": { at: 0, for: 3000, nodes: [0], rate: 0.2 },
  "lost write": { at: 500, for: 2000, nodes: [0] },
  "torn write": { at: 500, for: 2000, nodes: [0] },
  "lying disk": { at: 500, for: 1000, nodes: [0] },
  "clock offset": { at: 0, nodes: [0], size: 60_000 },
  drift: { at: 500, for: 1000, nodes: [0], size: 400 },
  "jump forward": { at: 500, nodes: [0], size: 1000 },
  "jump back": { at: 500, nodes: [0], size: 1000 },
  "clock standing still": { at: 500, for: 1000, nodes: [0] },
  "hot key": { at: 500, for: 1000 },
  burst: { at: 500, for: 100 },
  "slow handler": { at: 500, for: 1000, nodes: [0], size: 10 },
  join: { at: 500, nodes: [0] },
  leave: { at: 500, for: 500, nodes: [0] },
  swap: { at: 500, nodes: [0], tag: "/Network" },
  "mixed versions": { at: 1000, nodes: [0], others: [1] },
  "cold path": { at: 0, rate: 1 },
};

const overConnections: ReadonlySet<FaultKind> = new Set([
  "reset",
  "half-open",
  "overflowing queue",
]);

function strike(kind: FaultKind, record = false): RunResult {
  const transport = overConnections.has(kind) ? "stream" : "datagram";
  // Whether the set survives amnesia is not the question here.
  const lenient = tally("none", { finally: [], invariants: [], closing: () => [] });
  // Half of all seeds take a cold path: this one does.
  const seed = kind === "cold path" ? 4 : base.seed;
  return runPlan(
    lenient,
    { ...base, seed, transport, faults: [{ kind, ...examples[kind] }] },
    { record },
  );
}

describe("every kind of faults", () => {
  for (const kind of allKinds)
    it(`strikes, is counted, and strikes alone: ${kind}`, () => {
      const { injected, failure, operations } = strike(kind);
      expect(failure).to.equal(null);
      expect(operations.ok).to.be.above(10);
      for (const other of allKinds)
        if (other === kind) expect(injected[other], other).to.be.above(0);
        else expect(injected[other], other).to.equal(0);
    });

  it("can be described", () => {
    for (const kind of allKinds)
      expect(describeFault({ kind, ...examples[kind] })).to.match(new RegExp(`^${kind}.* at \\d`));
  });

  it("strikes where a certain message leaves, where a crash between effects names one", () => {
    for (const tag of [PutDone.tag, Get.tag]) {
      const recording = new Recording();
      const fault: Fault = { kind: "crash between effects", at: 1000, for: 10, nodes: [0], tag };
      const lenient = tally("none", { finally: [], invariants: [], closing: () => [] });
      const { injected } = runPlan(lenient, { ...base, faults: [fault] }, { recording });
      expect(injected["crash between effects"]).to.equal(1);
      const lines = recording.shiviz().split("\n");
      const done = lines.filter((_, i) => lines[i - 1]?.startsWith("n1 ") === true);
      const [end = ""] = done.filter((line) => line.endsWith("its life ends"));
      const [time = "-"] = end.split(": ");
      const last = done.filter((line) => line.startsWith(`${time}: `)).join("\n");
      expect(last).to.contain(` sends ${tag.replace("tally/", "")} `);
    }
  });

  it("can be struck by a storm, which is told who may forget", () => {
    const told: (readonly number[])[] = [];
    const stormy = tally("none", {
      tolerates: { amnesia: (n) => n - 3 },
      faults: {
        storm: ({ forgetful, nodes }) => {
          told.push([nodes, forgetful.length]);
          return forgetful.map((node) => ({ kind: "wiped disk", at: 17, nodes: [node], for: 3 }));
        },
      },
    });
    for (let seed = 1; seed <= 20; seed++) {
      const plan = planFor(stormy, seed);
      expect(promises(stormy, plan), `seed ${seed}`).to.equal(true);
      const ours = plan.faults.filter(({ kind, at }) => kind === "wiped disk" && at === 17);
      expect(ours.length).to.equal(plan.nodes - 3);
    }
    expect(new Set(told.map(String))).to.deep.equal(new Set(["3,0", "4,1", "5,2"]));
  });

  it("is named deed by deed when it has a rate, and then does the same again", () => {
    for (const kind of allKinds) {
      if (examples[kind].rate === undefined) continue;
      const drawn = strike(kind, true);
      const { faults } = drawn.recorded;
      expect(
        faults.every(({ rate, number }) => rate === undefined && number !== undefined),
      ).to.equal(true);
      const lenient = tally("none", { finally: [], invariants: [], closing: () => [] });
      const named = runPlan(lenient, { ...drawn.plan, faults });
      expect(named.injected[kind], kind).to.equal(drawn.injected[kind]);
      expect(named.history, kind).to.deep.equal(drawn.history);
    }
  });
});

interface Seen {
  readonly time: number;
  readonly wall: number;
  readonly incarnation: number;
}

describe("what a kind does to a node", () => {
  const seen: Seen[] = [];
  const seeds = new Set<number | string>();
  const starts: number[] = [];
  class Watcher extends Component {
    readonly workload = this.requires(Workload);
    constructor({ incarnation }: { readonly incarnation: number }) {
      super();
      this.workload.on(
        // The clocks and the life, each time it is asked.
        Perform,
        ({ id }) => {
          seen.push({ time: this.clock.monotonic, wall: this.clock.wall, incarnation });
          this.workload.trigger(new Performed({ id, type: "ok" }));
        },
      );
    }
  }
  const watcher = scenario({
    name: "watcher",
    about: "Looks at its clocks.",
    nodes: 1,
    main: Watcher,
    init: ({ peers, seed, time }) => {
      seeds.add(seed);
      starts.push(time);
      return { incarnation: peers[0]?.incarnation ?? 0 };
    },
    processes: [{ name: "look", wait: constant(100), next: () => ({ op: "look" }) }],
  });
  const look = (fault: Fault): readonly Seen[] => {
    seen.length = 0;
    runPlan(watcher, { ...base, nodes: 1, core: [0], duration: 2000, faults: [fault] });
    return [...seen];
  };

  it("is told to the node with the run's seed, by which settings may be chosen, and when its life begins", () => {
    seeds.clear();
    starts.length = 0;
    look({ kind: "late restart", at: 450, for: 10, nodes: [0] });
    expect([...seeds]).to.deep.equal([base.seed]);
    expect(starts).to.deep.equal([0, 460]);
  });

  it("lets the wall clock stand still, and go on", () => {
    const looks = look({ kind: "clock standing still", at: 450, for: 1000, nodes: [0] });
    const during = looks.filter(({ time }) => time > 450 && time < 1450);
    expect(during.length).to.be.above(8);
    expect(new Set(during.map(({ wall }) => wall)).size).to.equal(1);
    const after = looks.find(({ time }) => time > 1450);
    const before = looks.find(({ time }) => time < 450);
    expect((after?.wall ?? 0) - (before?.wall ?? 0)).to.be.closeTo(
      (after?.time ?? 0) - (before?.time ?? 0),
      0.01,
    );
  });

  it("lets a new life reuse the incarnation of the last one", () => {
    const lives = (kind: FaultKind): number[] => [
      ...new Set(look({ kind, at: 450, for: 10, nodes: [0] }).map((one) => one.incarnation)),
    ];
    expect(lives("reused identity")).to.deep.equal([1]);
    expect(lives("late restart")).to.deep.equal([1, 2]);
  });

  it("sets the wall clock back and forward", () => {
    const jump = (kind: FaultKind): number => {
      const looks = look({ kind, at: 450, nodes: [0], size: 5000 });
      const offset = ({ time, wall }: Seen): number => wall - time;
      const [first] = looks;
      const last = looks.at(-1);
      if (first === undefined || last === undefined) throw new Error("nothing was seen");
      return Math.round(offset(last) - offset(first));
    };
    expect(jump("jump forward")).to.equal(5000);
    expect(jump("jump back")).to.equal(-5000);
  });
});

describe("the swarm", () => {
  it("draws the same plan for the same seed, and others for others", () => {
    expect(planFor(tally(), 5)).to.deep.equal(planFor(tally(), 5));
    const plans = new Set([1, 2, 3, 4, 5, 6].map((seed) => JSON.stringify(planFor(tally(), seed))));
    expect(plans.size).to.equal(6);
  });

  it("draws every kind that the scenario allows, within so many seeds, and none that it does not", () => {
    const wanted = tally("none", {
      tolerates: { amnesia: () => 1 },
      faults: { without: { reset: "for the test" } },
    });
    const drawn = new Set<FaultKind>();
    for (let seed = 1; seed <= 200; seed++) {
      const { faults, nodes, core } = planFor(wanted, seed);
      const victims = new Set<number>();
      for (const { kind, nodes: struck = [] } of faults) {
        drawn.add(kind);
        if (["old disk", "wiped disk", "lying disk", "bit rot"].includes(kind))
          for (const node of struck) victims.add(node);
      }
      expect(victims.size).to.be.at.most(1);
      expect(core.length).to.be.above(nodes / 2);
    }
    expect(allKinds.filter((kind) => !drawn.has(kind))).to.deep.equal(["reset"]);
  });

  it("lets as many nodes forget as the scenario allows beside those that are gone", () => {
    const wanted = tally("none", {
      nodes: 5,
      tolerates: { down: () => 2, amnesia: (n, gone) => (n - 1) / 2 - gone },
      faults: { only: ["wiped disk", "old disk", "lying disk"] },
    });
    const sums = new Set<number>();
    for (let seed = 1; seed <= 100; seed++) {
      const { faults, core } = planFor(wanted, seed);
      const gone = 5 - core.length;
      const victims = new Set(faults.flatMap(({ nodes = [] }) => nodes)).size;
      expect(victims + gone).to.be.at.most(2);
      if (victims > 0) sums.add(victims * 10 + gone);
    }
    expect(sums).to.deep.equal(new Set([10, 11, 20]));
  });

  it("lets bits rot where a node may forget, or fail for good, and nowhere else", () => {
    const rots = (tolerates: Scenario["tolerates"]): boolean =>
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12].some((offset) => {
        const wanted = tally("none", { faults: { only: ["bit rot"] }, tolerates: tolerates ?? {} });
        return planFor(wanted, offset * 7).faults.length > 0;
      });
    expect(rots({})).to.equal(true);
    expect(rots({ down: () => 0 })).to.equal(false);
    expect(rots({ down: () => 0, amnesia: () => 1 })).to.equal(true);
  });

  it("has faults begin as late as it is told to, but for what is so from birth", () => {
    const fromBirth = ["overflowing queue", "cold path", "clock offset"];
    const late = tally("none", { faults: { after: 4000 } });
    const faults = Array.from({ length: 30 }, (_, seed) => planFor(late, seed).faults).flat();
    expect(faults.length).to.be.greaterThan(100);
    for (const { kind, at } of faults)
      expect(at, kind).to.satisfy((ms: number) =>
        fromBirth.includes(kind) ? ms === 0 : ms >= 4000 && ms <= 10_000,
      );
  });

  it("leaves the other kinds as they were when one is excluded", () => {
    const all = planFor(tally(), 9);
    const without = planFor(tally("none", { faults: { without: { pause: "for the test" } } }), 9);
    expect(without.faults).to.deep.equal(all.faults.filter(({ kind }) => kind !== "pause"));
  });
});

describe("mixed versions", () => {
  class Old extends Component {
    readonly workload = this.requires(Workload);
    readonly state = this.declareState({ version: 1, calls: 0 });
    constructor({ base: from }: { readonly base: number }) {
      super();
      this.workload.on(Perform, ({ id }) => {
        const value = [this.state.version, from + ++this.state.calls];
        this.workload.trigger(new Performed({ id, type: "ok", value }));
      });
    }
  }
  class New extends Old {
    readonly stateVersion: number = 2;
    migrate({ calls }: { readonly calls: number }): { version: number; calls: number } {
      return { version: 2, calls };
    }
  }
  class Broken extends New {
    override migrate(): never {
      throw new Error("cannot read this state");
    }
  }
  class Main extends Component {
    readonly service = this.create(Old, { base: 100 }, { name: "service" });
  }
  const path = "/Main-1/service";

  function run(to: typeof Old, at: readonly number[]): RunResult {
    const rolling = scenario({
      name: "rolling",
      about: "A service that counts its calls gets a new version while it runs.",
      nodes: 1,
      main: Main,
      init: () => ({}),
      processes: [{ name: "client", wait: constant(100), next: () => ({ op: "count" }) }],
      versions: [{ path, to }],
    });
    const faults = at.map((time): Fault => ({
      kind: "mixed versions",
      at: time,
      nodes: [0],
      tag: path,
    }));
    return runPlan(rolling, { ...base, nodes: 1, core: [0], duration: 1000, faults });
  }

  it("puts a later version into the place of a component, with its init and its state, once in a life", () => {
    const { failure, history, injected } = run(New, [500, 700]);
    expect(failure).to.equal(null);
    expect(injected["mixed versions"]).to.equal(1);
    const values = history.filter(({ type }) => type === "ok").map(({ value }) => value);
    expect(values.length).to.be.above(5);
    const versions = values.map((value) => (Array.isArray(value) ? value[0] : 0));
    expect(new Set(versions)).to.deep.equal(new Set([1, 2]));
    // Once it is there it stays.
    expect(versions.lastIndexOf(1)).to.be.below(versions.indexOf(2));
    expect(values.map((value) => (Array.isArray(value) ? value[1] : 0))).to.deep.equal(
      values.map((_, i) => 101 + i),
    );
  });

  it("fails a run where a version cannot take over", () => {
    const { failure, injected } = run(Broken, [500]);
    expect(failure?.invariant).to.equal("versions follow each other");
    expect(failure?.complaint).to.include("cannot read this state");
    expect(injected["mixed versions"]).to.equal(0);
  });

  it("are drawn as messages and, where there are later versions, as swaps", () => {
    const tags = (versions: Scenario["versions"]): Set<string | undefined> => {
      const wanted = tally("none", {
        faults: { only: ["mixed versions"] },
        versions: versions ?? [],
      });
      const seeds = Array.from({ length: 60 }, (_, i) => planFor(wanted, i).faults);
      return new Set(seeds.flat().map(({ tag }) => tag));
    };
    expect(tags([])).to.deep.equal(new Set([undefined]));
    expect(tags([{ path, to: New }])).to.deep.equal(new Set([undefined, path]));
  });
});
