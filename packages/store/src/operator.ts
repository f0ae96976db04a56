/**
 * What an operator does with a store: groups are founded at the beginning, and split when they have become too large.
 *
 * A split goes to whoever leads the group, from anywhere. It names the epoch that it was meant for, so that a copy of it does
 * nothing; whether the copy or the first one was answered, is found out by asking who has the position now.
 */

import {
  AskTimeout,
  Component,
  event,
  type Millis,
  port,
  type ReplyToken,
  request,
} from "@kith/core";
import { Execute, Executed, Inquire, Replicated } from "@kith/paxos";
import { encodeCommand } from "./command.ts";
import { covers, type Position } from "./position.ts";
import { type Answer, decodeAnswer, encodeQuery } from "./query.ts";
import { decodeResult } from "./result.ts";
import type { Descriptor } from "./rows.ts";

/** The root of all answers. */
export abstract class OperatorAnswer extends event("store/OperatorAnswer") {}

/** The group is split: `right` has everything from the position on. */
export class GroupSplit extends event("store/GroupSplit", OperatorAnswer)<{
  readonly left: Descriptor;
  readonly right: Descriptor;
}> {}

/** Not split. */
export class SplitFailed extends event("store/SplitFailed", OperatorAnswer)<{
  /** Busy: too many splits are under way. Elsewhere: the group does not have the position, or begins there. Timeout: nobody knows. */
  readonly reason: "busy" | "elsewhere" | "timeout";
  /** Who has what, as far as the group knows. */
  readonly descriptors: readonly Descriptor[];
}> {}

/** Splits a group: what lies from a position on becomes a group of its own, of the same members. */
export class SplitGroup extends request("store/SplitGroup", OperatorAnswer)<{
  readonly gid: string;
  /** `positionOf` says where a key lies. */
  readonly at: Position;
  /** How long to try; default 30 s. */
  readonly within?: Millis;
}> {}

/** Splits groups. Provider: `StoreOperator`. */
export const Operator = port("Operator", { requests: [SplitGroup] });

/** A split that is under way. Plain data. */
interface Splitting {
  readonly token: ReplyToken<OperatorAnswer>;
  readonly gid: string;
  readonly at: Position;
  readonly until: Millis;
}

interface Context {
  readonly split: number;
  readonly step: "hello" | "look" | "split";
}

const splitsMax = 16;
const withinMs = 30_000;

/** Provides Operator to any process. The provider of Replicated knows the groups, and has no sessions. */
export class StoreOperator extends Component {
  readonly operator = this.provides(Operator);
  readonly replicated = this.requires(Replicated);
  readonly state = this.declareState({ splits: new Map<number, Splitting>(), last: 0 });
  readonly #inquire = this.replicated.onAnswer(Inquire, (answer, _, { split, step }: Context) => {
    const one = this.state.splits.get(split);
    if (one === undefined || answer instanceof AskTimeout) return;
    if (!(answer instanceof Executed)) this.#fail(split, one, "timeout");
    else if (step === "hello") this.#greeted(split, one, decodeAnswer(answer.result));
    else this.#looked(split, one, decodeAnswer(answer.result));
  });
  readonly #execute = this.replicated.onAnswer(Execute, (answer, _, { split }: Context) => {
    const one = this.state.splits.get(split);
    if (one === undefined || answer instanceof AskTimeout) return;
    if (answer instanceof Executed) {
      const result = decodeResult(answer.result);
      if (result.kind === "split") {
        const { left, right } = result;
        this.#end(split, one, new GroupSplit({ left, right }));
        return;
      }
    }
    // Nobody knows, or a copy came first: who has the position now?
    this.#ask(split, one, "look");
  });

  constructor() {
    super();
    this.operator.on(SplitGroup, ({ gid, at, within = withinMs }, token) => {
      const { splits } = this.state;
      const one = { token, gid, at, until: this.clock.monotonic + within };
      if (splits.size >= splitsMax) {
        this.operator.reply(token, new SplitFailed({ reason: "busy", descriptors: [] }));
        return;
      }
      const split = ++this.state.last;
      splits.set(split, one);
      this.#ask(split, one, "hello");
    });
  }

  #ask(split: number, one: Splitting, step: "hello" | "look"): void {
    const { gid, at, until } = one;
    const within = until - this.clock.monotonic;
    if (within <= 0) {
      this.#fail(split, one, "timeout");
      return;
    }
    const query = encodeQuery(
      step === "hello" ? { kind: "hello" } : { kind: "read", keys: [at], values: false },
    );
    this.#inquire(new Inquire({ gid, query, within }), { context: { split, step } });
  }

  #greeted(split: number, one: Splitting, answer: Answer): void {
    const { gid, at, until } = one;
    if (answer.kind !== "here") {
      this.#fail(split, one, "elsewhere");
      return;
    }
    const { descriptor } = answer;
    if (at === descriptor.hi || !covers(descriptor, at)) {
      this.#ask(split, one, "look");
      return;
    }
    if (at === descriptor.lo) {
      this.#fail(split, one, "elsewhere", [descriptor]);
      return;
    }
    const within = Math.max(1, until - this.clock.monotonic);
    const command = encodeCommand({ kind: "split", at, expectedEpoch: descriptor.epoch });
    this.#execute(new Execute({ gid, command, within }), { context: { split, step: "split" } });
  }

  #looked(split: number, one: Splitting, answer: Answer): void {
    const { gid, at } = one;
    if (answer.kind === "readings") {
      // It is still here: another split has come in between, or nothing has.
      this.#ask(split, one, "hello");
      return;
    }
    const descriptors = answer.kind === "wrong-range" ? answer.descriptors : [];
    const left = descriptors.find((half) => half.gid === gid && half.hi === at);
    const right = descriptors.find((half) => half.lo === at);
    if (left !== undefined && right !== undefined)
      this.#end(split, one, new GroupSplit({ left, right }));
    else this.#fail(split, one, "elsewhere", descriptors);
  }

  #fail(
    split: number,
    one: Splitting,
    reason: SplitFailed["reason"],
    descriptors: readonly Descriptor[] = [],
  ): void {
    this.#end(split, one, new SplitFailed({ reason, descriptors }));
  }

  #end(split: number, { token }: Splitting, answer: OperatorAnswer): void {
    this.state.splits.delete(split);
    this.operator.reply(token, answer);
  }
}
