/** An operator at a node: splits a group every now and then, while there are fewer than there may be. */

import { Component, ScheduleTimeout, timeout, Timer } from "@kith/core";
import { Execute, Executed, Inquire, Know, type PeerAddress, Replicated } from "@kith/paxos";
import { Workload } from "@kith/sim/scenario";
import {
  covers,
  decodeAnswer,
  decodeResult,
  type Descriptor,
  encodeCommand,
  encodeQuery,
  positionOf,
} from "../src/index.ts";
import { Divided } from "./facts.ts";
import type { KnownGroup } from "../src/index.ts";
import { lifeMs } from "./beside.ts";
import { allKeys } from "./keys.ts";

class Split extends timeout("store-chaos/Split") {}

interface Context {
  readonly at: string;
}

/** How many groups there are in the end, at most. */
export const groupsMax = 8;
const within = 2000;

/** Splits groups. */
export class Operator extends Component {
  readonly replicated = this.requires(Replicated);
  readonly timer = this.requires(Timer);
  readonly workload = this.requires(Workload);
  readonly #known = new Map<string, Descriptor>();
  readonly #members = new Map<string, readonly PeerAddress[]>();
  readonly #positions: readonly string[];
  readonly #hello = this.replicated.onAnswer(Inquire, (answer, { gid }, { at }: Context) => {
    if (!(answer instanceof Executed)) return;
    const here = decodeAnswer(answer.result);
    if (here.kind !== "here") return;
    const { descriptor } = here;
    this.#known.set(gid, descriptor);
    if (!covers(descriptor, at) || at === descriptor.lo) return;
    const command = encodeCommand({ kind: "split", at, expectedEpoch: descriptor.epoch });
    this.#split(new Execute({ gid, command, within }), { context: { at } });
  });
  readonly #split = this.replicated.onAnswer(Execute, (answer, { gid }, _: Context) => {
    if (!(answer instanceof Executed)) return;
    const result = decodeResult(answer.result);
    if (result.kind === "split") {
      this.#learn(gid, result.left);
      this.#learn(gid, result.right);
      this.workload.trigger(new Divided({ gid }));
    } else if (result.kind === "epoch-mismatch") this.#learn(gid, result.descriptor);
    else if (result.kind === "wrong-range")
      for (const one of result.descriptors) this.#learn(gid, one);
  });

  constructor(init: {
    readonly index: number;
    readonly ordered: boolean;
    readonly groups: readonly KnownGroup[];
  }) {
    super();
    const { groups, ordered } = init;
    for (const { descriptor, members } of groups) {
      this.#known.set(descriptor.gid, descriptor);
      this.#members.set(descriptor.gid, members);
    }
    this.#positions = allKeys.map((key) => positionOf(key, ordered));
    this.timer.on(Split, () => {
      if (this.#known.size >= groupsMax || this.clock.monotonic > lifeMs) return;
      this.#next();
      const at = this.random("where").pick(this.#positions);
      for (const [gid, one] of this.#known)
        if (covers(one, at) && at !== one.lo)
          this.#hello(new Inquire({ gid, query: encodeQuery({ kind: "hello" }), within }), {
            context: { at },
          });
    });
    this.onStart(() => this.#next());
  }

  #next(): void {
    const delay = 1500 + this.random("when").below(8000);
    this.timer.trigger(new ScheduleTimeout({ delay, timeout: new Split() }));
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
