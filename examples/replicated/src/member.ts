/**
 * A member of a replicated group, as a component: a replica of the machine, a gate for those who are elsewhere, and a
 * client, which finds the leader, wherever that is. Whoever is connected sees the port Replicated and nothing of this.
 */

import { Component, ScheduleTimeout, timeout, Timer } from "@kith/core";
import {
  Consensus,
  Found,
  GroupClient,
  GroupGate,
  type Machine,
  type PeerAddress,
  Refused,
  replicatedGroups,
  withSessions,
} from "@kith/paxos";

/** What a member has to know. */
export interface MemberInit {
  /** The members of the group, at all of them the same in the same order. */
  readonly members: readonly PeerAddress[];
  /**
   * Whether this is the first time that the group is started. Afterwards a member finds its replica on its disk; one that
   * has lost its disk must not found the group again, for it has voted.
   */
  readonly found: boolean;
}

/** What the group is called. */
export const gid = "example";

class Again extends timeout("replicated/Again") {}

/** A member; `memberOf` names its machine. */
export abstract class Member extends Component {
  readonly consensus = this.requires(Consensus);
  readonly timer = this.requires(Timer);
  readonly client;
  readonly replicated;
  /** The group as it is, for who wants to know more of it than that it works. */
  readonly group;
  readonly #found = this.consensus.onAnswer(Found, (answer) => {
    // The disk is being read. Any other refusal says that the group is there already.
    if (answer instanceof Refused && answer.reason === "pending") this.#later();
  });
  readonly #init: MemberInit;

  constructor(init: MemberInit, machine: Machine) {
    super();
    this.#init = init;
    const { members } = init;
    const groups = this.create(replicatedGroups(withSessions(machine)), {}, { name: "groups" });
    const gate = this.create(GroupGate, {}, { name: "gate" });
    this.client = this.create(
      GroupClient,
      { groups: { [gid]: members }, retry: 300 },
      { name: "client" },
    );
    this.replicated = this.exposes(this.client.ports.replicated);
    this.group = this.exposes(groups.ports.consensus);
    this.connect(groups.ports.consensus, this.consensus);
    this.connect(groups.ports.consensus, gate.ports.consensus);
    this.timer.on(Again, () => this.#found(new Found({ gid, peers: this.#init.members })));
    if (init.found) this.onStart(() => this.#later());
  }

  #later(): void {
    this.timer.trigger(new ScheduleTimeout({ delay: 20, timeout: new Again() }));
  }
}

/** The class of members that replicate a machine. */
export function memberOf(machine: Machine): new (init: MemberInit) => Member {
  return class Replica extends Member {
    constructor(init: MemberInit) {
      super(init, machine);
    }
  };
}
