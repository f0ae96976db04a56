/** What the suites of Bootstrap, PeerSampling and Nearness need of a world, and the component that takes part in it. */

import { AskTimeout, Component } from "@kith/core";
import type { PeerRef } from "@kith/network";
import type { Harness } from "@kith/testing/compliance";
import {
  Bootstrap,
  FindPeers,
  Introduce,
  Nearest,
  Nearness,
  PeerSampling,
  Register,
  Sample,
} from "../port.ts";

/** How providers are put to the test: processes, numbered from 0, their identifiers in that order. */
export interface MembershipHarness extends Harness {
  /** How many processes there are; at least six. */
  readonly count: number;
  /** The reference to a process's present life, or to its next one where it is down. */
  self(index: number): PeerRef;
  /** Lets something happen in the turn of a process's main component, now or soon. */
  enter(index: number, action: (it: Participant) => void): void;
  /** Ends a process without a word. */
  readonly crash?: (index: number) => void;
  /** Starts one that has crashed, at the same address in its next incarnation. */
  readonly restart?: (index: number) => void;
}

/** A process that takes part: its subclass wires the providers under test. */
export abstract class Participant extends Component {
  readonly bootstrap = this.requires(Bootstrap);
  readonly sampling = this.requires(PeerSampling);
  readonly nearness = this.requires(Nearness);
  /** The answers to `find`: peers, or null after its timeout. */
  readonly found: (readonly PeerRef[] | null)[] = [];
  readonly samples: (readonly PeerRef[])[] = [];
  /** All that was said of the neighbours, the last at the end. */
  readonly nearest: Nearest[] = [];
  readonly #find = this.bootstrap.onAnswer(FindPeers, (answer) => {
    this.found.push(answer instanceof AskTimeout ? null : answer.peers);
  });

  constructor() {
    super();
    this.sampling.on(Sample, ({ peers }) => void this.samples.push(peers));
    this.nearness.on(Nearest, (nearest) => void this.nearest.push(nearest));
  }

  find(timeout: number): void {
    this.#find(new FindPeers(), { timeout });
  }

  register(peer: PeerRef): void {
    this.bootstrap.trigger(new Register({ peer }));
  }

  introduce(...peers: readonly PeerRef[]): void {
    this.sampling.trigger(new Introduce({ peers }));
  }

  introduceNear(...peers: readonly PeerRef[]): void {
    this.nearness.trigger(new Introduce({ peers }));
  }
}
