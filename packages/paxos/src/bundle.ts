/** The one message of this package: all that the replicas of one process have to say to those of another in a turn. */

import { message } from "@kith/network";
import type { PeerMessage } from "./peer-message.ts";

/** What replicas say to replicas, of any groups. */
export class Bundle extends message("paxos/Bundle")<{
  readonly messages: readonly PeerMessage[];
}> {}
