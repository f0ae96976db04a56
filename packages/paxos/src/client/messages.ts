/** What clients of a group and the gates at its members say to each other. */

import { message } from "@kith/network";
import type { PeerAddress } from "../config.ts";

/** A client asks. */
export class GroupCall extends message("paxos/GroupCall")<{
  readonly gid: string;
  /** Which of the client it is: one process may have several. */
  readonly client: string;
  /** The client's number for it. */
  readonly call: number;
  readonly kind: "propose" | "query";
  readonly body: Uint8Array;
}> {}

/** What has become of a call. */
export type CallOutcome =
  | { readonly kind: "done"; readonly result: Uint8Array }
  /** Another one leads, or nobody that is known. */
  | { readonly kind: "elsewhere"; readonly leader: PeerAddress | null }
  /** Not done; the client asks again later. */
  | { readonly kind: "later" }
  /** It may have been done. */
  | { readonly kind: "unknown" };

/** A member answers. */
export class GroupReply extends message("paxos/GroupReply")<{
  readonly gid: string;
  readonly client: string;
  readonly call: number;
  readonly outcome: CallOutcome;
}> {}
