/**
 * A peer that only asks: a client of the group, and a way in from the world of promises, for programs, tests and
 * benchmarks. It listens nowhere.
 */

import { type AskTimeout, Component, type Millis } from "@kith/core";
import {
  Busy,
  type ConsensusAnswer,
  Execute,
  Executed,
  GroupClient,
  Inquire,
  type PeerAddress,
  Replicated,
  Turned,
} from "@kith/paxos";
import {
  type Deed,
  decodeValue,
  encodeDeed,
  encodeLook,
  isTaken,
  registersGroup as gid,
} from "./registers.ts";

/** What became of it: done (or not, where a comparison found something else), or nobody knows. */
export interface Ended {
  readonly outcome: "done" | "not-done" | "unknown";
  /** What was read. */
  readonly value: Uint8Array | null;
}

/** What one who asks has to know. */
export interface UserInit {
  /** Where the members are; their lives need not be known. */
  readonly members: readonly PeerAddress[];
  /** How long a deed or a look may take; default 20 seconds. */
  readonly deadline?: Millis;
}

/** The main component of a peer that asks. */
export class User extends Component {
  readonly replicated = this.requires(Replicated);
  /** The member that is asked now: the leader, as far as it is known. */
  target: number;
  readonly #within: Millis;
  readonly #waiting = new Map<number, (ended: Ended) => void>();
  #number = 0;
  readonly #do = this.replicated.onAnswer(Execute, (answer, _, context: number) =>
    this.#end(context, answer, (result) => [isTaken(result) ? "done" : "not-done", null]),
  );
  readonly #look = this.replicated.onAnswer(Inquire, (answer, _, context: number) =>
    this.#end(context, answer, (result) => ["done", decodeValue(result)]),
  );

  constructor({ members, deadline = 20_000 }: UserInit) {
    super();
    this.#within = deadline;
    this.target = members[0]?.peerId ?? 0;
    const client = this.create(GroupClient, { groups: { [gid]: members } }, { name: "Client" });
    this.connect(client.ports.replicated, this.replicated);
    this.replicated.on(Turned, ({ peerId }) => void (this.target = peerId));
  }

  /** Does something, once. */
  do(deed: Deed): Promise<Ended> {
    const ask = new Execute({ gid, command: encodeDeed(deed), within: this.#within });
    return this.#ended((context) => this.#do(ask, { context }));
  }

  /** Reads a key, linearizably. */
  look(key: string): Promise<Ended> {
    const ask = new Inquire({ gid, query: encodeLook(key), within: this.#within });
    return this.#ended((context) => this.#look(ask, { context }));
  }

  #ended(ask: (number: number) => void): Promise<Ended> {
    return new Promise((resolve) => {
      const number = ++this.#number;
      this.#waiting.set(number, resolve);
      this.enter(() => ask(number));
    });
  }

  #end(
    number: number,
    answer: ConsensusAnswer | AskTimeout,
    read: (result: Uint8Array) => [Ended["outcome"], Uint8Array | null],
  ): void {
    const other: Ended["outcome"] = answer instanceof Busy ? "not-done" : "unknown";
    const [outcome, value] = answer instanceof Executed ? read(answer.result) : [other, null];
    this.#waiting.get(number)?.({ outcome, value });
    this.#waiting.delete(number);
  }
}
