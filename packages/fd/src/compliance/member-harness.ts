/** What the suite of Membership needs of a world, and the component that takes part in it. */

import { Component, isOf } from "@kith/core";
import type { PeerRef } from "@kith/network";
import type { Harness } from "@kith/testing/compliance";
import {
  Enter,
  Leave,
  MemberAlive,
  MemberChange,
  MemberDead,
  MemberLeft,
  Membership,
  MemberSuspected,
} from "../members.ts";

/** How a provider of Membership is put to the test: processes, numbered from 0. None takes part yet. */
export interface MemberHarness extends Harness {
  /** How many processes there are; at least six. */
  readonly count: number;
  /** The reference to a process's present life, or to its next one where it is down. */
  self(index: number): PeerRef;
  /** Lets something happen in the turn of a process's main component, now or soon. */
  enter(index: number, action: (it: Attendant) => void): void;
  /** Ends a process without a word. */
  readonly crash?: (index: number) => void;
  /** Starts one that has crashed, at the same address in its next incarnation. */
  readonly restart?: (index: number) => void;
  /** Lets one process not hear another; the second way may stay open. */
  readonly cut?: (from: number, to: number, way: "both" | "one") => void;
  /** Ends all cuts. */
  readonly mend?: () => void;
  /** Replaces the provider of a process. */
  readonly swap?: (index: number) => void;
}

/** What can be said of a member. */
export type MemberWord = "alive" | "suspected" | "dead" | "left";

const words = [
  [MemberAlive, "alive"],
  [MemberSuspected, "suspected"],
  [MemberDead, "dead"],
  [MemberLeft, "left"],
] as const;

/** A process that takes part: its subclass wires the provider under test. */
export abstract class Attendant extends Component {
  readonly membership = this.requires(Membership);
  /** What was said of each life of each peer, in order. */
  readonly told = new Map<string, MemberWord[]>();

  constructor() {
    super();
    this.membership.on(MemberChange, (change) => {
      const [, word = "alive"] = words.find(([cls]) => isOf(change.constructor, cls)) ?? [];
      this.about(change.peer).push(word);
    });
  }

  /** What was said of one life of a peer, in order. */
  about({ peerId, incarnation }: PeerRef): MemberWord[] {
    const key = `${peerId}#${incarnation}`;
    let told = this.told.get(key);
    if (told === undefined) this.told.set(key, (told = []));
    return told;
  }

  enters(...seeds: readonly PeerRef[]): void {
    this.membership.trigger(new Enter({ seeds }));
  }

  leaves(): void {
    this.membership.trigger(new Leave());
  }
}
