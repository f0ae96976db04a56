/** Rounds of reads: whom they ask, and what they do when one of those keeps silent. */

import { expect } from "chai";
import { Lab } from "./lab.test.ts";
import { defaultSettings } from "./settings.ts";

function settle(lab: Lab): void {
  for (let i = 0; i < 20; i++) {
    for (const { peerId } of lab.up) while (lab.flush(peerId));
    for (const message of [...lab.network]) lab.deliver(message);
  }
}

/** Voters of which the first leads; all have confirmed a round. */
function led(voters: readonly number[]): Lab {
  const lab = new Lab();
  lab.found(voters);
  lab.timeout(1);
  settle(lab);
  lab.wait(150);
  settle(lab);
  return lab;
}

function asked(lab: Lab): number[] {
  return lab.network.map(({ toPeer }) => toPeer);
}

function outcomeOf(lab: Lab, id: number): string | undefined {
  return lab.readsDone.find((read) => read.id === id)?.outcome;
}

describe("a round for reads", () => {
  it("asks as many voters as make a majority with the leader", () => {
    for (const [voters, few] of [
      [[1, 2, 3], 1],
      [[1, 2, 3, 4], 2],
      [[1, 2, 3, 4, 5], 2],
    ] as const) {
      const lab = led(voters);
      lab.read(1, 1);
      expect(asked(lab)).length(few);
      settle(lab);
      expect(outcomeOf(lab, 1)).equal("ready");
    }
  });

  it("asks all when one of them keeps silent for a moment, and those who answered from then on", () => {
    const lab = led([1, 2, 3]);
    const { gatherMax } = defaultSettings;
    lab.read(1, 1);
    const [silent] = asked(lab);
    lab.cuts.add(`1>${silent}`).add(`${silent}>1`);
    settle(lab);
    expect(outcomeOf(lab, 1)).equal(undefined);
    lab.wait(gatherMax - 1);
    settle(lab);
    expect(outcomeOf(lab, 1)).equal(undefined);
    lab.wait(1);
    settle(lab);
    expect(outcomeOf(lab, 1)).equal("ready");
    lab.read(1, 2);
    expect(asked(lab)).deep.equal([silent === 2 ? 3 : 2]);
    settle(lab);
    expect(outcomeOf(lab, 2)).equal("ready");
  });

  it("is followed by the next one at once, where reads have come meanwhile", () => {
    const lab = led([1, 2, 3]);
    lab.read(1, 1);
    lab.read(1, 2);
    const [first] = lab.network;
    if (first !== undefined) lab.deliver(first);
    const [answer] = lab.network;
    if (answer !== undefined) lab.deliver(answer);
    expect([outcomeOf(lab, 1), outcomeOf(lab, 2)]).deep.equal(["ready", undefined]);
    expect(asked(lab)).length(1);
    settle(lab);
    expect(outcomeOf(lab, 2)).equal("ready");
  });

  it("leaves heartbeats as they are: who is not asked still hears of its leader", () => {
    const lab = led([1, 2, 3]);
    for (let id = 1; id <= 400; id++) {
      lab.read(1, id);
      settle(lab);
      lab.wait(10);
      settle(lab);
    }
    expect(lab.leader()?.peerId).equal(1);
    expect(lab.marks.leaderChanges).equal(1);
  });
});
