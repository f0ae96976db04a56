/**
 * The storage of a directory, below the component: the journal, the layers of memory, the tables on disk.
 *
 * A batch is checked, given room in the journal, copied into the open group and applied to the layer in
 * memory; so it is visible at once. A group is written as one frame and flushed, one group after the
 * other; the journal's frame is the commit. When a segment is large enough, the layer is frozen with its
 * last frame, written into the tables in slices (`checkpoint.ts`), and the segment is removed.
 *
 * Invariants: the tables hold nothing that is not on the disk in the journal first; whatever a reader
 * sees is the rows, covered by the frozen layer, covered by the live one. Nothing is taken after `lost`.
 */

import { KithError } from "@kith/core";
import { join } from "node:path";
import { checkBatch, type Problem } from "../checks.ts";
import { storageError, type StorageErrorCode } from "../errors.ts";
import type { Operation } from "../operation.ts";
import { type Batch, batchBytes, decodeGroup, GroupWriter } from "./batch-codec.ts";
import { garbageRows, metaRowsOf, outcomeOf, type Outcome, rowsOf, slice } from "./checkpoint.ts";
import { lock, openDirectory, unlock } from "./directory.ts";
import type { Files } from "./files.ts";
import { writeSafe, readSafe } from "./journal-format.ts";
import { isFull, Journal } from "./journal.ts";
import { type Below, Layer, nothing } from "./layer.ts";
import { Reading } from "./reading.ts";
import { type Row, isDamage, rowOfSystem, TablesFile } from "./tables-file.ts";

/** What an engine is opened with. */
export interface EngineOptions {
  readonly directory: string;
  /** Bytes that may wait for a flush. */
  readonly pendingBytesMax: number;
  /** Bytes of a segment after which the layer goes into the tables. */
  readonly checkpointBytes: number;
  /** How much room is made in the journal at a time. */
  readonly reserveBytes: number;
}

/** Who is told what happens later. */
export interface Owner {
  /** Groups have reached the disk. */
  flushed(): void;
  /** The storage is dead. */
  lost(problem: Problem): void;
  /** Something that people should know. */
  warn(text: string): void;
}

/** What an engine has done, since it was opened. */
export interface Counters {
  /** Flushes of the journal. */
  readonly flushes: number;
  /** Batches that were taken. */
  readonly batches: number;
  /** Bytes of frames. */
  readonly bytes: number;
  /** Checkpoints that have ended. */
  readonly checkpoints: number;
}

/** What was written without a flush is flushed when it is so much. */
const writeBackBytes = 1024 * 1024;
/** How much the journal grows before the tables are tried again. */
const retryBytes = 1024 * 1024;
/** How often in succession they may fail, for want of anything but room. */
const failuresMax = 5;

/** What lmdb may want beside the rows of a transaction. */
const slackBytes = 4 * 1024 * 1024;
const ioCodes: ReadonlySet<unknown> = new Set([5, "EIO"]);

/** An open directory. */
export class Engine {
  readonly path: string;
  #options: EngineOptions;
  readonly #files: Files;
  readonly #tables: TablesFile;
  readonly #journal: Journal;
  readonly #writer = new GroupWriter();
  #owner: Owner | null = null;
  #active = new Layer();
  #frozen: Layer | null = null;
  /** What the checkpoint of the frozen layer will have done: the same at each try. */
  #outcome: Outcome | null = null;
  #lastIdentity = 0;
  #garbage: number[] = [];
  #lost: Problem | null = null;
  /** Groups that were written, and those of them that are on the disk. */
  #sealed = 0;
  #durable = 0;
  #inFlight = 0;
  #jobs = 0;
  /** Whether a checkpoint should come soon: what it frees may be what is missing. */
  #hurry = false;
  /** The size of the segment at which a checkpoint that failed is tried again. */
  #retryAt = 0;
  #failures = 0;
  #closing = false;
  #whenIdle: (() => void) | null = null;
  readonly #counters = { flushes: 0, batches: 0, bytes: 0, checkpoints: 0 };

  /** Opens a directory. Throws `KITH_STORAGE_OPEN`, `_LOCKED`, `_FORMAT` or `_CORRUPT`. */
  constructor(files: Files, options: EngineOptions, warn: (text: string) => void) {
    this.#files = files;
    this.#options = options;
    let tables: TablesFile | undefined;
    let locked = false;
    try {
      this.path = openDirectory(files, options.directory);
      this.#tables = tables = new TablesFile(files, join(this.path, "tables"));
      lock(tables, this.path);
      locked = true;
      tables.load();
      this.#journal = this.#recover(warn);
    } catch (error) {
      if (locked) this.#unlock();
      void tables?.close();
      if (error instanceof KithError) throw error;
      throw storageError(
        startCode(error),
        `${options.directory} cannot be opened: ${textOf(error)}.`,
        error,
      );
    }
    this.#work();
  }

  // --- what is there ---------------------------------------------------------------------------

  /** Why nothing is taken any more. */
  get lost(): Problem | null {
    return this.#lost;
  }

  /** What was done. */
  get counters(): Counters {
    return { ...this.#counters };
  }

  /** The tables, for what is staged and viewed. */
  get tables(): TablesFile {
    return this.#tables;
  }

  /** The names of the namespaces that exist, in order. */
  names(): string[] {
    const names = new Set(this.#tables.metas.keys());
    for (const layer of [this.#frozen, this.#active]) {
      for (const [name, { exists }] of layer?.namespaces ?? []) {
        if (exists) names.add(name);
        else names.delete(name);
      }
    }
    return [...names].sort();
  }

  /** A namespace as it is now. */
  reading(name: string): Reading {
    const layers = [this.#active.namespaces.get(name), this.#frozen?.namespaces.get(name)];
    return new Reading(
      layers.filter((layer) => layer !== undefined),
      this.#tables.metas.get(name),
      this.#tables.rows(),
    );
  }

  /** A namespace as it is now, whatever is written later, until it is closed. */
  view(name: string): { readonly reading: Reading; close(): void } {
    const reader = this.#tables.reader();
    const layers = [
      this.#active.namespaces.get(name)?.snapshot(),
      this.#frozen?.namespaces.get(name),
    ];
    const reading = new Reading(
      layers.filter((layer) => layer !== undefined),
      this.#tables.metas.get(name),
      this.#tables.rows(reader),
    );
    return { reading, close: () => reader.done() };
  }

  /** A new identity for rows. */
  newIdentity(): number {
    return ++this.#lastIdentity;
  }

  /** The rows of these identities are not needed any more. */
  discard(ids: readonly number[]): void {
    this.#garbage.push(...ids);
    this.#work();
  }

  // --- batches ---------------------------------------------------------------------------------

  /** Why a batch cannot be taken; null where there is room for it now. */
  check(namespace: string, operations: readonly Operation[], installs = false): Problem | null {
    const problem =
      this.#lost ??
      checkBatch(namespace, operations, (name) => this.#below(name, [this.#active, this.#frozen]));
    if (problem !== null || (operations.length === 0 && !installs)) return problem;
    const bytes = batchBytes(namespace, operations);
    const waiting = this.#writer.bytes + this.#inFlight;
    if (waiting > 0 && waiting + bytes > this.#options.pendingBytesMax) {
      return { code: "KITH_STORAGE_BUSY", detail: `${waiting} bytes wait for a flush` };
    }
    const { checkpointBytes, pendingBytesMax } = this.#options;
    if (this.#frozen !== null && this.#journal.bytes > checkpointBytes + pendingBytesMax) {
      // The journal does not grow now, so no flush would try again what has failed.
      this.#work();
      return { code: "KITH_STORAGE_BUSY", detail: "the tables lag behind the journal" };
    }
    const grows = operations.some(({ kind }) => kind === "put" || kind === "append");
    const refused = this.#journal.reserve(this.#writer.bytes + bytes + 64, !grows);
    if (refused?.code === "KITH_STORAGE_FULL") this.#hurry = true;
    else if (refused !== null) this.die(refused);
    return refused;
  }

  /**
   * Takes a batch that `check` has let pass.
   *
   * @returns the group that has to reach the disk before it is durable
   */
  take(batch: Batch): number {
    if (batch.operations.length > 0 || batch.install !== null) {
      this.#active.apply(this.#writer.add(batch), (name) => this.#below(name, [this.#frozen]));
      this.#counters.batches++;
    }
    return this.#writer.bytes > 0 ? this.#sealed + 1 : this.#sealed;
  }

  /** Whether a group is on the disk. */
  isDurable(group: number): boolean {
    return group <= this.#durable;
  }

  /** Whether what was written without a flush should have one now. */
  get wantsFlush(): boolean {
    return this.#writer.bytes >= writeBackBytes;
  }

  /** Flushes what was taken, now or after the flush that is under way; then tells the owner. */
  flush(): void {
    if (this.#inFlight > 0 || this.#lost !== null || this.#writer.bytes === 0) return;
    const bytes = this.#writer.bytes;
    let freezes: boolean;
    try {
      this.#journal.append(this.#writer.take());
      const due = this.#hurry || this.#journal.bytes >= this.#options.checkpointBytes;
      freezes = due && this.#frozen === null && this.#journal.turn();
    } catch (error) {
      this.#lose(error);
      return;
    }
    const group = ++this.#sealed;
    this.#inFlight = bytes;
    // The layer ends where the segment ends.
    if (freezes) {
      this.#frozen = this.#active;
      this.#active = new Layer();
      this.#hurry = false;
      this.#retryAt = 0;
    }
    this.#journal.flush((error) => this.#landed(group, bytes, freezes, error));
  }

  #landed(group: number, bytes: number, freezes: boolean, error: Error | null): void {
    this.#inFlight = 0;
    if (error !== null) this.#lose(error);
    if (this.#lost !== null) {
      this.#idle();
      return;
    }
    this.#durable = group;
    this.#counters.flushes++;
    this.#counters.bytes += bytes;
    if (freezes) {
      try {
        this.#journal.rotate();
      } catch (failure) {
        this.#lose(failure);
        this.#idle();
        return;
      }
    }
    if (this.#frozen !== null && (this.#hurry || this.#journal.bytes >= this.#retryAt)) {
      this.#hurry = false;
      this.#work();
    }
    this.#owner?.flushed();
    this.#idle();
  }

  #below(name: string, layers: readonly (Layer | null)[]): Below {
    for (const layer of layers) {
      const found = layer?.namespaces.get(name);
      if (found !== undefined) return found;
    }
    const meta = this.#tables.metas.get(name);
    return meta === undefined ? nothing : { exists: true, first: meta.first, last: meta.last };
  }

  // --- the tables ------------------------------------------------------------------------------

  /** Writes into the tables what waits for it, one thing after the other. */
  #work(): void {
    // Not before the last frame of the layer is on the disk, and the next segment has begun.
    if (this.#jobs > 0 || this.#lost !== null || this.#closing || this.#journal.turning) return;
    const frozen = this.#frozen;
    let job: Promise<void>;
    if (frozen !== null) job = this.#checkpoint(frozen);
    else if (this.#garbage.length > 0) job = this.#collect();
    else return;
    this.#jobs++;
    void job
      .catch((error: unknown) => this.#failed(error))
      .then(() => {
        this.#jobs--;
        // One that failed for want of room waits for the next flush.
        if (this.#retryAt === 0) this.#work();
        this.#idle();
      });
  }

  async #checkpoint(layer: Layer): Promise<void> {
    this.#retryAt = 0;
    const outcome = (this.#outcome ??= outcomeOf(layer, this.#tables, () => this.newIdentity()));
    if (!(await this.#write(rowsOf(layer, outcome, this.#tables)))) return;
    const number = this.#journal.number;
    await this.#tables.write([...metaRowsOf(outcome), checkpointRow(number)]);
    this.#settle(outcome);
    this.#frozen = this.#outcome = null;
    this.#failures = 0;
    this.#counters.checkpoints++;
    this.#journal.forgetBefore(number);
  }

  #settle({ metas, garbage }: Outcome): void {
    for (const [name, meta] of metas) {
      if (meta === null) this.#tables.metas.delete(name);
      else this.#tables.metas.set(name, meta);
    }
    this.#garbage.push(...garbage);
  }

  async #collect(): Promise<void> {
    const ids = [...this.#garbage];
    const waits = (): boolean => this.#frozen !== null;
    if (await this.#write(garbageRows(ids, this.#tables), waits))
      this.#garbage.splice(0, ids.length);
  }

  /** @returns whether all rows are written: not where something else comes first, or the end */
  async #write(rows: Iterator<Row>, waits = (): boolean => false): Promise<boolean> {
    while (this.#lost === null && !this.#closing && !waits()) {
      const some = slice(rows);
      if (some.length === 0) return true;
      await this.#tables.write(some);
    }
    return false;
  }

  /**
   * The tables could not be written. Nothing is lost, for the journal has it all: it is tried again when
   * the journal has grown, and not for ever where the device is not simply full.
   */
  #failed(error: unknown): void {
    const full = this.isFull(error);
    if (!full) this.#failures++;
    if (isCorrupt(error) || this.#failures >= failuresMax) {
      this.#lose(error);
      return;
    }
    this.#retryAt = this.#journal.bytes + retryBytes;
    const why = full ? "the device is full" : textOf(error);
    this.#owner?.warn(`The tables in ${this.path} could not be written: ${why}.`);
  }

  /**
   * Whether a write into the tables failed for want of room. lmdb calls it an input/output error when
   * only a part of its pages found room.
   *
   * @param bytes how many were written
   */
  isFull(error: unknown, bytes = 0): boolean {
    if (isFull(error)) return true;
    const short = error instanceof Error && ioCodes.has(Reflect.get(error, "code"));
    return short && this.#files.free(this.path) < bytes + slackBytes;
  }

  #lose(error: unknown): void {
    if (this.#lost !== null) return;
    const code = isCorrupt(error) ? "KITH_STORAGE_CORRUPT" : "KITH_STORAGE_FLUSH";
    this.die({ code, detail: `A write or flush failed in ${this.path}: ${textOf(error)}` });
  }

  /** Ends the storage: nothing is taken any more, and the owner is told. */
  die(problem: Problem): void {
    if (this.#lost !== null) return;
    this.#lost = problem;
    this.#owner?.lost(problem);
  }

  // --- life ------------------------------------------------------------------------------------

  /** From now on, this one is told. */
  attach(owner: Owner | null): void {
    this.#owner = owner;
  }

  /**
   * Closes the directory and gives it to others, when what is under way has ended. What was taken is
   * flushed before.
   *
   * @param closed is called then
   */
  close(closed: () => void): void {
    this.#closing = true;
    if (this.#lost === null) this.flush();
    this.#whenIdle = () => {
      this.#journal.close();
      this.#unlock();
      void this.#tables.close().finally(closed);
    };
    this.#idle();
  }

  #unlock(): void {
    try {
      unlock(this.#tables);
    } catch {
      // The next user sees that this process has gone.
    }
  }

  /** Lets it go on after all: somebody has taken the directory again. */
  reopen(options: EngineOptions): void {
    this.#closing = false;
    this.#whenIdle = null;
    this.#options = options;
    this.#work();
  }

  #idle(): void {
    const whenIdle = this.#whenIdle;
    if (whenIdle === null || this.#jobs > 0 || this.#inFlight > 0) return;
    if (this.#writer.bytes > 0 && this.#lost === null) {
      this.flush();
      if (this.#inFlight > 0) return;
    }
    this.#whenIdle = null;
    whenIdle();
  }

  #recover(warn: (text: string) => void): Journal {
    const row = this.#tables.system("checkpoint");
    const from = row === undefined ? null : readSafe(row, 0);
    const { reserveBytes } = this.#options;
    const { journal, payloads, torn } = Journal.open(this.#files, this.path, reserveBytes, from);
    try {
      if (from === null) this.#tables.writeNow([checkpointRow(journal.number)]);
      this.#replay(payloads);
    } catch (error) {
      journal.close();
      throw error;
    }
    if (torn > 0) {
      const what = `${torn} bytes of a frame that was never finished were cut off`;
      warn(`The journal of ${this.path} ended in a torn frame: ${what}.`);
    }
    return journal;
  }

  #replay(payloads: readonly Buffer[]): void {
    const used = new Set<number>();
    for (const { keys, log } of this.#tables.metas.values()) used.add(keys).add(log);
    try {
      for (const payload of payloads) {
        for (const batch of decodeGroup(payload)) {
          this.#active.apply(batch, (name) => this.#below(name, []));
          if (batch.install !== null) used.add(batch.install);
        }
      }
    } catch (cause) {
      const what = `${this.path}: the journal holds a frame that is valid and makes no sense.`;
      throw storageError("KITH_STORAGE_CORRUPT", what, cause);
    }
    const stored = this.#tables.identities();
    this.#lastIdentity = [...stored, ...used].reduce((a, b) => Math.max(a, b), 0);
    // Of installations and checkpoints that did not come to their end.
    this.#garbage = [...stored].filter((id) => !used.has(id));
  }
}

/** What keeps a start from going on: damage, as lmdb says, or what the host does not let it do. */
function startCode(error: unknown): StorageErrorCode {
  return isDamage(error) ? "KITH_STORAGE_CORRUPT" : "KITH_STORAGE_OPEN";
}

function isCorrupt(error: unknown): boolean {
  return error instanceof KithError && error.code === "KITH_STORAGE_CORRUPT";
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function checkpointRow(number: number): Row {
  const value = Buffer.alloc(8);
  writeSafe(value, number, 0);
  return rowOfSystem("checkpoint", value);
}
