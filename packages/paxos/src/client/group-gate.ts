/**
 * The gate of a member: hands what clients elsewhere ask to the replicated groups of this process, and the answers back.
 * It keeps nothing; the groups have the bounds.
 */

import { AskTimeout, Component } from "@kith/core";
import { Dropped, Network, type PeerRef } from "@kith/network";
import { Busy, Consensus, Done, NotLeader, Propose, Query, Refused } from "../port.ts";
import { type CallOutcome, GroupCall, GroupReply } from "./messages.ts";

interface Caller {
  readonly from: PeerRef;
  readonly gid: string;
  readonly client: string;
  readonly call: number;
}

/** Lets `GroupClient`s use the groups of this process. */
export class GroupGate extends Component {
  readonly consensus = this.requires(Consensus);
  protected readonly network = this.requires(Network);
  readonly #propose = this.consensus.onAnswer(Propose, (answer, _, caller: Caller) =>
    this.#answer(caller, answer),
  );
  readonly #query = this.consensus.onAnswer(Query, (answer, _, caller: Caller) =>
    this.#answer(caller, answer),
  );

  constructor() {
    super();
    this.network.on(GroupCall, ({ from, gid, client, call, kind, body }) => {
      const context = { from, gid, client, call };
      if (kind === "query") this.#query(new Query({ gid, query: body }), { context });
      else this.#propose(new Propose({ gid, command: body }), { context });
    });
    this.network.on(Dropped, ({ reason, tag, from }) => {
      if (reason !== "wrong-incarnation" || tag !== GroupCall.tag) return;
      // It was for an earlier life of this process: an answer to no call tells the sender which one this is.
      this.#reply({ from, gid: "", client: "", call: 0 }, { kind: "later" });
    });
  }

  #answer(caller: Caller, answer: object): void {
    if (answer instanceof AskTimeout) return;
    if (answer instanceof Done) this.#reply(caller, { kind: "done", result: answer.result });
    else if (answer instanceof NotLeader)
      this.#reply(caller, { kind: "elsewhere", leader: answer.leader });
    else if (answer instanceof Busy) this.#reply(caller, { kind: "later" });
    else if (answer instanceof Refused) this.#reply(caller, { kind: "elsewhere", leader: null });
    else this.#reply(caller, { kind: "unknown" });
  }

  #reply({ from: to, gid, client, call }: Caller, outcome: CallOutcome): void {
    this.network.trigger(new GroupReply({ to, gid, client, call, outcome }));
  }
}
