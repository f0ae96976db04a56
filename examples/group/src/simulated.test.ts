/** The same member and the same client among simulated peers, with packets lost and a leader that crashes. */

import { expect } from "chai";
import { AskTimeout, Component } from "@kith/core";
import { loss, simulate } from "@kith/sim";
import { Client, Do, Look, Member, Registers } from "./index.ts";

const addresses = [1, 2, 3].map((id) => ({ peerId: id, host: `n${id}`, port: 7000 }));

/** A member, and somebody on its peer who asks the group. */
class Peer extends Component {
  readonly registers = this.requires(Registers);
  readonly told: string[] = [];
  readonly #do = this.registers.onAnswer(Do, (answer) => {
    if (!(answer instanceof AskTimeout)) this.told.push(answer.outcome);
  });
  readonly #look = this.registers.onAnswer(Look, (answer) => {
    if (!(answer instanceof AskTimeout))
      this.told.push(new TextDecoder().decode(answer.value ?? undefined));
  });

  constructor() {
    super();
    this.create(Member, { founders: addresses });
    const members = addresses.map((address) => ({ ...address, incarnation: 1 }));
    const client = this.create(Client, { members });
    this.connect(client.ports.registers, this.registers);
  }

  write(person: string, value: string): void {
    const deed = { op: "write", key: "k", value: new TextEncoder().encode(value) } as const;
    this.enter(() => this.#do(new Do({ person, deed })));
  }

  look(): void {
    this.enter(() => this.#look(new Look({ key: "k" })));
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
          peer.write(`somebody ${round}`, `${round}`);
        }
        world.until(() => others(crashed).every(({ told }) => told.length === 1), {
          within: 60_000,
        });
        for (const peer of others(crashed)) {
          expect(peer.told).deep.equal(["done"]);
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
