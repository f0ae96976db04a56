/**
 * A peer that only asks: a client, and a way in from the world of promises, for programs, tests and benchmarks. It
 * listens nowhere.
 */

import { AskTimeout, Component } from "@kith/core";
import { Client, type ClientInit, Do, type Ended, Look, Registers, Turned } from "./client.ts";
import type { Deed } from "./registers.ts";

/** The main component of a peer that asks. */
export class User extends Component {
  readonly registers = this.requires(Registers);
  /** The member that is asked now: the leader, as far as it is known. */
  target = 0;
  readonly #waiting = new Map<number, (ended: Ended) => void>();
  #number = 0;
  readonly #do = this.registers.onAnswer(Do, (answer, _, number: number) =>
    this.#ended(answer, number),
  );
  readonly #look = this.registers.onAnswer(Look, (answer, _, number: number) =>
    this.#ended(answer, number),
  );

  constructor(init: ClientInit) {
    super();
    const child = this.create(Client, init, { name: "Client" });
    this.connect(child.ports.registers, this.registers);
    this.registers.on(Turned, ({ to }) => void (this.target = to));
  }

  /** Does something; one deed of a person at a time. */
  do(person: string, deed: Deed): Promise<Ended> {
    return new Promise((resolve) =>
      this.enter(() => this.#do(new Do({ person, deed }), { context: this.#wait(resolve) })),
    );
  }

  /** Reads a key. */
  look(key: string): Promise<Ended> {
    return new Promise((resolve) =>
      this.enter(() => this.#look(new Look({ key }), { context: this.#wait(resolve) })),
    );
  }

  #wait(resolve: (ended: Ended) => void): number {
    this.#waiting.set(++this.#number, resolve);
    return this.#number;
  }

  #ended(answer: Ended | AskTimeout, number: number): void {
    if (answer instanceof AskTimeout) return;
    this.#waiting.get(number)?.(answer);
    this.#waiting.delete(number);
  }
}
