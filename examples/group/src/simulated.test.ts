/** The same member and a client among simulated peers, with packets lost and a leader that crashes. */

import { expect } from "chai";
import { Component } from "@kith/core";
import { Execute, Executed, GroupClient, Inquire, Replicated } from "@kith/paxos";
import { loss, simulate } from "@kith/sim";
import { encodeDeed, encodeLook, isTaken, Member, registersGroup as gid } from "./index.ts";
import { decodeValue } from "./registers.ts";

const members = [1, 2, 3].map((id) => ({ peerId: id, host: `n${id}`, port: 7000 }));

/** A member, and somebody on its peer who asks the group. */
class Peer extends Component {
  readonly replicated = this.requires(Replicated);
  readonly told: (boolean | string)[] = [];
  readonly #do = this.replicated.onAnswer(Execute, (answer) => {
    this.told.push(answer instanceof Executed && isTaken(answer.result));
  });
  readonly #look = this.replicated.onAnswer(Inquire, (answer) => {
    if (answer instanceof Executed)
      this.told.push(new TextDecoder().decode(decodeValue(answer.result) ?? undefined));
  });

  constructor() {
    super();
    this.create(Member, { founders: members });
    const client = this.create(GroupClient, { groups: { [gid]: members } });
    this.connect(client.ports.replicated, this.replicated);
  }

  write(value: string): void {
    const deed = { op: "write", key: "k", value: new TextEncoder().encode(value) } as const;
    this.enter(() => this.#do(new Execute({ gid, command: encodeDeed(deed) })));
  }

  look(): void {
    this.enter(() => this.#look(new Inquire({ gid, query: encodeLook("k") })));
  }
}

describe("the replicated registers, simulated", () => {
  it("answer whoever asks, whichever member crashes, and do nothing twice", () => {
    for (let seed = 1; seed <= 5; seed++) {
      const world = simulate(Peer, { seed, nodes: 3 }).boot();
      world.rule(loss(0.02));
      const others = (crashed: number): Peer[] =>
        world.nodes.filter(({ index }) => index !== crashed).map(({ root }) => root);
      for (let round = 0; round < 6; round++) {
        const crashed = round % 3;
        world.node(crashed).crash();
        for (const peer of others(crashed)) {
          peer.told.length = 0;
          peer.write(`${round}`);
        }
        world.until(() => others(crashed).every(({ told }) => told.length === 1), {
          within: 60_000,
        });
        for (const peer of others(crashed)) {
          expect(peer.told).deep.equal([true]);
          peer.look();
        }
        world.until(() => others(crashed).every(({ told }) => told.length === 2), {
          within: 60_000,
        });
        for (const peer of others(crashed)) expect(peer.told[1], `seed ${seed}`).equal(`${round}`);
        world.node(crashed).start();
        world.runFor(500);
      }
    }
  });
});
