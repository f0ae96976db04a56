/** A guest of the network: a process that is a member of nothing, and uses the store. */

import { addressOf, ConnectionDown, ConnectionUp, Network } from "@kith/network";
import { GroupClient } from "@kith/paxos";
import { StoreClient } from "@kith/store";
import type { FoundStore } from "./finder.ts";
import { StoreUser } from "./user.ts";

/** What a guest tells ordinary code of its connections, by `host:port`. */
export interface ConnectionListener {
  readonly up: (peer: string) => void;
  readonly down: (peer: string, reason: string) => void;
}

/** The edge, and below it all that it takes to reach the store. */
export class Guest extends StoreUser {
  readonly network = this.requires(Network);
  readonly groups;
  readonly client;
  #listener: ConnectionListener | null = null;

  constructor({ groups, ordered }: FoundStore) {
    super();
    const known = Object.fromEntries(groups.map((one) => [one.descriptor.gid, one.members]));
    const toGroups = { groups: known, sessions: false };
    this.groups = this.create(GroupClient, toGroups, { name: "groups" });
    this.client = this.create(StoreClient, { groups, ordered }, { name: "client" });
    this.connect(this.groups.ports.replicated, this.client.ports.replicated);
    this.connect(this.client.ports.store, this.store);
    this.network.on(ConnectionUp, ({ peer }) => this.#listener?.up(addressOf(peer)));
    this.network.on(ConnectionDown, ({ peer, reason }) =>
      this.#listener?.down(addressOf(peer), reason),
    );
  }

  /** Tells of connections from now on. */
  listen(listener: ConnectionListener): void {
    this.#listener = listener;
  }
}
