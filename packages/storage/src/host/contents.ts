/**
 * What the component asks of an engine: reads, views, and installations, whose rows are staged on disk
 * under an identity of their own, so that a snapshot of any size needs no memory, and a commit is one
 * record of the journal. Same arguments, same refusals as the tables in memory.
 */

import {
  entriesProblem,
  limits,
  logReadProblem,
  nameProblem,
  argument,
  type Problem,
  scanProblem,
  tooManyInstalls,
  tooManyViews,
  unknownInstall,
  unknownView,
} from "../checks.ts";
import { KithError } from "@kith/core";
import type { Entry, Operation } from "../operation.ts";
import type { LogRange, Readable, ScanRange } from "../reads.ts";
import type { Engine } from "./engine.ts";
import type { Reading } from "./reading.ts";
import { rowOfKey } from "./tables-file.ts";

interface View {
  readonly namespace: string;
  readonly reading: Reading;
  close(): void;
}

interface Install {
  readonly namespace: string;
  readonly rows: number;
}

/** The contents of an open directory. */
export class Contents implements Readable {
  readonly #engine: Engine;
  readonly #views = new Map<number, View>();
  readonly #installs = new Map<number, Install>();
  #lastNumber = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  // --- reading ---------------------------------------------------------------------------------

  names(): readonly string[] {
    return this.#engine.names();
  }

  bounds(namespace: string, view?: number): ReturnType<Readable["bounds"]> {
    const at = this.#at(namespace, view);
    if ("code" in at) return at;
    const { first, last } = at.bounds;
    return { first, last };
  }

  records(range: LogRange): ReturnType<Readable["records"]> {
    const at = this.#at(range.namespace, range.view);
    if ("code" in at) return at;
    const { first, last } = at.bounds;
    const { to = last, bytesMax = limits.readBytes } = range;
    const problem = logReadProblem(range.from, to, bytesMax);
    if (problem !== null) return problem;
    const from = Math.max(range.from, first);
    const end = Math.min(to, last);
    return this.#reading(() => {
      const records: Uint8Array[] = [];
      let bytes = 0;
      for (let index = from; index <= end; index++) {
        const record = at.record(index);
        if (record === undefined) {
          return corrupt(`the record ${index} of ${range.namespace} is missing`);
        }
        bytes += record.length;
        if (bytes > bytesMax && records.length > 0) return { from, records, more: true };
        records.push(new Uint8Array(record));
      }
      return { from, records, more: false };
    });
  }

  value(namespace: string, key: Uint8Array, view?: number): ReturnType<Readable["value"]> {
    const at = this.#at(namespace, view);
    if ("code" in at) return at;
    return this.#reading(() => {
      const found = key.length > limits.keyBytesMax ? undefined : at.value(key);
      return { value: found === undefined ? null : new Uint8Array(found) };
    });
  }

  scan(range: ScanRange): ReturnType<Readable["scan"]> {
    const at = this.#at(range.namespace, range.view);
    if ("code" in at) return at;
    const { limit = Infinity, bytesMax = limits.readBytes } = range;
    const problem = scanProblem(limit, bytesMax);
    if (problem !== null) return problem;
    return this.#reading(() => {
      const entries: Entry[] = [];
      let bytes = 0;
      for (const { key, value } of at.entries(range, range.reverse === true)) {
        bytes += key.length + value.length;
        if (entries.length >= limit || (bytes > bytesMax && entries.length > 0)) {
          return { entries, more: true };
        }
        entries.push({ key: new Uint8Array(key), value: new Uint8Array(value) });
      }
      return { entries, more: false };
    });
  }

  openView(namespace: string): ReturnType<Readable["openView"]> {
    const detail = nameProblem(namespace);
    if (detail !== null) return argument(detail);
    if (this.#views.size >= limits.views) return tooManyViews();
    this.#views.set(++this.#lastNumber, { namespace, ...this.#engine.view(namespace) });
    return { view: this.#lastNumber };
  }

  closeView(view: number): void {
    this.#views.get(view)?.close();
    this.#views.delete(view);
  }

  // --- installations ---------------------------------------------------------------------------

  /** Begins to stage, and forgets what was staged for that namespace before. */
  beginInstall(namespace: string): { readonly install: number } | Problem {
    const detail = nameProblem(namespace);
    if (detail !== null) return argument(detail);
    for (const [number, install] of this.#installs) {
      if (install.namespace === namespace) this.abortInstall(number);
    }
    if (this.#installs.size >= limits.installs) return tooManyInstalls();
    this.#installs.set(++this.#lastNumber, { namespace, rows: this.#engine.newIdentity() });
    return { install: this.#lastNumber };
  }

  /** Stages entries; they are on the disk when this returns, and nobody sees them. */
  stage(number: number, entries: readonly Entry[]): Problem | null {
    const install = this.#installs.get(number);
    if (install === undefined) return unknownInstall(number);
    const problem = entriesProblem(entries);
    if (problem !== null) return problem;
    try {
      this.#engine.tables.writeNow(
        entries.map(({ key, value }) => rowOfKey(install.rows, key, value)),
      );
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const bytes = entries.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
      if (this.#engine.isFull(error, bytes))
        return { code: "KITH_STORAGE_FULL", detail: `nothing was staged: ${why}` };
      const lost: Problem = { code: "KITH_STORAGE_FLUSH", detail: `staging failed: ${why}` };
      this.#engine.die(lost);
      return lost;
    }
    return null;
  }

  /** Why an installation cannot be committed with these operations; null where it can. */
  checkInstall(number: number, operations: readonly Operation[]): Problem | null {
    const install = this.#installs.get(number);
    if (install === undefined) return unknownInstall(number);
    return this.#engine.check(install.namespace, operations, true);
  }

  /** Commits an installation that `checkInstall` has let pass. @returns the group, as `Engine.take` */
  commitInstall(number: number, operations: readonly Operation[]): number {
    const install = this.#installs.get(number);
    if (install === undefined) throw new Error(`there is no installation ${number}`);
    this.#installs.delete(number);
    const { namespace, rows } = install;
    return this.#engine.take({ namespace, operations, install: rows });
  }

  /** Forgets what was staged. */
  abortInstall(number: number): void {
    const install = this.#installs.get(number);
    this.#installs.delete(number);
    if (install !== undefined) this.#engine.discard([install.rows]);
  }

  /** Closes all views and forgets all installations: whoever had them is gone. */
  forget(): void {
    for (const view of this.#views.keys()) this.closeView(view);
    for (const number of this.#installs.keys()) this.abortInstall(number);
  }

  #at(namespace: string, view: number | undefined): Reading | Problem {
    if (view === undefined) return this.#engine.reading(namespace);
    const found = this.#views.get(view);
    return found?.namespace === namespace ? found.reading : unknownView(view, namespace);
  }

  /** What is corrupt ends the storage. */
  #reading<T>(read: () => T | Problem): T | Problem {
    let found: T | Problem;
    try {
      found = read();
    } catch (error) {
      if (!(error instanceof KithError)) {
        const why = error instanceof Error ? error.message : String(error);
        return {
          code: "KITH_STORAGE_READ",
          detail: `a read failed in ${this.#engine.path}: ${why}`,
        };
      }
      found = corrupt(error.message);
    }
    if (isCorrupt(found)) this.#engine.die(found);
    return found;
  }
}

function corrupt(detail: string): Problem {
  return { code: "KITH_STORAGE_CORRUPT", detail };
}

function isCorrupt(found: unknown): found is Problem {
  return typeof found === "object" && found !== null && "code" in found;
}
