/**
 * The FailureDetector port: which peers seem to be alive.
 *
 * **A verdict is a hint, never authority.** A suspected peer may live, and one that is not suspected may
 * be gone. Ring and router use verdicts to choose whom to talk to; nothing that has to be safe (who owns
 * data, who may write) may depend on one.
 *
 * What holds for every provider (algorithms.md §1):
 *
 * - **FD1, completeness.** A watched peer that has crashed is suspected by each of its watchers in bounded
 *   time, and stays so.
 * - **FD2, eventual accuracy.** Once messages arrive in bounded time, a live peer is suspected finitely often.
 * - **FD3, order.** For one watcher and peer, `Suspect` and `Restore` alternate and begin with `Suspect`;
 *   `Absent` comes at most once between the two. After `Unwatched` nothing comes.
 * - **FD4, lives.** A verdict is about one incarnation. What is known of one never touches another.
 *
 * Users are told apart by the name that they watch under, so that many share one detector and each remote
 * process is probed once, for all of them. A channel with that name as its key carries what is for this
 * watcher; without a key it carries what is for all, and a user looks at `watcher`.
 */

import { event, type Millis, port } from "@kith/core";
import type { PeerRef } from "@kith/network";

/** Asks for verdicts on a peer, in this incarnation, from now on. Harmless where the watcher has asked already. */
export class Watch extends event("fd/Watch")<{
  /** Under which name: unique among the users of one detector, such as `17/ring`. */
  readonly watcher: string;
  readonly peer: PeerRef;
}> {}

/** Ends what `Watch` began; answered by `Unwatched`. */
export class Unwatch extends event("fd/Unwatch")<{
  readonly watcher: string;
  readonly peer: PeerRef;
}> {}

/**
 * A virtual peer lives in this process from now on. Once one was announced, the remote detectors learn
 * with each pong who lives here, and suspect who does not. Comes from whoever creates virtual peers.
 */
export class Arrived extends event("fd/Arrived")<{ readonly peer: PeerRef }> {}

/** A virtual peer of this process is no more: stopped, killed, or failed for good. */
export class Departed extends event("fd/Departed")<{ readonly peer: PeerRef }> {}

/** What is told to one watcher about one peer. */
export abstract class Verdict extends event("fd/Verdict")<{
  readonly watcher: string;
  readonly peer: PeerRef;
}> {}

/** Why a peer is suspected. */
export type SuspectReason =
  /** Nothing has been heard of its process for too long. */
  | "silent"
  /** Its process lives in a later incarnation, or the peer in a later life within it: this one does not come back. */
  | "restarted"
  /** Its process lives, and says that the peer is not there. */
  | "gone";

/** The fast verdict, for routing: the peer seems to be gone, talk to another one. It may be wrong. */
export class Suspect extends event("fd/Suspect", Verdict)<{ readonly reason: SuspectReason }> {}

/** The peer was suspected, and has been heard of. */
export class Restore extends event("fd/Restore", Verdict) {}

/**
 * The slow verdict, for placement: suspected without a break for `fd.absentAfter`. Even then the peer may
 * live; `Restore` may follow.
 */
export class Absent extends event("fd/Absent", Verdict) {}

/**
 * A later incarnation of a watched peer's process was heard of, or a later life of the peer within it, or was known when the watch
 * began. The watched one is suspected for good.
 */
export class Returned extends event("fd/Returned", Verdict)<{
  /** The same peer in its later life. Nobody watches it yet. */
  readonly successor: PeerRef;
}> {}

/** How long a message to the peer's process and back takes: told at first, and when it has changed by an eighth. */
export class RoundTrip extends event("fd/RoundTrip", Verdict)<{
  /** Smoothed, in milliseconds. */
  readonly millis: Millis;
}> {}

/** The watch has ended: no verdict on this peer comes to this watcher any more. */
export class Unwatched extends event("fd/Unwatched", Verdict) {}

/** Says which peers seem to be alive. Providers: `AdaptiveDetector`, `PhiDetector`. */
export const FailureDetector = port("FailureDetector", {
  requests: [Watch, Unwatch, Arrived, Departed],
  indications: [Verdict],
});
