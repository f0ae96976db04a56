/** What the suites of Registers and Store need of a world, and the components that ask in it. */

import { AskTimeout, Component } from "@kith/core";
import type { Harness } from "@kith/testing/compliance";
import {
  Apply,
  Browse,
  Commit,
  Delete,
  Get,
  Put,
  Read,
  Registers,
  Scan,
  Store,
  type StoreAnswer,
} from "../port.ts";

/**
 * How a provider is put to the test: four processes, numbered from 0. The first three hold the data; the fourth has
 * nothing but the provider. `P` is what their main components are.
 */
export interface StoreHarness<P extends Component> extends Harness {
  /** Lets something happen in the turn of a process's main component, now or soon. */
  enter(index: number, action: (peer: P) => void): void;
  /** Ends a process without a word. */
  readonly crash?: (index: number) => void;
  /** Starts one that has ended, on its data. */
  readonly restart?: (index: number) => void;
  /** Cuts processes off from all others. */
  readonly isolate?: (...indices: readonly number[]) => void;
  /** Ends that. */
  readonly mend?: () => void;
  /** Replaces the provider of a process by its like. */
  readonly swap?: (index: number) => void;
}

/** Keeps the answers to what it asks. */
export abstract class Asker extends Component {
  /** By the name that was given to the request. */
  readonly answers = new Map<string, StoreAnswer>();

  protected took(name: string, answer: StoreAnswer | AskTimeout): void {
    if (answer instanceof AskTimeout) throw new Error(`${name} was not answered`);
    if (this.answers.has(name)) throw new Error(`${name} was answered twice`);
    this.answers.set(name, answer);
  }
}

/** The main component of a process with Registers: a test derives it, and connects its provider to `registers`. */
export abstract class RegistersPeer extends Asker {
  readonly registers = this.requires(Registers);
  readonly #get = this.registers.onAnswer(Get, (answer, _, name: string) =>
    this.took(name, answer),
  );
  readonly #put = this.registers.onAnswer(Put, (answer, _, name: string) =>
    this.took(name, answer),
  );
  readonly #delete = this.registers.onAnswer(Delete, (answer, _, name: string) =>
    this.took(name, answer),
  );

  /** Asks; the answer will be found under that name. */
  ask(name: string, request: Get | Put | Delete): void {
    if (request instanceof Get) this.#get(request, { context: name });
    else if (request instanceof Put) this.#put(request, { context: name });
    else this.#delete(request, { context: name });
  }
}

/** The main component of a process with a Store: a test derives it, and connects its provider to `store`. */
export abstract class StoreUsingPeer extends Asker {
  readonly store = this.requires(Store);
  readonly #get = this.store.onAnswer(Get, (answer, _, name: string) => this.took(name, answer));
  readonly #put = this.store.onAnswer(Put, (answer, _, name: string) => this.took(name, answer));
  readonly #delete = this.store.onAnswer(Delete, (answer, _, name: string) =>
    this.took(name, answer),
  );
  readonly #apply = this.store.onAnswer(Apply, (answer, _, name: string) =>
    this.took(name, answer),
  );
  readonly #read = this.store.onAnswer(Read, (answer, _, name: string) => this.took(name, answer));
  readonly #commit = this.store.onAnswer(Commit, (answer, _, name: string) =>
    this.took(name, answer),
  );
  readonly #scan = this.store.onAnswer(Scan, (answer, _, name: string) => this.took(name, answer));

  readonly #browse = this.store.onAnswer(Browse, (answer, _, name: string) =>
    this.took(name, answer),
  );

  /** Asks; the answer will be found under that name. */
  ask(name: string, request: Get | Put | Delete | Apply | Read | Commit | Scan | Browse): void {
    if (request instanceof Get) this.#get(request, { context: name });
    else if (request instanceof Put) this.#put(request, { context: name });
    else if (request instanceof Delete) this.#delete(request, { context: name });
    else if (request instanceof Apply) this.#apply(request, { context: name });
    else if (request instanceof Read) this.#read(request, { context: name });
    else if (request instanceof Commit) this.#commit(request, { context: name });
    else if (request instanceof Scan) this.#scan(request, { context: name });
    else this.#browse(request, { context: name });
  }
}
