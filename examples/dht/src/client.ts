/** A peer with a client in it: code outside of the component world asks by promises. */

import { AskTimeout, Component } from "@kith/core";
import type { PeerRef } from "@kith/network";
import { Peer } from "./peer.ts";
import { Ask, Go, Gone, type Op, type Outcome, Table } from "./port.ts";

/** The main component of a program that takes part in the table. */
export class Main extends Component {
  readonly table = this.requires(Table);
  readonly peer;
  readonly #asked = new Map<number, (outcome: Outcome) => void>();
  readonly #gone: (() => void)[] = [];
  #count = 0;
  readonly #ask = this.table.onAnswer(Ask, (answer, _, { ask }: { readonly ask: number }) => {
    const done = this.#asked.get(ask);
    this.#asked.delete(ask);
    if (!(answer instanceof AskTimeout)) done?.(answer);
  });

  constructor(init: { readonly introducers: readonly PeerRef[] }) {
    super();
    this.peer = this.create(Peer, init, { name: "Peer" });
    this.connect(this.peer.ports.table, this.table);
    this.table.on(Gone, () => {
      for (const done of this.#gone.splice(0)) done();
    });
  }

  /** Asks; `done` is told the outcome. */
  ask(op: Op, key: string, value: string | null, done: (outcome: Outcome) => void): void {
    this.enter(() => {
      const ask = ++this.#count;
      this.#asked.set(ask, done);
      this.#ask(new Ask({ op, key, ...(value === null ? {} : { value }) }), { context: { ask } });
    });
  }

  put(key: string, value: string): Promise<Outcome> {
    return new Promise((resolve) => this.ask("put", key, value, resolve));
  }

  get(key: string): Promise<Outcome> {
    return new Promise((resolve) => this.ask("get", key, null, resolve));
  }

  delete(key: string): Promise<Outcome> {
    return new Promise((resolve) => this.ask("delete", key, null, resolve));
  }

  /** Hands all entries over and leaves the ring; `done` is told when it is out. */
  go(done: () => void): void {
    this.enter(() => {
      this.#gone.push(done);
      this.table.trigger(new Go());
    });
  }
}
