/**
 * What a virtual peer has of the store: a member of the groups that have a replica here, or a guest that uses the groups of others.
 * Both see Network and Storage as their peer alone has them.
 *
 * Invariant: replicas are founded by whoever was told to place them here, and by nobody who finds an empty disk.
 */

import { Component } from "@kith/core";
import { parsePeer, self } from "@kith/network";
import { Consensus, GroupClient, PeerAt, Replicated } from "@kith/paxos";
import {
  Founding,
  FoundingFailed,
  FoundStore,
  StoreClient,
  StoreMember,
  type StoreMemberInit,
} from "@kith/store";
import type { Genesis } from "./cluster.ts";
import { peerError } from "./errors.ts";
import { Hostings, PeerSettled } from "./hosting.ts";
import { type BalanceRule, Leadership } from "./leadership.ts";
import { PeerNetwork } from "./peer-network.ts";
import { MemberAt, Places, Whereabouts } from "./whereabouts.ts";
import { PeerStorage } from "./peer-storage.ts";

/** How a peer holds its part of the store; what is left out is as `StoreMember` has it. */
export interface StoreSettings extends Pick<
  StoreMemberInit,
  "group" | "caretaker" | "watching" | "client" | "twice"
> {
  /** When leadership is given to whom it belongs. */
  readonly balance?: BalanceRule;
}

/** The init of a member. Plain data. */
export interface MemberStoreInit {
  readonly genesis: Genesis;
  /** Whether the replicas are founded; else they are on the disk. */
  readonly founds: boolean;
  readonly settings?: StoreSettings;
}

/** The groups of which this peer has replicas, and the way to all others. */
export class MemberStore extends Component {
  readonly hostings = this.requires(Hostings);
  readonly founding = this.requires(Founding);
  protected readonly groups = this.requires(Consensus);
  protected readonly guest = this.requires(Replicated);
  protected readonly places = this.requires(Places);
  readonly network = this.create(PeerNetwork, {}, { name: "Network" });
  readonly storage = this.create(PeerStorage, {}, { name: "Storage" });
  readonly member;
  readonly store;
  readonly consensus;
  readonly operator;
  readonly leading;
  readonly #found = this.founding.onAnswer(FoundStore, (answer) => {
    if (answer instanceof FoundingFailed)
      throw peerError("KITH_PEER_RECORD", `The replicas cannot be founded: ${answer.detail}.`);
    const { peerId } = parsePeer(this.setting(self));
    this.hostings.trigger(new PeerSettled({ peerId }));
  });

  constructor({ genesis: { groups, ordered }, founds, settings = {} }: MemberStoreInit) {
    super();
    this.offers(this.network.ports.network);
    this.offers(this.storage.ports.storage);
    const { balance = {}, ...rest } = settings;
    this.member = this.create(StoreMember, { ...rest, groups, ordered }, { name: "Member" });
    const leadership = this.create(Leadership, balance, { name: "Leadership" });
    this.connect(this.member.ports.consensus, leadership.ports.consensus);
    this.leading = this.exposes(leadership.ports.leading);
    this.connect(this.member.ports.founding, this.founding);
    this.connect(this.member.ports.consensus, this.groups);
    this.connect(this.member.ports.replicated, this.guest);
    const { peerId } = parsePeer(this.setting(self));
    const whereabouts = this.create(Whereabouts, { groups, peerId }, { name: "Whereabouts" });
    this.connect(whereabouts.ports.places, this.places);
    this.places.on(MemberAt, ({ peer }) => {
      this.groups.trigger(new PeerAt({ peer }));
      this.guest.trigger(new PeerAt({ peer }));
    });
    this.store = this.exposes(this.member.ports.store);
    this.consensus = this.exposes(this.member.ports.consensus);
    this.operator = this.exposes(this.member.ports.operator);
    this.onStart(() => {
      if (founds) this.#found(new FoundStore({ groups, ordered }));
    });
  }
}

/** A way to the groups of other peers. */
export class GuestStore extends Component {
  protected readonly guest = this.requires(Replicated);
  protected readonly places = this.requires(Places);
  readonly network = this.create(PeerNetwork, {}, { name: "Network" });
  readonly groups;
  readonly client;
  readonly store;

  constructor({ genesis: { groups, ordered }, settings = {} }: Omit<MemberStoreInit, "founds">) {
    super();
    this.offers(this.network.ports.network);
    const known = Object.fromEntries(groups.map((one) => [one.descriptor.gid, one.members]));
    this.groups = this.create(GroupClient, { groups: known, sessions: false }, { name: "Groups" });
    const { client = {} } = settings;
    this.client = this.create(
      StoreClient,
      { groups, ordered, settings: client },
      { name: "Client" },
    );
    this.connect(this.groups.ports.replicated, this.client.ports.replicated);
    this.connect(this.groups.ports.replicated, this.guest);
    const { peerId } = parsePeer(this.setting(self));
    const whereabouts = this.create(Whereabouts, { groups, peerId }, { name: "Whereabouts" });
    this.connect(whereabouts.ports.places, this.places);
    this.places.on(MemberAt, ({ peer }) => this.guest.trigger(new PeerAt({ peer })));
    this.store = this.exposes(this.client.ports.store);
  }
}
