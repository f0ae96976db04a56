/**
 * The engines of this process, by directory, so that one component has a directory at a time.
 *
 * A component that releases its engine parks it: the one that replaces it takes it over in the same
 * step, with whatever is in flight. An engine that nobody has taken when the host comes round is closed.
 */

import * as fs from "node:fs";
import { storageError } from "../errors.ts";
import { Contents } from "./contents.ts";
import { Engine, type EngineOptions, type Owner } from "./engine.ts";
import type { Files } from "./files.ts";

/** An engine that somebody uses, with what its users have open. */
export class Lease {
  /** Tells this lease from all others of the process. */
  readonly number: number;
  readonly engine: Engine;
  readonly contents: Contents;
  /** Closes it when the host comes round; null where somebody uses it. */
  #parked: NodeJS.Immediate | null = null;

  /** Opens the engine. */
  constructor(number: number, engine: Engine) {
    this.number = number;
    this.engine = engine;
    this.contents = new Contents(engine);
  }

  /** Whether nobody uses it. */
  get parked(): boolean {
    return this.#parked !== null;
  }

  /** Hands it to a component. */
  give(owner: Owner, options: EngineOptions): void {
    if (this.#parked !== null) clearImmediate(this.#parked);
    this.#parked = null;
    this.engine.reopen(options);
    this.engine.attach(owner);
  }

  /** Takes it back from a component. What was taken is flushed. */
  park(): void {
    this.engine.attach(null);
    this.engine.flush();
    this.#parked = setImmediate(() => this.close());
  }

  /** Closes it, unless somebody takes it before all has ended. */
  close(): void {
    this.contents.forget();
    this.engine.close(() => {
      if (leases.get(this.engine.path) === this) leases.delete(this.engine.path);
    });
  }
}

const leases = new Map<string, Lease>();
let lastNumber = 0;

/**
 * Opens a directory for a component, or takes over its engine from the component that had it before.
 *
 * @param number the lease of the component that this one replaces: its views and installations are kept
 */
export function lease(
  files: Files,
  options: EngineOptions,
  owner: Owner,
  number: number | null,
): Lease {
  const before = leases.get(pathOf(options.directory));
  if (before !== undefined) {
    if (!before.parked) {
      const what = `${before.engine.path} is in use by another component of this process.`;
      throw storageError("KITH_STORAGE_LOCKED", what);
    }
    if (before.number === number || before.engine.lost === null) {
      if (before.number !== number) before.contents.forget();
      before.give(owner, options);
      return before;
    }
    // What it holds in memory is more than what is known to be on the disk.
    before.close();
    leases.delete(before.engine.path);
  }
  const opened = new Lease(++lastNumber, new Engine(files, options, (text) => owner.warn(text)));
  leases.set(opened.engine.path, opened);
  opened.give(owner, options);
  return opened;
}

function pathOf(directory: string): string {
  try {
    return fs.realpathSync(directory);
  } catch {
    return directory;
  }
}
