/**
 * Watches a run: asks each invariant when one of its inputs comes, all of them in each sweep, and notes
 * which marks were reached. The first that is wrong ends the run.
 */

import { isOf } from "@kith/core";
import type { Input, Scenario } from "./scenario.ts";
import type { Reported, View } from "./view.ts";

/** What went wrong. */
export interface Failure {
  /** The name of what did not hold; shrinking keeps it. */
  readonly invariant: string;
  /** What was wrong, for people. */
  readonly complaint: string;
  /** When, in simulated milliseconds. */
  readonly time: number;
}

interface Watched {
  readonly name: string;
  readonly inputs: readonly Input[];
  /** Looks once. @returns whether it is not to be asked any more */
  readonly look: () => boolean;
}

/** The invariants and marks of one run. */
export class Watch {
  /** How often each invariant was asked. */
  readonly asked = new Map<string, number>();
  /** The marks that were reached. */
  readonly reached = new Set<string>();
  readonly #view: View;
  readonly #fail: (invariant: string, complaint: string) => void;
  #watched: readonly Watched[];
  readonly #byClass = new Map<unknown, readonly Watched[]>();

  constructor(
    scenario: Scenario,
    view: View,
    fail: (invariant: string, complaint: string) => void,
  ) {
    this.#view = view;
    this.#fail = fail;
    const { invariants = [], sometimes = [] } = scenario;
    this.#watched = [
      ...invariants.map(({ name, inputs, begin }): Watched => {
        const check = this.#guarded(name, begin, undefined);
        this.asked.set(name, 0);
        return {
          name,
          inputs,
          look: () => {
            this.asked.set(name, (this.asked.get(name) ?? 0) + 1);
            const complaint = this.#guarded(name, () => check?.(view), undefined);
            if (complaint !== undefined) fail(name, complaint);
            return complaint !== undefined;
          },
        };
      }),
      ...sometimes.map(({ name, inputs, begin }): Watched => {
        const check = this.#guarded(name, begin, undefined);
        return {
          name,
          inputs,
          look: () => {
            const holds = this.#guarded(name, () => check?.(view) ?? false, false);
            if (holds) this.reached.add(name);
            return holds;
          },
        };
      }),
    ];
  }

  /** A fact has come. */
  fact({ fact }: Reported): void {
    const cls: unknown = fact.constructor;
    let interested = this.#byClass.get(cls);
    if (interested === undefined) {
      interested = this.#watched.filter(({ inputs }) =>
        inputs.some((input) => typeof input !== "string" && isOf(cls, input)),
      );
      this.#byClass.set(cls, interested);
    }
    this.#look(interested);
  }

  /** The history has a new line, or a life has begun or ended. */
  changed(input: "history" | "nodes"): void {
    let interested = this.#byClass.get(input);
    if (interested === undefined) {
      interested = this.#watched.filter(({ inputs }) => inputs.includes(input));
      this.#byClass.set(input, interested);
    }
    this.#look(interested);
  }

  /** Asks them all. */
  sweep(): void {
    this.#look(this.#watched);
  }

  /** Looks once more, at the end, whether something has come true. */
  holds(name: string, holds: (view: View) => boolean): boolean {
    return this.#guarded(name, () => holds(this.#view), false);
  }

  /** Asks for a verdict, once, at the end. */
  verdict(name: string, check: () => string | undefined): string | undefined {
    this.asked.set(name, 1);
    return this.#guarded(name, check, undefined);
  }

  #look(interested: readonly Watched[]): void {
    for (const one of interested) {
      if (!one.look()) continue;
      this.#watched = this.#watched.filter((other) => other !== one);
      this.#byClass.clear();
    }
  }

  /** An invariant that throws is wrong, too: it must not be blamed on the component that stated a fact. */
  #guarded<T>(name: string, action: () => T, otherwise: T): T {
    try {
      return action();
    } catch (cause) {
      const what = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
      this.#fail(name, `It threw: ${what}`);
      return otherwise;
    }
  }
}
