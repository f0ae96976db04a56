/**
 * The memory provider of Storage, for tests and for peers that need not survive their process.
 *
 * All batches of a turn share one flush: the first one of them sends the component an event of its own,
 * which lies behind everything that is queued. What waits for that flush is bounded; beyond the bound the answer
 * is Busy at once.
 */

import { Component, event, port, type ReplyToken } from "@kith/core";
import type { Problem } from "./checks.ts";
import { MemoryDisk } from "./memory-disk.ts";
import type { Operation } from "./operation.ts";
import {
  AbortInstall,
  BeginInstall,
  ChunkTaken,
  CommitInstall,
  Flushed,
  InstallBegun,
  InstallChunk,
  Storage,
  StorageFailed,
  StorageLost,
  Write,
  Written,
} from "./port.ts";
import { answerReads } from "./reads.ts";
import { Tables, type TablesState } from "./tables.ts";

/** How many batches may wait for one flush. */
const waitingMax = 4096;

/** Behind all requests that are queued: time to flush. */
class FlushDue extends event("storage/FlushDue") {}
const Flushing = port("StorageFlushing", { requests: [FlushDue] });

/** The token of a request that is answered when it is flushed. */
type WriteToken = ReplyToken<Flushed | Written | StorageFailed>;

/** What a replacement needs. */
export interface MemoryStorageState {
  readonly tables: TablesState;
  readonly waiting: readonly WriteToken[];
  readonly flushDue: boolean;
  readonly dead: Problem | null;
}

/** Keeps everything in memory, on a disk of its own; `memoryStorage(disk)` puts it on a given one. */
export class MemoryStorage extends Component {
  readonly storage = this.provides(Storage);
  protected readonly flushing = this.provides(Flushing);
  protected readonly flusher = this.requires(Flushing);
  // Nobody else knows it: when this is gone, all of it is.
  protected readonly disk: MemoryDisk = new MemoryDisk({ lasts: false });
  #waiting: WriteToken[] = [];
  #flushDue = false;
  #dead: Problem | null = null;

  constructor() {
    super();
    this.connect(this.flushing, this.flusher);
    this.flushing.on(FlushDue, () => this.#flush());
    this.#answerWrites();
    answerReads(this.storage, () => this.#dead ?? this.disk.tables);
    this.#answerInstalls();
  }

  exportState(): MemoryStorageState {
    return {
      tables: this.disk.tables.exportState(),
      waiting: this.#waiting,
      flushDue: this.#flushDue,
      dead: this.#dead,
    };
  }

  importState(state: MemoryStorageState): void {
    this.disk.tables = Tables.fromState(state.tables);
    this.#waiting = [...state.waiting];
    this.#flushDue = state.flushDue;
    this.#dead = state.dead;
  }

  #answerWrites(): void {
    this.storage.on(Write, ({ namespace, operations, flush = true }, token) => {
      const problem = this.#refusal(operations) ?? this.disk.tables.check(namespace, operations);
      if (problem !== null) {
        this.storage.reply(token, new StorageFailed(problem));
        return;
      }
      this.disk.tables.apply(namespace, operations);
      if (flush) this.#flushFor(token);
      else this.storage.reply(token, new Written());
    });
  }

  #answerInstalls(): void {
    this.storage.on(BeginInstall, ({ namespace }, token) => {
      const begun = this.#dead ?? this.disk.tables.beginInstall(namespace);
      this.storage.reply(
        token,
        "code" in begun ? new StorageFailed(begun) : new InstallBegun(begun),
      );
    });
    this.storage.on(InstallChunk, ({ install, entries }, token) => {
      const bytes = entries.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
      const problem = this.#dead ?? this.#full(bytes) ?? this.disk.tables.stage(install, entries);
      this.storage.reply(token, problem === null ? new ChunkTaken() : new StorageFailed(problem));
    });
    this.storage.on(CommitInstall, ({ install, operations }, token) => {
      const problem =
        this.#refusal(operations) ?? this.disk.tables.checkInstall(install, operations);
      if (problem !== null) {
        this.storage.reply(token, new StorageFailed(problem));
        return;
      }
      this.disk.tables.commitInstall(install, operations);
      this.#flushFor(token);
    });
    this.storage.on(AbortInstall, ({ install }) => this.disk.tables.abortInstall(install));
  }

  /** Why a batch is refused, whatever is in it. */
  #refusal(operations: readonly Operation[]): Problem | null {
    if (this.#dead !== null) return this.#dead;
    if (this.#waiting.length >= waitingMax) {
      return { code: "KITH_STORAGE_BUSY", detail: `${waitingMax} batches wait to be flushed` };
    }
    return this.#full(this.disk.tables.growth(operations));
  }

  #full(bytes: number): Problem | null {
    if (this.disk.hasRoom(bytes) || bytes === 0) return null;
    return { code: "KITH_STORAGE_FULL", detail: `there is no room for ${bytes} bytes more` };
  }

  #flushFor(token: WriteToken): void {
    this.#waiting.push(token);
    if (this.#flushDue) return;
    this.#flushDue = true;
    this.flusher.trigger(new FlushDue());
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#flushDue = false;
    if (this.disk.flush()) {
      for (const token of waiting) this.storage.reply(token, new Flushed());
      return;
    }
    this.#dead = { code: "KITH_STORAGE_FLUSH", detail: "a flush failed" };
    for (const token of waiting) this.storage.reply(token, new StorageFailed(this.#dead));
    this.storage.trigger(new StorageLost(this.#dead));
  }
}

/** A memory provider on a given disk, which outlives it. */
export function memoryStorage(disk: MemoryDisk): new () => MemoryStorage {
  return class extends MemoryStorage {
    protected override readonly disk = disk;
  };
}
