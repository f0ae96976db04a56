/**
 * The simulated provider of `Workload`: hands calls to the components of a node, and their outcomes
 * and facts to the run that the simulation belongs to.
 */

import { Component } from "@kith/core";
import type { Engine } from "../engine.ts";
import { simError } from "../errors.ts";
import { type Life, lifeOf } from "../node.ts";
import { Fact, type Perform, Performed, Workload } from "./port.ts";

/** Who stands behind the desks of all nodes. */
export interface Office {
  /** A desk has opened: what it gives takes calls. */
  opened(life: Life, call: (perform: Perform) => void): void;
  performed(life: Life, performed: Performed): void;
  stated(life: Life, fact: Fact): void;
}

const offices = new WeakMap<Engine, Office>();

/** Puts somebody behind the desks of a simulation. */
export function staff(engine: Engine, office: Office): void {
  offices.set(engine, office);
}

/** The Workload of one life of a node. */
export class Desk extends Component {
  readonly workload = this.provides(Workload);
  readonly #call = this.entrance((perform: Perform) => this.workload.trigger(perform));

  constructor() {
    super();
    const life = lifeOf(this.host);
    const office = offices.get(life.engine);
    if (office === undefined)
      throw simError("KITH_SIM_ARGUMENT", "A desk was created outside of a scenario's run.");
    this.workload.on(Performed, (performed) => office.performed(life, performed));
    this.workload.on(Fact, (fact) => office.stated(life, fact));
    this.onAcquire(() => office.opened(life, this.#call));
  }
}
