/** Leases: what they save, what ends them, and what they never outlive. */

import { KithError } from "@kith/core";
import { simulate, type Simulation } from "@kith/sim";
import { expect } from "chai";
import { Lab } from "./lab.test.ts";
import { holdsLease, leaseEnd } from "./lease.ts";
import { addressAt, Peer, register, resultOf } from "./register.test.ts";
import type { GroupSettings } from "./settings.ts";
import { configOf } from "./state.ts";

const lease = { drift: 0.1, margin: 50 };
/** So long a lease lasts, from when its round was sent, with the timers that hold by default. */
const lasts = 1500 * 0.9 - 50;

function settle(lab: Lab): void {
  for (let i = 0; i < 20; i++) {
    for (const { peerId } of lab.up) while (lab.flush(peerId));
    for (const message of [...lab.network]) lab.deliver(message);
  }
}

/** Three voters, of which the first leads, and has committed what is its own. */
function led(settings: Partial<GroupSettings> = { lease }, rate?: (peerId: number) => number): Lab {
  const lab = new Lab({ settings, ...(rate === undefined ? {} : { rate }) });
  lab.found([1, 2, 3]);
  lab.timeout(1);
  settle(lab);
  lab.wait(150);
  settle(lab);
  return lab;
}

function cutOff(lab: Lab, peerId: number): void {
  for (const other of [1, 2, 3])
    if (other !== peerId) lab.cuts.add(`${peerId}>${other}`).add(`${other}>${peerId}`);
}

function outcomeOf(lab: Lab, id: number): string | undefined {
  return lab.readsDone.find((read) => read.id === id)?.outcome;
}

describe("a lease", () => {
  it("answers reads at once, without a message", () => {
    const lab = led();
    for (let id = 1; id <= 100; id++) {
      lab.read(1, id);
      expect(outcomeOf(lab, id)).equal("leased");
    }
    expect(lab.network).deep.equal([]);
  });

  it("is there only where the settings say so: else a read costs a round", () => {
    const lab = led({});
    expect(leaseEnd(lab.state(1))).equal(-Infinity);
    lab.read(1, 1);
    // One of the two others is enough.
    expect(lab.network).length(1);
    for (const message of [...lab.network]) lab.deliver(message);
    for (const message of lab.network) expect(message).not.have.property("clock");
    settle(lab);
    expect(outcomeOf(lab, 1)).equal("ready");
  });

  it("is counted from when its round was sent, and not from when that is confirmed", () => {
    const lab = led();
    lab.wait(150);
    const sent = lab.now;
    for (const message of [...lab.network]) lab.deliver(message);
    lab.now += 700;
    for (const message of [...lab.network]) lab.deliver(message);
    expect(leaseEnd(lab.state(1))).equal(sent + lasts);
  });

  it("is over before a leader that is cut off can have a successor; it answers no read then", () => {
    const lab = led();
    const sent = lab.now;
    cutOff(lab, 1);
    lab.now = sent + lasts - 1;
    lab.read(1, 1);
    expect(outcomeOf(lab, 1)).equal("leased");
    lab.now = sent + lasts;
    lab.read(1, 2);
    lab.timeout(2);
    settle(lab);
    expect(lab.state(2).role).equal("leader");
    lab.read(1, 3);
    expect([outcomeOf(lab, 2), outcomeOf(lab, 3)]).deep.equal([undefined, undefined]);
    lab.now += 3000;
    lab.tick(1);
    expect([outcomeOf(lab, 2), outcomeOf(lab, 3)]).deep.equal(["refused", "refused"]);
  });

  it("is over for the rest of the term when the leader asks another one to take over", () => {
    const lab = led();
    cutOff(lab, 2);
    lab.transfer(1, 2);
    expect(holdsLease(lab.state(1), lab.now)).equal(false);
    lab.cuts.clear();
    // It never came, and the leader goes on; but a copy of it may still be on its way.
    for (let i = 0; i < 20; i++) {
      lab.wait(150);
      settle(lab);
    }
    expect(lab.state(1).leadership?.transfer).equal(null);
    lab.read(1, 1);
    expect(outcomeOf(lab, 1)).equal(undefined);
    settle(lab);
    expect(outcomeOf(lab, 1)).equal("ready");
  });

  it("goes on where the successor was too far behind to be asked", () => {
    const lab = led();
    cutOff(lab, 2);
    lab.propose(1, "a");
    lab.transfer(1, 2);
    settle(lab);
    expect(holdsLease(lab.state(1), lab.now)).equal(true);
  });

  it("is over when the leader begins to remove itself", () => {
    const lab = led();
    const own = configOf(lab.state(1)).members.find(({ peerId }) => peerId === 1);
    lab.change(1, { kind: "remove", replicaId: own?.replicaId ?? 0 });
    lab.read(1, 1);
    expect(holdsLease(lab.state(1), lab.now)).equal(false);
    expect(outcomeOf(lab, 1)).equal(undefined);
  });

  it("is not cut short by a connection that ends: voters that hear of it stay loyal", () => {
    const lab = led();
    cutOff(lab, 1);
    for (const peerId of [2, 3]) {
      lab.disconnect(peerId, 1);
      const { contact, deadline } = lab.state(peerId);
      expect(deadline).at.least(contact + 1500);
    }
  });

  it("is not cut short by a voter that starts again", () => {
    const lab = led();
    cutOff(lab, 1);
    lab.crash(3);
    lab.restart(3);
    // The other one does not wait for its time.
    lab.state(2).deadline = lab.now;
    lab.timeout(2);
    settle(lab);
    expect(lab.state(2).role).equal("pre-candidate");
  });

  it("is given up for good where a follower's clock is too fast, and only there", () => {
    const run = (rate: number): { drifting: number; holds: boolean } => {
      const lab = led({ lease, quietAfter: 1e9 }, (peerId) => (peerId === 3 ? rate : 1));
      for (let i = 0; i < 400; i++) {
        lab.wait(150);
        settle(lab);
      }
      const { drifting } = lab.state(1);
      return { drifting, holds: holdsLease(lab.state(1), lab.clock(1)) };
    };
    expect(run(1.12)).deep.equal({ drifting: 3, holds: false });
    expect(run(1.1)).deep.equal({ drifting: 0, holds: true });
    expect(run(0.8)).deep.equal({ drifting: 0, holds: true });
  });

  it("is refused where it would be longer than loyalty", () => {
    for (const bad of [
      { drift: -0.1, margin: 0 },
      { drift: 1, margin: 0 },
      { drift: 0, margin: -1 },
      { drift: NaN, margin: 0 },
    ])
      expect(() => simulate(Peer, { seed: 1, nodes: 1, init: { settings: { lease: bad } } }).boot())
        .to.throw(KithError)
        .with.property("code", "KITH_PAXOS_ARGUMENT");
  });
});

describe("leases of simulated processes", () => {
  type World = Simulation<typeof Peer>;
  const cluster = (): World => {
    const settings = { lease: { drift: 0.002, margin: 10 }, quietAfter: 1e9 };
    const world = simulate(Peer, { seed: 5, nodes: 3, init: { settings } }).boot();
    world.runFor(50);
    const peers = [0, 1, 2].map(addressAt);
    for (const { root } of world.nodes) root.found("g", peers);
    world.until(() => world.nodes.some(({ root }) => root.leads.has("g")));
    world.runFor(1000);
    return world;
  };
  const leaderOf = (world: World): number =>
    world.nodes.findIndex(({ root }) => root.leads.has("g"));
  /** Asks and counts simulated milliseconds. */
  const ask = (world: World, index: number): { took: number; text: string | null } => {
    const { root } = world.node(index);
    let text: string | null | undefined;
    root.onEnd = (_, answer) => (text = resultOf(answer));
    const began = world.time;
    root.query("g", 1);
    world.until(() => text !== undefined);
    return { took: world.time - began, text: text ?? null };
  };

  it("answer in no time", () => {
    const world = cluster();
    expect(ask(world, leaderOf(world)).took).lessThan(0.1);
  });

  it("are looked at again after the reading: a process that stood still in between asks the others", () => {
    const world = cluster();
    const leader = leaderOf(world);
    const { query } = register;
    let stall = true;
    const still = (reading: Parameters<typeof query>[0]): Uint8Array => {
      const clock = world.node(leader).life?.clock;
      const [from = 0, local = 0, ...rest] = clock?.save() ?? [];
      if (stall) clock?.load([from, local + 5_000_000, ...rest]);
      stall = false;
      return query(reading);
    };
    try {
      Object.assign(register, { query: still });
      expect(ask(world, leader)).property("took").greaterThan(0.1);
      expect(stall).equal(false);
    } finally {
      Object.assign(register, { query });
    }
  });

  it("are given up where a clock drifts further than was promised", () => {
    for (const [ppm, ends] of [
      [500, false],
      [20_000, true],
    ] as const) {
      const world = cluster();
      const leader = leaderOf(world);
      world.node((leader + 1) % 3).drift(ppm);
      world.runFor(20_000);
      expect((world.node(leader).root.replica("g")?.state.drifting ?? 0) > 0).equal(ends);
      expect(ask(world, leader).took > 0.1).equal(ends);
    }
  });
});
