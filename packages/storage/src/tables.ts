/**
 * What a Storage holds, as a pure data structure: namespaces of a log and keys, views and staged
 * installations. Providers that keep their data in memory (the memory provider, a simulated disk) are
 * a component around it.
 *
 * A batch is checked as a whole before anything is applied, so that applying cannot fail half way. A copy of
 * everything costs nothing until one of the two is written to; so views are copies, and so is what
 * a provider keeps as its durable state.
 */

import {
  argument,
  checkBatch,
  entriesProblem,
  growthOf,
  limits,
  logReadProblem,
  nameProblem,
  type Problem,
  scanProblem,
  tooManyInstalls,
  tooManyViews,
  unknownInstall,
  unknownView,
} from "./checks.ts";
import type { Entry, Operation } from "./operation.ts";
import type { LogRange, ScanRange } from "./reads.ts";
import { RecordLog } from "./record-log.ts";
import { SortedMap } from "./sorted-map.ts";

/** One namespace. */
interface Namespace {
  readonly log: RecordLog;
  keys: SortedMap;
}

interface View extends Namespace {
  readonly namespace: string;
}

interface Install {
  readonly namespace: string;
  readonly keys: SortedMap;
}

/** A namespace as plain data. */
interface NamespaceState {
  readonly first: number;
  readonly records: readonly Uint8Array[];
  readonly entries: readonly Entry[];
}

/** All tables as plain data. */
export interface TablesState {
  readonly namespaces: ReadonlyMap<string, NamespaceState>;
  readonly views: ReadonlyMap<number, NamespaceState & { readonly namespace: string }>;
  readonly installs: ReadonlyMap<
    number,
    { readonly namespace: string; readonly entries: readonly Entry[] }
  >;
  readonly lastNumber: number;
}

/** The tables. Arguments are copied where they are kept, results where they are handed out. */
export class Tables {
  readonly #namespaces = new Map<string, Namespace>();
  readonly #views = new Map<number, View>();
  readonly #installs = new Map<number, Install>();
  #lastNumber = 0;

  /** How many bytes keys, values and records have. */
  get bytes(): number {
    let bytes = 0;
    for (const { log, keys } of this.#namespaces.values()) bytes += log.bytes + keys.bytes;
    for (const { keys } of this.#installs.values()) bytes += keys.bytes;
    return bytes;
  }

  /** The names of the namespaces that exist, in order. */
  names(): string[] {
    return [...this.#namespaces.keys()].sort();
  }

  // --- batches ---------------------------------------------------------------------------------

  /** Why a batch cannot be applied; null where it can. */
  check(namespace: string, operations: readonly Operation[]): Problem | null {
    return checkBatch(namespace, operations, (name) => this.#namespaces.get(name)?.log);
  }

  /** How many bytes a batch can add at most. */
  growth(operations: readonly Operation[]): number {
    return growthOf(operations);
  }

  /** Applies a batch that `check` has let pass. */
  apply(namespace: string, operations: readonly Operation[]): void {
    for (const operation of operations) this.#apply(operation.namespace ?? namespace, operation);
  }

  #apply(name: string, operation: Operation): void {
    switch (operation.kind) {
      case "append":
        this.#open(name).log.append(copyOf(operation.record));
        return;
      case "truncate":
        this.#namespaces.get(name)?.log.truncate(operation.from);
        return;
      case "cut":
        this.#open(name).log.cut(operation.to);
        return;
      case "put":
        this.#open(name).keys.set(copyOf(operation.key), copyOf(operation.value));
        return;
      case "delete":
        this.#namespaces.get(name)?.keys.delete(operation.key);
        return;
      case "delete-range":
        this.#namespaces.get(name)?.keys.deleteRange(operation);
        return;
      case "drop":
        this.#namespaces.delete(name);
    }
  }

  // --- reading ---------------------------------------------------------------------------------

  /** The bounds of a log. */
  bounds(
    namespace: string,
    view?: number,
  ): { readonly first: number; readonly last: number } | Problem {
    const at = this.#at(namespace, view);
    return "code" in at ? at : { first: at.log.first, last: at.log.last };
  }

  /** Records from `from` to `to`. */
  records(
    request: LogRange,
  ):
    | { readonly from: number; readonly records: readonly Uint8Array[]; readonly more: boolean }
    | Problem {
    const at = this.#at(request.namespace, request.view);
    if ("code" in at) return at;
    const { to = at.log.last, bytesMax = limits.readBytes } = request;
    const problem = logReadProblem(request.from, to, bytesMax);
    if (problem !== null) return problem;
    const from = Math.max(request.from, at.log.first);
    const end = Math.min(to, at.log.last);
    const records: Uint8Array[] = [];
    let bytes = 0;
    for (let index = from; index <= end; index++) {
      const record = at.log.at(index);
      if (record === undefined) break;
      bytes += record.length;
      if (bytes > bytesMax && records.length > 0) return { from, records, more: true };
      records.push(copyOf(record));
    }
    return { from, records, more: false };
  }

  /** The value of a key, or null. */
  value(
    namespace: string,
    key: Uint8Array,
    view?: number,
  ): { readonly value: Uint8Array | null } | Problem {
    const at = this.#at(namespace, view);
    if ("code" in at) return at;
    const found = at.keys.get(key);
    return { value: found === undefined ? null : copyOf(found) };
  }

  /** Keys and values of a range. */
  scan(
    request: ScanRange,
  ): { readonly entries: readonly Entry[]; readonly more: boolean } | Problem {
    const at = this.#at(request.namespace, request.view);
    if ("code" in at) return at;
    const { limit = Infinity, bytesMax = limits.readBytes } = request;
    const problem = scanProblem(limit, bytesMax);
    if (problem !== null) return problem;
    const entries: Entry[] = [];
    let bytes = 0;
    let more = false;
    at.keys.scan(request, request.reverse === true, (key, value) => {
      bytes += key.length + value.length;
      more = entries.length >= limit || (bytes > bytesMax && entries.length > 0);
      if (!more) entries.push({ key: copyOf(key), value: copyOf(value) });
      return !more;
    });
    return { entries, more };
  }

  // --- views -----------------------------------------------------------------------------------

  /** Opens a view. */
  openView(namespace: string): { readonly view: number } | Problem {
    const detail = nameProblem(namespace);
    if (detail !== null) return argument(detail);
    if (this.#views.size >= limits.views) return tooManyViews();
    const { log, keys } = this.#namespaces.get(namespace) ?? emptyNamespace();
    this.#views.set(++this.#lastNumber, { namespace, log: log.snapshot(), keys: keys.snapshot() });
    return { view: this.#lastNumber };
  }

  /** Closes a view, if it is open. */
  closeView(view: number): void {
    this.#views.delete(view);
  }

  // --- installations ---------------------------------------------------------------------------

  /** Begins to stage, and forgets what was staged for that namespace before. */
  beginInstall(namespace: string): { readonly install: number } | Problem {
    const detail = nameProblem(namespace);
    if (detail !== null) return argument(detail);
    for (const [number, install] of this.#installs) {
      if (install.namespace === namespace) this.#installs.delete(number);
    }
    if (this.#installs.size >= limits.installs) return tooManyInstalls();
    this.#installs.set(++this.#lastNumber, { namespace, keys: new SortedMap() });
    return { install: this.#lastNumber };
  }

  /** The namespace of an installation that is under way. */
  installing(number: number): string | undefined {
    return this.#installs.get(number)?.namespace;
  }

  /** Stages entries. */
  stage(number: number, entries: readonly Entry[]): Problem | null {
    const install = this.#installs.get(number);
    if (install === undefined) return unknownInstall(number);
    const problem = entriesProblem(entries);
    if (problem !== null) return problem;
    for (const { key, value } of entries) install.keys.set(copyOf(key), copyOf(value));
    return null;
  }

  /** Why an installation cannot be committed with these operations; null where it can. */
  checkInstall(number: number, operations: readonly Operation[]): Problem | null {
    const install = this.#installs.get(number);
    return install === undefined
      ? unknownInstall(number)
      : this.check(install.namespace, operations);
  }

  /** Commits an installation that `checkInstall` has let pass. */
  commitInstall(number: number, operations: readonly Operation[]): void {
    const install = this.#installs.get(number);
    if (install === undefined) return;
    this.#installs.delete(number);
    this.#open(install.namespace).keys = install.keys;
    this.apply(install.namespace, operations);
  }

  /** Forgets what was staged. */
  abortInstall(number: number): void {
    this.#installs.delete(number);
  }

  // --- copies ----------------------------------------------------------------------------------

  /**
   * The namespaces as they are now, without views and installations: what a disk has after a flush. Costs
   * nothing but for what either of the two writes to later.
   */
  snapshot(): Tables {
    const copy = new Tables();
    for (const [name, { log, keys }] of this.#namespaces) {
      copy.#namespaces.set(name, { log: log.snapshot(), keys: keys.snapshot() });
    }
    // A number from before is never that of another view.
    copy.#lastNumber = this.#lastNumber;
    return copy;
  }

  /**
   * Everything as it is now, with views and installations: what a checkpoint keeps by reference. Costs
   * as little as a snapshot.
   */
  fork(): Tables {
    const copy = this.snapshot();
    for (const [number, { namespace, log, keys }] of this.#views) {
      copy.#views.set(number, { namespace, log: log.snapshot(), keys: keys.snapshot() });
    }
    for (const [number, { namespace, keys }] of this.#installs) {
      copy.#installs.set(number, { namespace, keys: keys.snapshot() });
    }
    return copy;
  }

  /** Everything as plain data, shared with nobody. */
  exportState(): TablesState {
    return {
      namespaces: mapped(this.#namespaces, plain),
      views: mapped(this.#views, (view) => ({ ...plain(view), namespace: view.namespace })),
      installs: mapped(this.#installs, ({ namespace, keys }) => ({
        namespace,
        entries: entriesOf(keys),
      })),
      lastNumber: this.#lastNumber,
    };
  }

  /** Tables with that content. */
  static fromState(state: TablesState): Tables {
    const tables = new Tables();
    for (const [name, of] of state.namespaces) tables.#namespaces.set(name, restored(of));
    for (const [number, of] of state.views) {
      tables.#views.set(number, { ...restored(of), namespace: of.namespace });
    }
    for (const [number, { namespace, entries }] of state.installs) {
      tables.#installs.set(number, { namespace, keys: keysOf(entries) });
    }
    tables.#lastNumber = state.lastNumber;
    return tables;
  }

  #at(namespace: string, number: number | undefined): Namespace | Problem {
    if (number === undefined) return this.#namespaces.get(namespace) ?? noNamespace;
    const view = this.#views.get(number);
    if (view?.namespace === namespace) return view;
    return unknownView(number, namespace);
  }

  #open(name: string): Namespace {
    let found = this.#namespaces.get(name);
    if (found === undefined) this.#namespaces.set(name, (found = emptyNamespace()));
    return found;
  }
}

/** Never written to. */
const noNamespace: Namespace = emptyNamespace();

function emptyNamespace(): Namespace {
  return { log: new RecordLog(), keys: new SortedMap() };
}

/** A copy of the plain class, whatever class of byte array it was. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

function entriesOf(keys: SortedMap): Entry[] {
  const entries: Entry[] = [];
  keys.scan(
    {},
    false,
    (key, value) => entries.push({ key: copyOf(key), value: copyOf(value) }) > 0,
  );
  return entries;
}

function keysOf(entries: readonly Entry[]): SortedMap {
  const keys = new SortedMap();
  for (const { key, value } of entries) keys.set(copyOf(key), copyOf(value));
  return keys;
}

function plain({ log, keys }: Namespace): NamespaceState {
  const records: Uint8Array[] = [];
  for (let index = log.first; index <= log.last; index++)
    records.push(copyOf(log.at(index) ?? new Uint8Array(0)));
  return { first: log.first, records, entries: entriesOf(keys) };
}

function restored({ first, records, entries }: NamespaceState): Namespace {
  const log = new RecordLog();
  log.cut(first - 1);
  for (const record of records) log.append(copyOf(record));
  return { log, keys: keysOf(entries) };
}

function mapped<K, V, W>(map: ReadonlyMap<K, V>, to: (value: V) => W): Map<K, W> {
  return new Map([...map].map(([key, value]) => [key, to(value)]));
}
