/**
 * A lock service, replicated. Whoever has a lock has it for a while, and a token that is higher than that of anybody who
 * had it before: what the lock protects refuses lower ones (a fencing token), since nobody who stood still can
 * know that its time is over.
 *
 * - A lock has one holder at a time of the group, and tokens only grow.
 * - The group's time stands still while nobody leads: a lock may be held longer than was asked for, and not shorter.
 */

import { AskTimeout, Component, type Millis, SchedulePeriodic, timeout, Timer } from "@kith/core";
import {
  bytesText,
  Consensus,
  Execute,
  Executed,
  LeaderChanged,
  type Machine,
  Replicated,
  textBytes,
  utf8Key,
} from "@kith/paxos";
import { gid, type MemberInit, memberOf } from "./member.ts";

/**
 * Commands are `acquire lock owner milliseconds`, which answers `granted token` or `held owner`, and `release lock
 * owner token`, which answers `released` or `lost`.
 */
export const lockService: Machine = {
  versions: [1],
  apply({ command, table, time }) {
    const [what, lock = "", owner = "", number = ""] = bytesText(command).split(" ");
    const key = utf8Key(lock);
    const saved = bytesText(table.get(key) ?? textBytes("- 0 0")).split(" ");
    const [holder = "-", token = "0", until = "0"] = saved;
    const isHeld = holder !== "-" && time < Number(until);
    if (what === "acquire") {
      if (isHeld && holder !== owner) return textBytes(`held ${holder}`);
      const next = Number(token) + 1;
      table.put(key, textBytes(`${owner} ${next} ${time + Number(number)}`));
      return textBytes(`granted ${next}`);
    }
    if (!isHeld || holder !== owner || token !== number) return textBytes("lost");
    table.put(key, textBytes(`- ${token} 0`));
    return textBytes("released");
  },
  query: ({ query, table }) => table.get(utf8Key(bytesText(query))) ?? textBytes("- 0 0"),
};

class Look extends timeout("replicated/Look") {}

/** What a node has to know that works under a lock. */
export interface LockInit extends MemberInit {
  /** Who it is; no two nodes have the same name. */
  readonly name: string;
  /** For how long it asks for the lock, and how long it works, in milliseconds. */
  readonly lease: Millis;
  readonly work: Millis;
  /** How often it looks whether there is something to do. */
  readonly pause: Millis;
}

/** A node: a member, and somebody who works whenever it has the lock. */
export class LockNode extends Component {
  readonly member;
  readonly replicated = this.requires(Replicated);
  readonly consensus = this.requires(Consensus);
  readonly timer = this.requires(Timer);
  readonly state = this.declareState({
    /** Whether the replica of this node leads. */
    leads: false,
    asking: false,
    /** The token while it holds the lock, else 0; and until when it may work, by its own clock. */
    token: 0,
    since: 0,
    until: 0,
    /** How often it has had the lock, and the last token. */
    turns: 0,
    last: 0,
  });
  readonly #init: LockInit;
  readonly #execute = this.replicated.onAnswer(
    Execute,
    (answer, _, context: { readonly at: Millis }) => this.#took(answer, context.at),
  );

  constructor(init: LockInit) {
    super();
    this.#init = init;
    const { members, found, pause } = init;
    this.member = this.create(memberOf(lockService), { members, found }, { name: "member" });
    this.connect(this.member.ports.replicated, this.replicated);
    this.connect(this.member.ports.group, this.consensus);
    this.consensus.on(LeaderChanged, ({ here }) => {
      this.state.leads = here;
    });
    this.timer.on(Look, () => this.#look());
    this.onStart(() =>
      this.timer.trigger(new SchedulePeriodic({ period: pause, timeout: new Look() })),
    );
  }

  /** Whether it may work now. */
  get holds(): boolean {
    return this.state.token > 0 && this.clock.monotonic < this.state.until;
  }

  #look(): void {
    const { state } = this;
    const { name, lease, work } = this.#init;
    const now = this.clock.monotonic;
    if (state.token > 0 && (now >= state.since + work || now >= state.until)) {
      const { token } = state;
      state.token = 0;
      this.#ask(`release printer ${name} ${token}`);
    } else if (state.token === 0 && !state.asking) this.#ask(`acquire printer ${name} ${lease}`);
  }

  #ask(command: string): void {
    this.state.asking = true;
    const { lease } = this.#init;
    // What comes after the lease is of no use any more.
    this.#execute(new Execute({ gid, command: textBytes(command), within: lease }), {
      context: { at: this.clock.monotonic },
    });
  }

  #took(answer: object, at: Millis): void {
    const { state } = this;
    state.asking = false;
    if (answer instanceof AskTimeout || !(answer instanceof Executed)) return;
    const [what, token] = bytesText(answer.result).split(" ");
    if (what !== "granted") return;
    state.token = Number(token);
    state.since = this.clock.monotonic;
    // It was granted after it was asked for, so that is when its time begins at the earliest.
    state.until = at + this.#init.lease;
    state.turns++;
    state.last = state.token;
  }
}
