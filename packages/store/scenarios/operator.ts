/** An operator at a node: has a group split every now and then, while there are fewer than there may be. */

import { Component, type Millis, ScheduleTimeout, timeout, Timer } from "@kith/core";
import { Know, type PeerAddress, Replicated } from "@kith/paxos";
import { Workload } from "@kith/sim/scenario";
import {
  covers,
  type Descriptor,
  GroupSplit,
  type KnownGroup,
  Operator,
  positionOf,
  SplitFailed,
  SplitGroup,
} from "../src/index.ts";
import { endMs } from "./beside.ts";
import { Divided } from "./facts.ts";
import { allKeys } from "./keys.ts";

class Divide extends timeout("store-chaos/Divide") {}

/** How many groups there are in the end, at most. */
export const groupsMax = 8;
const within = 2000;

/** Has groups split. */
export class Splitter extends Component {
  readonly operator = this.requires(Operator);
  readonly replicated = this.requires(Replicated);
  readonly timer = this.requires(Timer);
  readonly workload = this.requires(Workload);
  readonly #known = new Map<string, Descriptor>();
  readonly #members = new Map<string, readonly PeerAddress[]>();
  readonly #positions: readonly string[];
  readonly #split = this.operator.onAnswer(SplitGroup, (answer, { gid }) => {
    if (answer instanceof GroupSplit) {
      this.#learn(gid, answer.left);
      this.#learn(gid, answer.right);
      this.workload.trigger(new Divided({ gid }));
    } else if (answer instanceof SplitFailed)
      for (const one of answer.descriptors) this.#learn(gid, one);
  });

  constructor(init: {
    readonly ordered: boolean;
    readonly groups: readonly KnownGroup[];
    readonly time: Millis;
  }) {
    super();
    const { groups, ordered, time } = init;
    for (const { descriptor, members } of groups) {
      this.#known.set(descriptor.gid, descriptor);
      this.#members.set(descriptor.gid, members);
    }
    this.#positions = allKeys.map((key) => positionOf(key, ordered));
    this.timer.on(Divide, () => {
      if (this.#known.size >= groupsMax || this.clock.monotonic > endMs - time) return;
      this.#next();
      const at = this.random("where").pick(this.#positions);
      for (const [gid, one] of this.#known)
        if (covers(one, at) && at !== one.lo) this.#split(new SplitGroup({ gid, at, within }));
    });
    this.onStart(() => this.#next());
  }

  #next(): void {
    const delay = 1500 + this.random("when").below(8000);
    this.timer.trigger(new ScheduleTimeout({ delay, timeout: new Divide() }));
  }

  #learn(from: string, one: Descriptor): void {
    const known = this.#known.get(one.gid);
    if (known !== undefined && known.epoch >= one.epoch) return;
    this.#known.set(one.gid, one);
    const members = this.#members.get(from);
    if (known !== undefined || members === undefined) return;
    this.#members.set(one.gid, members);
    this.replicated.trigger(new Know({ gid: one.gid, members }));
  }
}
