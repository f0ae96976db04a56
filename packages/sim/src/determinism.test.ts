import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Component, SchedulePeriodic, timeout, Timer } from "@kith/core";
import { message, Network, type PeerRef } from "@kith/network";
import { expect } from "chai";
import {
  duplication,
  loss,
  reordering,
  resets,
  type Rule,
  simulate,
  type Simulation,
  type Travelling,
  twice,
} from "./index.ts";
import { type Pinger, pingers, peersOf } from "./scenario.test.ts";

function hashOf(seed: number | string): string {
  const simulation = pingers(10, { seed });
  simulation.rule(loss(0.05));
  simulation.runFor(20_000);
  return simulation.hash;
}

describe("the hash of a simulation", () => {
  it("is the same in two runs of a seed", () => {
    expect(hashOf(1)).to.equal(hashOf(1));
    expect(hashOf("a text")).to.equal(hashOf("a text"));
  });

  it("differs from seed to seed", () => {
    const hashes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map(hashOf);
    expect(new Set(hashes).size).to.equal(10);
  });

  it("is the same in another process", function () {
    this.timeout(20_000);
    const code = `
      import { loss, simulate } from ${JSON.stringify(new URL("./index.ts", import.meta.url).href)};
      import { Pinger, peersOf } from ${JSON.stringify(new URL("./scenario.test.ts", import.meta.url).href)};
      const simulation = simulate(Pinger, { seed: 1, nodes: 10, init: { peers: peersOf(10) } });
      simulation.rule(loss(0.05));
      simulation.runFor(20_000);
      console.log(simulation.hash);
    `;
    const args = ["--import", "tsx", "--conditions", "source", "--input-type=module", "-e", code];
    const cwd = fileURLToPath(new URL("..", import.meta.url));
    const run = spawnSync(process.execPath, args, { cwd, encoding: "utf8" });
    expect(run.stdout.trim(), run.stderr).to.equal(hashOf(1));
  });

  it("knows the bytes of messages", () => {
    const run = (text: string): string => {
      const simulation = sayers(() => text);
      simulation.runFor(5000);
      return simulation.hash;
    };
    expect(run("one")).to.equal(run("one"));
    expect(run("one")).not.to.equal(run("two"));
  });

  it("is the same with traps and without", () => {
    const plain = pingers(5, { traps: false });
    const trapped = pingers(5);
    plain.runFor(5000);
    trapped.runFor(5000);
    expect(plain.hash).to.equal(trapped.hash);
  });

  it("does not depend on how the time is cut into runs", () => {
    const whole = pingers(5);
    whole.runFor(5000);
    const parts = pingers(5);
    for (let i = 0; i < 50; i++) parts.runFor(100);
    expect(parts.hash).to.equal(whole.hash);
  });
});

class Say extends message("sim-test/Say")<{ readonly text: string }> {}
class Now extends timeout("sim-test/Now") {}

/** What the Sayer reads although it is no port of it. */
let say = (): string => "nothing";

function sayers(words: () => string, traps = true): Simulation<typeof Sayer> {
  say = words;
  return simulate(Sayer, { seed: 1, nodes: 2, traps });
}

/** Says something to n2 every second. */
class Sayer extends Component {
  readonly timer = this.requires(Timer);
  readonly net = this.requires(Network);

  constructor() {
    super();
    const to: PeerRef = { peerId: 2, host: "n2", port: 7000, incarnation: 1 };
    this.timer.on(Now, () => this.net.trigger(new Say({ to, text: say() })));
    this.onStart(() =>
      this.timer.trigger(new SchedulePeriodic({ period: 1000, timeout: new Now() })),
    );
  }
}

/** Fans out to as many children as the host's mood says. */
let mood = 0;

class Moody extends Component {
  readonly timer = this.requires(Timer);

  constructor() {
    super();
    this.timer.on(Now, () => undefined);
    this.onStart(() => {
      const period = 1000 + mood++;
      this.timer.trigger(new SchedulePeriodic({ period, timeout: new Now() }));
    });
  }
}

describe("running a seed twice", () => {
  it("tells the hash of both runs", () => {
    const run = (simulation: Simulation<typeof Pinger>): void => simulation.runFor(10_000);
    const { hash, decisions } = twice(() => pingers(5), run);
    expect(hash).to.match(/^[0-9a-f]{16}$/);
    expect(decisions).to.be.above(100);
  });

  it("names the link over which a module's counter leaks", () => {
    let leak = 0;
    const build = () => sayers(() => `said ${leak++}`);
    expect(() => twice(build, (simulation) => simulation.runFor(5000)))
      .to.throw(/part at decision \d+: .*message at \d+ µs: sim-test\/Say from n[12] to n2/)
      .with.property("code", "KITH_SIM_NONDETERMINISM");
  });

  it("names the component that came at another time", () => {
    const build = () => simulate(Moody, { seed: 1 });
    expect(() => twice(build, (simulation) => simulation.runFor(5000))).to.throw(
      /event at 100[01] µs: timer of n1|event at \d+ µs: .*n1/,
    );
  });

  it("finds a host's random number, with the traps off", () => {
    const build = () => sayers(() => String(Math.random()), false);
    expect(() => twice(build, (simulation) => simulation.runFor(5000))).to.throw(/sim-test\/Say/);
  });

  it("finds that one run ended earlier", () => {
    let runs = 0;
    const run = (simulation: Simulation<typeof Pinger>): void =>
      simulation.runFor(runs++ === 0 ? 5000 : 4000);
    expect(() => twice(() => pingers(3), run)).to.throw(/then nothing more/);
  });
});

/** Notes the draws of a rule, and what was to be judged. */
function spy(into: string[], link?: string): Rule {
  return {
    name: "spy",
    judge: ({ from, to, tag, time, draw }: Travelling) => {
      if (link === undefined || link === `${from}>${to}`)
        into.push(`${from}>${to} ${tag} ${time} ${draw}`);
      return undefined;
    },
  };
}

/** All draws of one component and all judgements, with the latencies that follow from the times of arrival. */
function record(
  prepare: (simulation: Simulation<typeof Pinger>) => void,
  extra?: (index: number) => "draw" | "timer" | "none",
): { readonly draws: string[]; readonly targets: (readonly number[])[]; readonly pongs: number[] } {
  const draws: string[] = [];
  const simulation = pingers(6, {
    initOf: ({ index }) => ({ peers: peersOf(6), extra: extra?.(index) ?? "none" }),
  });
  simulation.rule(spy(draws));
  prepare(simulation);
  simulation.runFor(20_000);
  return {
    draws,
    targets: simulation.nodes.map(({ root }) => root.targets),
    pongs: simulation.nodes.map(({ root }) => root.pongs),
  };
}

describe("what is left as it was", () => {
  const nothing = (): void => undefined;

  it("by a rule that gives no verdict", () => {
    const with0 = record((simulation) => simulation.rule(loss(0)));
    expect(with0).to.deep.equal(record(nothing));
  });

  it("by one more draw of a component", () => {
    expect(record(nothing, (i) => (i === 2 ? "draw" : "none"))).to.deep.equal(record(nothing));
  });

  it("by one more timer of a component", () => {
    expect(record(nothing, (i) => (i === 2 ? "timer" : "none"))).to.deep.equal(record(nothing));
  });

  it("by a rule for another link: every draw, time and verdict of the others", () => {
    const others = (all: readonly string[]): string[] =>
      all.filter((line) => !/n1>n2|n2>n1/.test(line));
    const free = record(nothing);
    const cut = record((simulation) => simulation.rule(loss(1, { from: "n1", to: "n2" })));
    expect(others(cut.draws)).to.deep.equal(others(free.draws));
    expect(cut.targets).to.deep.equal(free.targets);
  });

  it("by the removal of a rule that loses messages: what the other rules draw for every message that both runs send", () => {
    // A draw is keyed by the link and the instant: a lost ping has no pong, but whatever is sent at the
    // same time on the same link has the same draws and verdicts.
    const run = (
      losing: boolean,
    ): { readonly drawn: Map<string, string[]>; readonly pongs: number } => {
      const drawn = new Map<string, string[]>();
      const simulation = pingers(6, { transport: "datagram" });
      for (const rule of [duplication(0.3), reordering(0.3), resets(0.1)]) {
        simulation.rule({
          name: rule.name,
          judge: (m) => {
            const message = `${rule.name} ${m.from}>${m.to} ${m.tag} ${m.time}`;
            drawn.set(message, [...(drawn.get(message) ?? []), `${m.draw} ${rule.judge(m)?.kind}`]);
            return undefined;
          },
        });
      }
      const remove = simulation.rule(loss(0.4));
      if (!losing) remove();
      simulation.runFor(20_000);
      return { drawn, pongs: simulation.nodes.reduce((sum, { root }) => sum + root.pongs, 0) };
    };
    const lossy = run(true);
    const whole = run(false);
    expect(lossy.pongs).to.be.below(whole.pongs * 0.6);
    let compared = 0;
    for (const [message, draws] of lossy.drawn) {
      expect(draws, message).to.deep.equal(whole.drawn.get(message));
      compared += draws.length;
    }
    // Three rules look at about 100 pings and more than half as many pongs.
    expect(compared).to.be.above(400);
  });
});
