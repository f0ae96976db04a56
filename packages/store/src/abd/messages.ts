/** What stores on quorums say to each other, and to their clients. */

import type { Instance, Word } from "@kith/paxos/decide";
import { message } from "@kith/network";
import type { Position } from "../position.ts";
import type { Stamped } from "./stamp.ts";
import type { View } from "./view.ts";

/** One phase of an operation: what does a key have, or: keep this, unless there is something newer. */
export interface Phase {
  /** Names the phase, at the client. */
  readonly phase: number;
  readonly position: Position;
  /** Null in a phase that reads. */
  readonly keep: Stamped | null;
}

/** What a member says to a phase. */
export interface PhaseReply {
  readonly phase: number;
  /** The view in which it was done; null where it was not: the member has no part in what the key's range is now. */
  readonly view: View | null;
  /** What the key has; null in a phase that writes, and where it was not done. */
  readonly has: Stamped | null;
  /** Where it was not done: views that may know more. */
  readonly known: readonly View[];
}

/** Entries of a range, on their way to a new member. */
export type Copied = readonly (readonly [position: Position, has: Stamped])[];

/** What members say to each other. */
export type MemberWord =
  /** About what is to follow a view. */
  | { readonly kind: "decide"; readonly view: string; readonly word: Word }
  /** This follows that; the sender asks until everybody concerned has said that it is done. */
  | { readonly kind: "install"; readonly view: View; readonly next: readonly View[] }
  /** It is: what follows the view is in use here, or does not concern this peer. */
  | { readonly kind: "installed"; readonly view: string }
  /** A new member asks one of the view before for its data, from a position on. */
  | {
      readonly kind: "pull";
      readonly view: View;
      readonly next: readonly View[];
      readonly from: Position;
    }
  /** Here they are. `next` is where to go on; null at the end. */
  | {
      readonly kind: "page";
      readonly view: string;
      readonly from: Position;
      readonly copied: Copied;
      readonly next: Position | null;
    };

/** A client asks. */
export class AskPhases extends message("store/AbdPhases")<{
  readonly client: string;
  readonly phases: readonly Phase[];
}> {}

/** A member answers. */
export class PhaseReplies extends message("store/AbdReplies")<{
  readonly client: string;
  readonly replies: readonly PhaseReply[];
}> {}

/** Members talk to each other. */
export class MemberWords extends message("store/AbdWords")<{
  readonly words: readonly MemberWord[];
}> {}

/** The durable part of a decision. */
export type Decision = Instance;
