/** What bootstrap clients and servers say to each other. */

import { message, type PeerRef } from "@kith/network";

/** Asks for peers of a cluster. */
export class Ask extends message("membership/Ask")<{ readonly cluster: string }> {}

/** Some that were registered lately; perhaps none, which means nothing. */
export class Answer extends message("membership/Answer")<{
  readonly cluster: string;
  readonly peers: readonly PeerRef[];
}> {}

/** These live in the sender's process and take part. */
export class Refresh extends message("membership/Refresh")<{
  readonly cluster: string;
  readonly peers: readonly PeerRef[];
}> {}

/** The sender is the server that was asked in an earlier life. */
export class Reborn extends message("membership/Reborn") {}
