/** Who asks a store, with promises: a guest that is a member of nothing and listens nowhere. */

import { Component } from "@kith/core";
import { GroupClient, type PeerAddress, Replicated, Turned } from "@kith/paxos";
import {
  Apply,
  Commit,
  Get,
  Operator,
  type OperatorAnswer,
  Put,
  Read,
  SplitGroup,
  Store,
  type StoreAnswer,
  StoreClient,
  StoreOperator,
} from "@kith/store";
import { groupsOf } from "./layout.ts";

/** What can be asked here. */
export type Question = Get | Put | Apply | Read | Commit;

/** The main component of a process that asks. */
export class StoreUser extends Component {
  readonly store = this.requires(Store);
  readonly operator = this.requires(Operator);
  readonly replicated = this.requires(Replicated);
  /** Who is asked for each group: its leader, as far as it is known here. By peerId. */
  readonly asked = new Map<string, number>();
  readonly #waiting = new Map<number, (answer: object) => void>();
  #number = 0;
  readonly #get = this.store.onAnswer(Get, (answer, _, n: number) => this.#end(n, answer));
  readonly #put = this.store.onAnswer(Put, (answer, _, n: number) => this.#end(n, answer));
  readonly #apply = this.store.onAnswer(Apply, (answer, _, n: number) => this.#end(n, answer));
  readonly #read = this.store.onAnswer(Read, (answer, _, n: number) => this.#end(n, answer));
  readonly #commit = this.store.onAnswer(Commit, (answer, _, n: number) => this.#end(n, answer));
  readonly #split = this.operator.onAnswer(SplitGroup, (answer, _, n: number) =>
    this.#end(n, answer),
  );

  constructor({ members }: { readonly members: readonly PeerAddress[] }) {
    super();
    const groups = groupsOf(members);
    const known = Object.fromEntries(groups.map((one) => [one.descriptor.gid, one.members]));
    const guest = this.create(GroupClient, { groups: known, sessions: false }, { name: "guest" });
    const client = this.create(StoreClient, { groups }, { name: "client" });
    const operator = this.create(StoreOperator, {}, { name: "operator" });
    this.connect(guest.ports.replicated, client.ports.replicated);
    this.connect(guest.ports.replicated, operator.ports.replicated);
    this.connect(guest.ports.replicated, this.replicated);
    for (const [gid, [first]] of Object.entries(known))
      if (first !== undefined) this.asked.set(gid, first.peerId);
    this.replicated.on(Turned, ({ gid, peerId }) => void this.asked.set(gid, peerId));
    this.connect(client.ports.store, this.store);
    this.connect(operator.ports.operator, this.operator);
  }

  /** Asks the store. */
  ask(what: Question): Promise<StoreAnswer | object> {
    return this.#asked((context) => {
      if (what instanceof Get) this.#get(what, { context });
      else if (what instanceof Put) this.#put(what, { context });
      else if (what instanceof Apply) this.#apply(what, { context });
      else if (what instanceof Read) this.#read(what, { context });
      else this.#commit(what, { context });
    });
  }

  /** Splits a group. */
  split(gid: string, at: string): Promise<OperatorAnswer | object> {
    return this.#asked((context) => this.#split(new SplitGroup({ gid, at }), { context }));
  }

  #asked(ask: (number: number) => void): Promise<object> {
    return new Promise((resolve) => {
      const number = ++this.#number;
      this.#waiting.set(number, resolve);
      this.enter(() => ask(number));
    });
  }

  #end(number: number, answer: object): void {
    this.#waiting.get(number)?.(answer);
    this.#waiting.delete(number);
  }
}
