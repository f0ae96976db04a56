/**
 * Errands: what a provider of a root port has asked the engine to do for it at a time. An errand is
 * data, the name of the provider's business and a number, so that a checkpoint can hold it; whoever
 * runs the business in this life of the node, also after a swap, does it.
 *
 * Invariant: an errand that was cancelled does nothing, also where it waits for the end of a pause.
 */

import { Due } from "./engine.ts";
import type { Life } from "./node.ts";

/** Who does the errands of one name. */
export interface Agent {
  /** Does one. */
  runErrand(errand: Errand): void;
  /**
   * Takes one that a checkpoint has held into its keeping.
   *
   * @returns the errand to queue in its place, where the agent has a kind of its own
   */
  restoreErrand(errand: Errand): Errand | undefined;
}

/** One errand of a life. */
export class Errand extends Due {
  readonly name: string;
  /** What it is about, as its agent numbers it. */
  readonly id: number;
  protected readonly life: Life;

  constructor(life: Life, name: string, id: number) {
    super(life);
    this.life = life;
    this.name = name;
    this.id = id;
  }

  /** Lets it be done at a simulated time. */
  at(micros: number, tie: number): this {
    this.life.engine.queue(micros, tie, this);
    return this;
  }

  cancel(): void {
    this.life.engine.cancel(this);
  }

  run(): void {
    if (!this.cancelled) this.life.agents.get(this.name)?.runErrand(this);
  }
}
