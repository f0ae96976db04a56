/**
 * How a client that knows nothing but addresses finds the groups of a store: it asks any member.
 *
 * What it is told are hints. A group that has given keys away says to whom; so the groups that a store began with are
 * enough, as long as one member of each is where it was.
 */

import { Component } from "@kith/core";
import { Dropped, message, Network } from "@kith/network";
import type { KnownGroup } from "./store-client.ts";

/** Which groups are there? */
export class AskDirectory extends message("store/AskDirectory") {}

/** These. */
export class TellDirectory extends message("store/TellDirectory")<{
  readonly groups: readonly KnownGroup[];
  /** Whether positions are the keys themselves. */
  readonly ordered: boolean;
}> {}

/** The init of a directory. */
export interface StoreDirectoryInit {
  readonly groups: readonly KnownGroup[];
  /** As the groups were founded; default false. */
  readonly ordered?: boolean;
}

/** Tells clients of the groups. Every member has one. */
export class StoreDirectory extends Component {
  readonly network = this.requires(Network);

  constructor({ groups, ordered = false }: StoreDirectoryInit) {
    super();
    this.network.on(AskDirectory, ({ from }) => {
      this.network.trigger(new TellDirectory({ to: from, groups, ordered }));
    });
    this.network.on(Dropped, ({ reason, tag, from }) => {
      // Who has an address only does not know this life of the process.
      if (reason === "wrong-incarnation" && tag === AskDirectory.tag)
        this.network.trigger(new TellDirectory({ to: from, groups, ordered }));
    });
  }
}
