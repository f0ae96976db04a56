/**
 * The gate of a member: hands what clients elsewhere ask to the replicated groups of this process, and the answers back.
 * It keeps nothing beyond a turn; the groups have the bounds. A gate that looks at what passes is a `Gate` with a `take` of its own.
 */

import { AskTimeout } from "@kith/core";
import { Dropped, type PeerRef } from "@kith/network";
import { Busy, Consensus, Done, NotLeader, Propose, Query, Refused } from "../port.ts";
import { type Batch, Batcher, GroupCalls, GroupReplies, type Reply } from "./messages.ts";

/** Who has asked, and where. Plain data. */
export interface Caller {
  readonly from: PeerRef;
  readonly client: string;
  readonly call: number;
  readonly gid: string;
}

/** What was asked. Plain data. */
export interface Asked extends Caller {
  readonly kind: "propose" | "query";
  readonly body: Uint8Array;
}

/** What a gate says at the end of the turn, by receiver. */
export type GateBatches = Map<string, Batch<Reply>>;

interface Context<M> {
  readonly caller: Caller;
  readonly mark: M | undefined;
}

/** What gates have in common. `M` is what one wants to know again when a call is answered; plain data. */
export abstract class Gate<M = never> extends Batcher<Reply> {
  readonly consensus = this.requires(Consensus);
  readonly #propose = this.consensus.onAnswer(Propose, (answer, _, context: Context<M>) => {
    if (!(answer instanceof AskTimeout)) this.answered(context.caller, answer, context.mark);
  });
  readonly #query = this.consensus.onAnswer(Query, (answer, _, context: Context<M>) => {
    if (!(answer instanceof AskTimeout)) this.answered(context.caller, answer, context.mark);
  });

  constructor() {
    super();
    this.network.on(GroupCalls, ({ from, client, calls }) => {
      for (const [call, gid, kind, body] of calls)
        this.take({ from, client, call, gid, kind, body });
    });
    this.network.on(Dropped, ({ reason, tag, from }) => {
      if (reason !== "wrong-incarnation" || tag !== GroupCalls.tag) return;
      // It was for an earlier life of this process: an answer to no call tells the sender which one this is.
      this.network.trigger(new GroupReplies({ to: from, client: "", replies: [] }));
    });
  }

  /** Takes a call: hands it on, at once or later. */
  protected take(asked: Asked): void {
    this.pass(asked);
  }

  /** Hands a call to its group. */
  protected pass({ from, client, call, gid, kind, body }: Asked, mark?: M): void {
    const context: Context<M> = { caller: { from, client, call, gid }, mark };
    if (kind === "query") this.#query(new Query({ gid, query: body }), { context });
    else this.#propose(new Propose({ gid, command: body }), { context });
  }

  /** Hands an answer back. */
  protected answered({ from, client, call }: Caller, answer: object, _mark: M | undefined): void {
    const bytes = answer instanceof Done ? answer.result.length : 0;
    this.say(from, client, replyOf(call, answer), bytes);
  }

  protected override post({ to, client, items: replies }: Batch<Reply>): void {
    this.network.trigger(new GroupReplies({ to, client, replies }));
  }
}

/** Lets `GroupClient`s use the groups of this process. */
export class GroupGate extends Gate {
  readonly state = this.declareState({ batches: new Map<string, Batch<Reply>>() });
}

function replyOf(call: number, answer: object): Reply {
  if (answer instanceof Done) return [call, "done", answer.index, answer.result];
  if (answer instanceof NotLeader) return [call, "elsewhere", answer.leader];
  if (answer instanceof Refused) return [call, "elsewhere", null];
  return [call, answer instanceof Busy ? "later" : "unknown"];
}
