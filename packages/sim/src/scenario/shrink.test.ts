import { SchedulePeriodic, timeout } from "@kith/core";
import { message } from "@kith/network";
import { Storage, Write } from "@kith/storage";
import { expect } from "chai";
import {
  decisionsOf,
  describeFault,
  type Fault,
  type HistoryEvent,
  type Plan,
  planFor,
  Recording,
  replay,
  runPlan,
  runSeed,
  shrink,
  type Shrunk,
  storyFile,
} from "./index.ts";
import { indices, promises } from "./plan.ts";
import { type Bug, Kept, tally, Tally, type TallyInit } from "./tally.test.ts";

/** From here on it is not far to a seed that fails with a bug, and shrinks in a second or two. */
const near: Readonly<Record<Exclude<Bug, "none">, number>> = {
  "acknowledges early": 34,
  "asks too few": 5,
  forgets: 2,
};

function failingPlan(bug: Exclude<Bug, "none">): Plan {
  for (let seed = near[bug]; seed < near[bug] + 100; seed++) {
    const { plan, failure } = runSeed(tally(bug), seed);
    if (failure !== null) return plan;
  }
  throw new Error(`The bug "${bug}" was not found.`);
}

const shrunk = new Map<Bug, Shrunk>();

function shrunkOf(bug: Exclude<Bug, "none">): Shrunk {
  const scenario = tally(bug);
  const known = shrunk.get(bug);
  if (known !== undefined) return known;
  const made = shrink(scenario, failingPlan(bug));
  shrunk.set(bug, made);
  return made;
}

class Idle extends timeout("shrink-test/Idle") {}
class Noise extends message("shrink-test/Noise") {}

/** The same, with something more to do: timers, messages to everyone and writes of its own. */
class Busier extends Tally {
  readonly more = this.requires(Storage);
  readonly #note = this.more.onAnswer(Write, () => undefined);

  constructor(init: TallyInit) {
    super(init);
    this.net.on(Noise, () => undefined);
    this.timer.on(Idle, () => {
      for (const to of init.peers) this.net.trigger(new Noise({ to }));
      this.#note(
        new Write({
          namespace: "noise",
          operations: [{ kind: "put", key: new Uint8Array([1]), value: new Uint8Array(10) }],
        }),
      );
    });
    this.onStart(() =>
      this.timer.trigger(new SchedulePeriodic({ period: 170, timeout: new Idle() })),
    );
  }
}

describe("shrinking", () => {
  for (const bug of ["acknowledges early", "forgets", "asks too few"] as const) {
    it(`makes a few decisions of a failing seed, and a plan that fails in the same way: ${bug}`, function () {
      this.timeout(60_000);
      const { plan, result, decisions } = shrunkOf(bug);
      expect(decisions, plan.faults.map(describeFault).join("; ")).to.be.at.most(12);
      expect(decisions).to.equal(decisionsOf(plan));
      expect(plan.nodes).to.equal(3);
      const again = runPlan(tally(bug), plan);
      expect(again.hash).to.equal(result.hash);
      expect(again.failure).to.deep.equal(result.failure);
      // It is the bug that fails, not the plan.
      expect(runPlan(tally("none"), plan).failure).to.equal(null);
    });
  }

  it("names faults, and draws none", function () {
    this.timeout(60_000);
    const { plan } = shrunkOf("forgets");
    expect(plan.faults.every(({ rate }) => rate === undefined)).to.equal(true);
    expect(plan.operations).not.to.equal(undefined);
  });

  it("leaves a story that stays red when something unrelated changes", function () {
    this.timeout(60_000);
    const scenario = tally("forgets");
    const { plan } = shrunkOf("forgets");
    const story = replay(scenario, { name: "story", about: "A story.", plan });
    const { failure } = runSeed(story, "any seed");
    expect(failure).not.to.equal(null);
    const changed = runSeed({ ...story, main: Busier }, "any seed");
    expect(changed.failure?.invariant).to.equal(failure?.invariant);
    expect(changed.hash).not.to.equal(runSeed(story, "any seed").hash);
  });

  it("asks for no more than what is promised", function () {
    this.timeout(60_000);
    const scenario = tally("none", {
      transport: "stream",
      eventually: [{ name: "the moon is full", within: 100, holds: () => false }],
    });
    const plans = indices(100).map((seed) => planFor(scenario, seed));
    const plan = plans.find(({ nodes, core }) => nodes === 5 && core.length === 3);
    if (plan === undefined) throw new Error("no such seed");
    const small = shrink(scenario, plan).plan;
    expect(decisionsOf(small)).to.equal(0);
    expect(small.nodes).to.equal(3);
    expect(small.core.length).to.be.at.least(2);
    expect(promises(scenario, small)).to.equal(true);
    expect(promises(scenario, { ...small, core: [0] })).to.equal(false);
    const wiped: Fault = { kind: "wiped disk", at: 1, nodes: [0] };
    expect(promises(scenario, { ...small, faults: [wiped] })).to.equal(false);
    const forgiving = { ...scenario, tolerates: { amnesia: () => 1 } };
    expect(promises(forgiving, { ...small, faults: [wiped, wiped] })).to.equal(true);
    const twice = [wiped, { ...wiped, nodes: [1] }];
    expect(promises(forgiving, { ...small, faults: twice })).to.equal(false);
  });

  it("has the same run in the same weather, and another in another one", () => {
    const { plan } = runSeed(tally(), 1);
    const hashes = [undefined, undefined, 1, 1, 2].map(
      (weather) => runPlan(tally(), weather === undefined ? plan : { ...plan, weather }).hash,
    );
    expect(hashes[0]).to.equal(hashes[1]);
    expect(hashes[2]).to.equal(hashes[3]);
    expect(new Set(hashes).size).to.equal(3);
  });

  it("does not take a seed that holds", () => {
    expect(() => shrink(tally(), runSeed(tally(), 1).plan)).to.throw(/nothing to shrink/);
  });

  it("gives what it has when the time is over", function () {
    this.timeout(60_000);
    const scenario = tally("forgets");
    const plan = failingPlan("forgets");
    let left = 5;
    const { runs, result } = shrink(scenario, plan, { stop: () => left-- <= 0 });
    expect(runs).to.be.at.most(7);
    expect(result.failure).not.to.equal(null);
  });

  it("writes the story as a file of its own", () => {
    const scenario = tally("forgets");
    const { plan, failure } = runPlan(scenario, failingPlan("forgets"));
    if (failure === null) throw new Error("it holds");
    const text = storyFile({ exported: "tallyScenario", from: "./tally.ts", plan, failure });
    expect(text).to.include('import { tallyScenario } from "./tally.ts";');
    expect(text).to.include("export const story = replay(tallyScenario, {");
  });
});

describe("a recording", () => {
  const scenario = tally("forgets");

  it("does not change the run, and neither does writing down what strikes", () => {
    const plain = runSeed(scenario, 3);
    expect(runSeed(scenario, 3, { recording: new Recording() }).hash).to.equal(plain.hash);
    expect(runSeed(scenario, 3, { record: true }).hash).to.equal(plain.hash);
    expect(runSeed(scenario, 3).hash).to.equal(plain.hash);
  });

  it("tells what led to a failure, up to what the scenario was told, over messages", function () {
    this.timeout(60_000);
    const { plan } = shrunkOf("acknowledges early");
    const recording = new Recording();
    runPlan(tally("acknowledges early"), plan, { recording });
    const slice = recording.slice();
    expect(slice.length).to.be.within(5, 30);
    expect(slice.at(-1)).to.match(/answers Performed|states Kept/);
    expect(slice.join("\n")).to.match(/sends (Put|Get).*\n(.*\n)*.*gets (Put|Get)/);
    const times = slice.map((line) => Number.parseFloat(line));
    expect(times).to.deep.equal([...times].sort((a, b) => a - b));
  });

  it("tells of what is named, where a failure is found at the end", () => {
    let value: unknown;
    const check = ({ history }: { readonly history: readonly HistoryEvent[] }): string => {
      ({ value } = history.find((one) => one.type === "ok" && Number(one.value) > 1000) ?? {});
      return `Wrong: ${String(value)} came to n2 within 9999 ms.`;
    };
    const recording = new Recording();
    const late = tally("none", { finally: [{ name: "late", check }] });
    const { time } = runSeed(late, 1, { recording });
    const slice = recording.slice();
    expect(slice.length).to.be.within(5, 30);
    const asked = slice.findIndex(
      (line) => line.includes(`is asked for Perform`) && line.includes(`"value":${String(value)}`),
    );
    const answered = slice.findIndex((line, i) => i > asked && line.includes("answers Performed"));
    expect([asked >= 0, answered > asked]).to.deep.equal([true, true]);
    expect(Number.parseFloat(slice[answered] ?? "")).to.be.below(time / 2);
    expect(slice.at(-1)).to.match(/ n2  .*(answers|states)/);
  });

  it("goes on with what a node did before, where what was told was due again and again", () => {
    class Teller extends Tally {
      #ticks = 0;
      constructor(init: TallyInit) {
        super(init);
        this.timer.on(Idle, () => {
          if (++this.#ticks === 20) this.workload.trigger(new Kept({ count: 0 }));
        });
        this.onStart(() =>
          this.timer.trigger(new SchedulePeriodic({ period: 100, timeout: new Idle() })),
        );
      }
    }
    const recording = new Recording();
    const { failure } = runSeed(tally("none", { main: Teller }), 1, { recording });
    expect(failure?.invariant).to.equal("sets only grow");
    const slice = recording.slice();
    expect(slice.length).to.be.above(10);
    expect(slice.at(-1)).to.match(/states Kept/);
    // Not from the beginning, where the timer was set.
    expect(Number.parseFloat(slice[0] ?? "")).to.be.above(500);
  });

  it("can be read by ShiViz: each clock counts its own events, and knows no more than it was sent", () => {
    const recording = new Recording();
    const result = runSeed(scenario, 3, { recording });
    const [pattern, delimiter, ...lines] = recording.shiviz().trimEnd().split("\n");
    expect(pattern).to.equal("(?<host>\\S*) (?<clock>{.*})\\n(?<event>.*)");
    expect(delimiter).to.equal("");
    const own = new Map<string, number>();
    let joined = 0;
    for (let i = 0; i < lines.length; i += 2) {
      const [, host = "", clock = ""] = /^(\S*) (\{.*\})$/.exec(lines[i] ?? "") ?? [];
      const counts = new Map<string, number>(Object.entries(JSON.parse(clock)));
      expect(counts.get(host)).to.equal((own.get(host) ?? 0) + 1);
      own.set(host, counts.get(host) ?? 0);
      for (const [other, count] of counts) expect(count).to.be.at.most(own.get(other) ?? 0);
      if (counts.size > 1) joined++;
    }
    expect(own.size).to.equal(result.plan.nodes);
    expect(joined).to.be.above(lines.length / 4);
  });
});

describe("the history of a run", () => {
  it("has one open call for each process, and no calls after an unknown outcome", () => {
    for (let seed = 1; seed <= 12; seed++) {
      const { history, operations } = runSeed(tally(), seed);
      const open = new Map<number, string>();
      const retired = new Set<number>();
      const values = new Set<unknown>();
      const counts = { invoke: 0, ok: 0, fail: 0, info: 0 };
      let before = 0;
      for (const { process, type, op, value, time } of history) {
        expect(time).to.be.at.least(before);
        before = time;
        counts[type]++;
        expect(retired.has(process), "called after info").to.equal(false);
        if (type === "invoke") {
          expect(open.has(process), "two open calls").to.equal(false);
          open.set(process, op);
          if (op === "add") expect(values.has(value), "a value twice").to.equal(false);
          if (op === "add") values.add(value);
        } else {
          expect(open.get(process)).to.equal(op);
          open.delete(process);
          if (type === "info") retired.add(process);
        }
      }
      const { invoked, closing, ...outcomes } = operations;
      expect(closing).to.equal(2);
      expect(counts).to.deep.equal({ invoke: invoked, ...outcomes });
    }
  });

  it("has the timeouts of each process when what was called is written down", () => {
    const [client] = tally().processes;
    if (client === undefined) throw new Error("there is one");
    const impatient = { ...client, name: "impatient", count: 1, timeout: 3 };
    const scenario = tally("none", { processes: [{ ...client, count: 1 }, impatient] });
    const { recorded, plan, history } = runSeed(scenario, 5, { record: true });
    const timeouts = recorded.operations.map(({ caller, timeout }) => [caller, timeout] as const);
    expect(new Set(timeouts.map(String))).to.deep.equal(new Set(["0,", "1,3"]));
    const again = runPlan(scenario, { ...plan, operations: recorded.operations });
    const waits = (lines: typeof history): number =>
      lines.filter(({ error }) => error === "timeout").length;
    expect(waits(history)).to.be.above(0);
    expect(waits(again.history)).to.equal(waits(history));
  });

  it("is the same for the same seed", () => {
    expect(runSeed(tally(), 2).history).to.deep.equal(runSeed(tally(), 2).history);
  });
});
