/**
 * A counter, replicated: who has counted how far, and the sum. The machine is a table and a function; the rest
 * of the file is somebody who counts.
 *
 * Invariant: a name counts from one number to the next, so that nothing which comes late, even from an earlier life, is
 * counted twice. What is repeated within a life the session sees to.
 */

import { Component, type Millis, SchedulePeriodic, timeout, Timer } from "@kith/core";
import {
  bytesText,
  Consensus,
  Execute,
  Executed,
  Inquire,
  LeaderChanged,
  type Machine,
  Replicated,
  textBytes,
  utf8Key,
} from "@kith/paxos";
import { gid, type MemberInit, memberOf } from "./member.ts";

/** Commands are `name number`; they answer `how far name is, and the sum of all`. */
export const counter: Machine = {
  versions: [1],
  apply({ command, table }) {
    const [name = "", number = ""] = bytesText(command).split(" ");
    const own = Number(bytesText(table.get(utf8Key(name)) ?? textBytes("0")));
    const sum = Number(bytesText(table.get("sum") ?? textBytes("0")));
    if (Number(number) !== own + 1) return textBytes(`${own} ${sum}`);
    table.put(utf8Key(name), textBytes(number));
    table.put("sum", textBytes(`${sum + 1}`));
    return textBytes(`${own + 1} ${sum + 1}`);
  },
  query({ query, table }) {
    const own = table.get(utf8Key(bytesText(query))) ?? textBytes("0");
    return textBytes(`${bytesText(own)} ${bytesText(table.get("sum") ?? textBytes("0"))}`);
  },
};

class Click extends timeout("replicated/Click") {}

/** What a counting node has to know. */
export interface CounterInit extends MemberInit {
  /** Who counts; no two nodes have the same name. */
  readonly name: string;
  /** How far it counts, in all its lives together. */
  readonly target: number;
  /** The time between two counts, in milliseconds. */
  readonly pause: Millis;
}

/** A node: a member, and somebody who counts, each number when the one before it was answered. */
export class CounterNode extends Component {
  readonly member;
  readonly replicated = this.requires(Replicated);
  readonly consensus = this.requires(Consensus);
  readonly timer = this.requires(Timer);
  readonly state = this.declareState({
    /** Whether the replica of this node leads. */
    leads: false,
    /** How far it has counted, and the sum; -1 until it was asked for in this life. */
    own: -1,
    sum: 0,
    asking: false,
  });
  readonly #execute = this.replicated.onAnswer(Execute, (answer) => this.#took(answer));
  readonly #inquire = this.replicated.onAnswer(Inquire, (answer) => this.#took(answer));

  constructor({ name, target, pause, members, found }: CounterInit) {
    super();
    this.member = this.create(memberOf(counter), { members, found }, { name: "member" });
    this.connect(this.member.ports.replicated, this.replicated);
    this.connect(this.member.ports.group, this.consensus);
    this.consensus.on(LeaderChanged, ({ here }) => {
      this.state.leads = here;
    });
    const { state } = this;
    this.timer.on(Click, () => {
      if (state.asking) return;
      state.asking = true;
      const { own } = state;
      if (own < 0 || own >= target) this.#inquire(new Inquire({ gid, query: textBytes(name) }));
      else this.#execute(new Execute({ gid, command: textBytes(`${name} ${own + 1}`) }));
    });
    this.onStart(() =>
      this.timer.trigger(new SchedulePeriodic({ period: pause, timeout: new Click() })),
    );
  }

  #took(answer: object): void {
    const { state } = this;
    state.asking = false;
    if (!(answer instanceof Executed)) return; // Not done, or not known: the same number is counted again.
    const [own = "", sum = ""] = bytesText(answer.result).split(" ");
    state.own = Number(own);
    state.sum = Number(sum);
  }
}
