/**
 * A member of the group, and the gate at which clients ask it. The same class runs in processes of its own and in
 * the simulator.
 *
 * The group is founded by those who are told so, in their first life; nobody who finds an empty disk founds one.
 */

import { Component, SchedulePeriodic, timeout, Timer } from "@kith/core";
import {
  Consensus,
  Found,
  GroupGate,
  type GroupSettings,
  GroupHalted,
  LeaderChanged,
  type PeerAddress,
  Refused,
  replicatedGroups,
} from "@kith/paxos";
import { registersGroup as gid, registersWithSessions } from "./registers.ts";

/** What a member has to know. */
export interface MemberInit {
  /** The founders, where this one shall found the group: the same in the same order at each of them. */
  readonly founders?: readonly PeerAddress[];
  /** Of the group; the same at each member. */
  readonly settings?: Partial<GroupSettings>;
}

class Retry extends timeout("group/Retry") {}

const Groups = replicatedGroups(registersWithSessions);

/** The main component of a member. */
export class Member extends Component {
  readonly timer = this.requires(Timer);
  readonly consensus = this.requires(Consensus);
  readonly groups;
  /** Whether this one leads, as far as it knows; and why it has stopped. */
  leads = false;
  halted: string | null = null;
  readonly #founders: readonly PeerAddress[];
  #founded: boolean;

  readonly #found = this.consensus.onAnswer(Found, (answer) => {
    // Else its storage is still being read, and it tries again.
    this.#founded = !(answer instanceof Refused) || answer.reason === "exists";
  });

  constructor(init: MemberInit = {}) {
    super();
    const { founders = [], settings = {} } = init;
    this.#founders = founders;
    this.#founded = founders.length === 0;
    this.groups = this.create(Groups, { settings }, { name: "Groups" });
    const gate = this.create(GroupGate, {}, { name: "Gate" });
    this.connect(this.groups.ports.consensus, this.consensus);
    this.connect(this.groups.ports.consensus, gate.ports.consensus);
    this.consensus.on(LeaderChanged, ({ here }) => void (this.leads = here));
    this.consensus.on(GroupHalted, ({ reason }) => void (this.halted = reason));
    this.timer.on(Retry, () => this.#foundOnce());
    this.onStart(() =>
      this.timer.trigger(new SchedulePeriodic({ period: 50, delay: 0, timeout: new Retry() })),
    );
  }

  #foundOnce(): void {
    if (this.#founded) return;
    this.#founded = true;
    this.#found(new Found({ gid, peers: this.#founders }));
  }
}
