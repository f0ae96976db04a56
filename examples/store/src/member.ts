/** A member of the store, as a program has it: the member, and its founding where it is told to found. */

import { Component } from "@kith/core";
import { Consensus, GroupHalted, type PeerAddress } from "@kith/paxos";
import { Founding, FoundingFailed, FoundStore, StoreMember } from "@kith/store";
import { groupsOf } from "./layout.ts";

/** What a member has to know. */
export interface StoreProgramInit {
  /** All members, in the same order at each. */
  readonly members: readonly PeerAddress[];
  /** Whether the store is founded with the others: in the first life only. */
  readonly founds: boolean;
}

/** The main component of a member. */
export class StoreProgram extends Component {
  readonly member;
  readonly consensus = this.requires(Consensus);
  readonly founding = this.requires(Founding);
  /** Whether the store is founded here; and why a group has stopped. */
  founded = false;
  halted: string | null = null;
  readonly #found = this.founding.onAnswer(FoundStore, (answer) => {
    if (answer instanceof FoundingFailed) this.halted = answer.detail;
    else this.founded = true;
  });

  constructor({ members, founds }: StoreProgramInit) {
    super();
    const groups = groupsOf(members);
    this.member = this.create(StoreMember, { groups }, { name: "member" });
    this.connect(this.member.ports.consensus, this.consensus);
    this.connect(this.member.ports.founding, this.founding);
    this.consensus.on(GroupHalted, ({ reason }) => void (this.halted = reason));
    this.onStart(() => {
      if (founds) this.#found(new FoundStore({ groups, ordered: false }));
    });
  }
}
