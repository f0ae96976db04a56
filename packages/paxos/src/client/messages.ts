/**
 * What clients of groups and the gates at their members say to each other. All that one has to say to another in a turn is one
 * message: fifty commands cost hardly more than one.
 */

import { Component, event, port } from "@kith/core";
import { message, Network, type PeerRef } from "@kith/network";
import type { PeerAddress } from "../config.ts";

/** Something asked, by the number that its reply will bear. */
export type Call = readonly [
  call: number,
  gid: string,
  kind: "propose" | "query",
  body: Uint8Array,
];

/** What has become of a call. */
export type Reply =
  | readonly [call: number, outcome: "done", index: number, result: Uint8Array]
  /** Another one leads, or nobody that is known. */
  | readonly [call: number, outcome: "elsewhere", leader: PeerAddress | null]
  /** Not done, and to be asked again; or nobody knows. */
  | readonly [call: number, outcome: "later" | "unknown"];

/** A client asks. */
export class GroupCalls extends message("paxos/GroupCalls")<{
  /** Which of all clients it is: one process may have several. */
  readonly client: string;
  readonly calls: readonly Call[];
}> {}

/** A member answers. */
export class GroupReplies extends message("paxos/GroupReplies")<{
  readonly client: string;
  readonly replies: readonly Reply[];
}> {}

/** What one is told at the end of the turn. Plain data. */
export interface Batch<T> {
  readonly to: PeerRef;
  readonly client: string;
  readonly items: T[];
  bytes: number;
}

/** Behind everything that is queued: time to send. */
class TurnEnds extends event("paxos/ClientTurnEnds") {}
const Turns = port("PaxosClientTurns", { requests: [TurnEnds] });

/** What is larger is a message of its own. */
const batchBytesMax = 512 * 1024;

/** A component that says in one message what it has to say to another in a turn. */
export abstract class Batcher<T> extends Component {
  protected readonly network = this.requires(Network);
  protected readonly turns = this.provides(Turns);
  protected readonly turner = this.requires(Turns);
  /** The declared state; `batches` are by receiver. */
  protected abstract readonly state: { readonly batches: Map<string, Batch<T>> };

  constructor() {
    super();
    this.connect(this.turns, this.turner);
    this.turns.on(TurnEnds, () => {
      const { batches } = this.state;
      for (const batch of batches.values()) this.post(batch);
      batches.clear();
    });
  }

  /** Sends. What is in the batch is the message's own from then on. */
  protected abstract post(batch: Batch<T>): void;

  /** Says something by the end of the turn. */
  protected say(to: PeerRef, client: string, item: T, bytes: number): void {
    const { batches } = this.state;
    const name = `${to.peerId} ${client}`;
    if (batches.size === 0) this.turner.trigger(new TurnEnds());
    let batch = batches.get(name);
    if (batch === undefined) batches.set(name, (batch = { to, client, items: [], bytes: 0 }));
    batch.items.push(item);
    batch.bytes += bytes + 64;
    if (batch.bytes < batchBytesMax) return;
    this.post(batch);
    batches.delete(name);
  }
}
