/**
 * The Membership port: a full view of the processes that take part.
 *
 * **The view is a hint, never authority.** Two processes may see different members at one time, and one
 * that is called dead may live: then it says so, and is a member again. Nothing that has to be safe may
 * depend on it.
 */

import { event, port } from "@kith/core";
import type { PeerRef } from "@kith/network";

/** Takes part from now on: asks those peers for the view, one after the other, until one answers. */
export class Enter extends event("fd/Enter")<{
  /** Some of those who take part. Empty for the first one. */
  readonly seeds: readonly PeerRef[];
}> {}

/** Takes part no more, and tells the others, who will not have to suspect. */
export class Leave extends event("fd/Leave") {}

/** Something about one member has changed. */
export abstract class MemberChange extends event("fd/MemberChange")<{
  readonly peer: PeerRef;
}> {}

/** It takes part, or does so again: it was suspected or called dead, and has contradicted. */
export class MemberAlive extends event("fd/MemberAlive", MemberChange) {}

/** It did not answer, neither to this process nor to others. It has some seconds to contradict. */
export class MemberSuspected extends event("fd/MemberSuspected", MemberChange) {}

/** It was suspected and has not contradicted, or a later incarnation answers at its address. */
export class MemberDead extends event("fd/MemberDead", MemberChange) {}

/** It has left by itself. */
export class MemberLeft extends event("fd/MemberLeft", MemberChange) {}

/** Who takes part. Provider: `Swim`. */
export const Membership = port("Membership", {
  requests: [Enter, Leave],
  indications: [MemberChange],
});
