/** The Views port: who has which range of a store on consistent quorums, and how that is changed. */

import { event, port, request } from "@kith/core";
import type { View, ViewChange } from "./view.ts";

/** What follows a view: this, whatever was asked for. */
export class ViewChanged extends event("store/ViewChanged")<{
  /** The views that follow; none where this peer knows nothing of the view that was to change, or where it cannot be changed so. */
  readonly next: readonly View[];
}> {}

/**
 * Changes a view: to be asked at one of its members. Answered once it is decided what follows; no answer comes while no
 * majority of the members can be reached. Several may ask at once: one change is made.
 */
export class ChangeView extends request("store/ChangeView", ViewChanged)<{
  readonly rid: string;
  readonly version: number;
  readonly change: ViewChange;
}> {}

/** The views that a peer has a part in. */
export class ViewList extends event("store/ViewList")<{
  readonly views: readonly (View & {
    /** Whether it has all data of the view. */
    readonly active: boolean;
  })[];
  /** How many keys it has, those of views that it is still to hand over included. */
  readonly keys: number;
}> {}

/** Asks for them. */
export class ListViews extends request("store/ListViews", ViewList) {}

/** Says who has which range. Provider: `AbdReplica`. */
export const Views = port("Views", { requests: [ChangeView, ListViews] });
