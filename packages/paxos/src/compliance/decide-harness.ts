/** What the suite of Decisions needs of a world, and the component that asks in it. */

import { AskTimeout, Component, type ComponentClass } from "@kith/core";
import type { Harness } from "@kith/testing/compliance";
import { bytesText, textBytes } from "../bytes.ts";
import type { DecideHost, DecideInit } from "../decide/decide-host.ts";
import { Decide, Decided, DecisionKnown, Decisions, Learn } from "../decide/port.ts";

/** A class of providers. */
export type DecideClass = ComponentClass & (new (init: DecideInit) => DecideHost);

/**
 * How a provider of Decisions is put to the test: five processes, numbered from 0, whose main components are
 * `DecidePeer`s; the first four are the acceptors.
 */
export interface DecideHarness extends Harness {
  /** Lets something happen in the turn of a process's main component, now or soon. */
  enter(index: number, action: (peer: DecidePeer) => void): void;
  /** Ends a process without a word. */
  readonly crash?: (index: number) => void;
  /** Starts one that has ended, on its data. */
  readonly restart?: (index: number) => void;
  /** Cuts processes off from all others. */
  readonly isolate?: (...indices: readonly number[]) => void;
  /** Ends that. */
  readonly mend?: () => void;
  /** Replaces the provider of a process, `/Peer-1/decider`. */
  readonly swap?: (index: number) => void;
}

/** How many instances may be open at one peer in the suite. */
export const openMax = 40;

/** Asks, and keeps the answers. */
export abstract class DecidePeer extends Component {
  readonly decisions = this.requires(Decisions);
  /** By instance: the answers, in order; what was decided, or the name of another answer. */
  readonly answers = new Map<string, string[]>();
  readonly known = new Map<string, string>();
  readonly #decide = this.decisions.onAnswer(Decide, (answer, { instance }) =>
    this.#took(instance, answer),
  );
  readonly #learn = this.decisions.onAnswer(Learn, (answer, { instance }) =>
    this.#took(instance, answer),
  );

  constructor() {
    super();
    this.decisions.on(DecisionKnown, ({ instance, value }) => {
      if (this.known.has(instance)) throw new Error(`${instance} is told twice`);
      this.known.set(instance, bytesText(value));
    });
  }

  decide(instance: string, value: string, within?: number): void {
    const limit = within === undefined ? {} : { within };
    this.#decide(new Decide({ instance, value: textBytes(value), ...limit }));
  }

  learn(instance: string, within?: number): void {
    this.#learn(new Learn({ instance, ...(within === undefined ? {} : { within }) }));
  }

  /** The answers about an instance so far. */
  of(instance: string): readonly string[] {
    return this.answers.get(instance) ?? [];
  }

  #took(instance: string, answer: object): void {
    if (answer instanceof AskTimeout) return;
    const what = answer instanceof Decided ? bytesText(answer.value) : answer.constructor.name;
    this.answers.set(instance, [...this.of(instance), what]);
  }
}

/** The main component of a process under test. */
export function decidePeerOf(provider: DecideClass): new (init: DecideInit) => DecidePeer {
  return {
    Peer: class extends DecidePeer {
      readonly child;

      constructor(init: DecideInit) {
        super();
        this.child = this.create(provider, init, { name: "decider" });
        this.connect(this.child.ports.decisions, this.decisions);
      }
    },
  }.Peer;
}
