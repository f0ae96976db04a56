/**
 * The gate of a member: hands what clients elsewhere ask to the replicated groups of this process, and the answers back.
 * It keeps nothing beyond a turn; the groups have the bounds.
 */

import { AskTimeout } from "@kith/core";
import { Dropped, type PeerRef } from "@kith/network";
import { Busy, Consensus, Done, NotLeader, Propose, Query, Refused } from "../port.ts";
import { type Batch, Batcher, GroupCalls, GroupReplies, type Reply } from "./messages.ts";

interface Caller {
  readonly from: PeerRef;
  readonly client: string;
  readonly call: number;
}

/** Lets `GroupClient`s use the groups of this process. */
export class GroupGate extends Batcher<Reply> {
  readonly consensus = this.requires(Consensus);
  readonly state = this.declareState({ batches: new Map<string, Batch<Reply>>() });
  readonly #propose = this.consensus.onAnswer(Propose, (answer, _, caller: Caller) =>
    this.#answer(caller, answer),
  );
  readonly #query = this.consensus.onAnswer(Query, (answer, _, caller: Caller) =>
    this.#answer(caller, answer),
  );

  constructor() {
    super();
    this.network.on(GroupCalls, ({ from, client, calls }) => {
      for (const [call, gid, kind, body] of calls) {
        const context = { from, client, call };
        if (kind === "query") this.#query(new Query({ gid, query: body }), { context });
        else this.#propose(new Propose({ gid, command: body }), { context });
      }
    });
    this.network.on(Dropped, ({ reason, tag, from }) => {
      if (reason !== "wrong-incarnation" || tag !== GroupCalls.tag) return;
      // It was for an earlier life of this process: an answer to no call tells the sender which one this is.
      this.network.trigger(new GroupReplies({ to: from, client: "", replies: [] }));
    });
  }

  #answer({ from, client, call }: Caller, answer: object): void {
    if (answer instanceof AskTimeout) return;
    const bytes = answer instanceof Done ? answer.result.length : 0;
    this.say(from, client, replyOf(call, answer), bytes);
  }

  protected override post({ to, client, items: replies }: Batch<Reply>): void {
    this.network.trigger(new GroupReplies({ to, client, replies }));
  }
}

function replyOf(call: number, answer: object): Reply {
  if (answer instanceof Done) return [call, "done", answer.index, answer.result];
  if (answer instanceof NotLeader) return [call, "elsewhere", answer.leader];
  if (answer instanceof Refused) return [call, "elsewhere", null];
  return [call, answer instanceof Busy ? "later" : "unknown"];
}
