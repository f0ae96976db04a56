/**
 * A member of the group, and the desk at which clients ask it. The same class runs in processes of its own and in
 * the simulator.
 *
 * - The group is founded by those who are told so, in their first life; nobody who finds an empty disk founds one.
 * - What a client asks waits in the group, whose bounds hold: beyond them the answer is `later`.
 */

import { Component, event, port, SchedulePeriodic, timeout, Timer } from "@kith/core";
import { Dropped, Network, type PeerRef } from "@kith/network";
import {
  Busy,
  Consensus,
  Done,
  Found,
  type GroupSettings,
  GroupHalted,
  LeaderChanged,
  NotLeader,
  type PeerAddress,
  Propose,
  Query,
  Refused,
  replicatedGroups,
} from "@kith/paxos";
import { type Answer, Answers, type Ask, Asks, nameOf, type Outcome } from "./messages.ts";
import { registersWithSessions } from "./registers.ts";

/** What a member has to know. */
export interface MemberInit {
  /** The founders, where this one shall found the group: the same in the same order at each of them. */
  readonly founders?: readonly PeerAddress[];
  /** Of the group; the same at each member. */
  readonly settings?: Partial<GroupSettings>;
}

class Retry extends timeout("group/Retry") {}
/** Behind everything that is queued: time to answer. */
class TurnEnds extends event("group/TurnEnds") {}
const Turns = port("GroupTurns", { requests: [TurnEnds] });

const gid = "registers";
const Groups = replicatedGroups(registersWithSessions);
const noBytes = new Uint8Array(0);

/** The main component of a member. */
export class Member extends Component {
  readonly net = this.requires(Network);
  readonly timer = this.requires(Timer);
  readonly consensus = this.requires(Consensus);
  readonly groups;
  protected readonly turns = this.provides(Turns);
  protected readonly turner = this.requires(Turns);
  /** Who leads, as far as this one knows; and whether it is this one. */
  leader: number | null = null;
  leads = false;
  halted: string | null = null;
  readonly #founders: readonly PeerAddress[];
  #founded: boolean;
  /** What was asked and not answered, by number. */
  readonly #asked = new Map<number, Asked>();
  #number = 0;
  /** What is answered in this turn. */
  #answers = new Map<string, { readonly to: PeerRef; readonly answers: Answer[] }>();

  readonly #found = this.consensus.onAnswer(Found, (answer) => {
    // Else its storage is still being read, and it tries again.
    this.#founded = !(answer instanceof Refused) || answer.reason === "exists";
  });
  readonly #propose = this.consensus.onAnswer(Propose, (answer, _, token: number) =>
    this.#answered(answer, token),
  );
  readonly #query = this.consensus.onAnswer(Query, (answer, _, token: number) =>
    this.#answered(answer, token),
  );

  constructor(init: MemberInit = {}) {
    super();
    const { founders = [], settings = {} } = init;
    this.#founders = founders;
    this.#founded = founders.length === 0;
    this.groups = this.create(Groups, { settings }, { name: "Groups" });
    this.connect(this.groups.ports.consensus, this.consensus);
    this.connect(this.turns, this.turner);
    this.consensus.on(LeaderChanged, ({ leader, here }) => {
      this.leader = leader?.peerId ?? null;
      this.leads = here;
    });
    this.consensus.on(GroupHalted, ({ reason }) => void (this.halted = reason));
    this.net.on(Asks, ({ from, asks }) => {
      for (const ask of asks) this.#ask(from, ask);
    });
    this.net.on(Dropped, ({ reason, from, tag }) => {
      // It was for an earlier life of this member: the client is told which one this is.
      if (reason === "wrong-incarnation" && tag === Asks.tag)
        this.net.trigger(new Answers({ to: from, answers: [], leader: this.leader }));
    });
    this.turns.on(TurnEnds, () => this.#send());
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

  #ask(from: PeerRef, [number, kind, body]: Ask): void {
    const context = ++this.#number;
    this.#asked.set(context, { from, number });
    if (kind === "do") this.#propose(new Propose({ gid, command: body }), { context });
    else this.#query(new Query({ gid, query: body }), { context });
  }

  #answered(answer: object, context: number): void {
    const asked = this.#asked.get(context);
    if (asked === undefined) return;
    this.#asked.delete(context);
    const { from: to, number } = asked;
    if (this.#answers.size === 0) this.turner.trigger(new TurnEnds());
    const name = nameOf(to);
    let waiting = this.#answers.get(name);
    if (waiting === undefined) this.#answers.set(name, (waiting = { to, answers: [] }));
    const result = answer instanceof Done ? answer.result : noBytes;
    waiting.answers.push([number, outcomeOf(answer), result]);
  }

  #send(): void {
    const { leader } = this;
    for (const { to, answers } of this.#answers.values())
      this.net.trigger(new Answers({ to, answers, leader }));
    // The arrays are the messages' own now.
    this.#answers = new Map();
  }
}

interface Asked {
  readonly from: PeerRef;
  readonly number: number;
}

function outcomeOf(answer: object): Outcome {
  if (answer instanceof Done) return "done";
  if (answer instanceof NotLeader) return "moved";
  if (answer instanceof Busy) return "later";
  if (answer instanceof Refused) return answer.reason === "no-group" ? "moved" : "refused";
  return "unknown";
}
