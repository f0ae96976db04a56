/**
 * The durable provider of Storage: a directory with a journal and the tables of lmdb.
 *
 * A request takes effect in its handler, and is answered there, but for what waits for a flush. The first
 * batch of a turn sends the component an event that lies behind everything that is queued. When that has
 * come and the host comes round, so that the other components have had their turns too, all that was
 * written goes to the disk as one frame, with one flush, which runs off this thread. What comes
 * meanwhile shares the next one.
 */

import { Component, event, port, type ReplyToken } from "@kith/core";
import type { Problem } from "../checks.ts";
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
} from "../port.ts";
import { answerReads } from "../reads.ts";
import { storageError } from "../errors.ts";
import type { Counters, EngineOptions } from "./engine.ts";
import { type Files, hostFiles } from "./files.ts";
import { lease, type Lease } from "./open-engines.ts";

/** Where a `DiskStorage` keeps its data, and what it takes on at a time. */
export interface DiskStorageInit {
  /** The directory; it is made where it is missing, and has one user at a time. */
  readonly directory: string;
  /** Batches that may wait for a flush; default 4,096. */
  readonly waitingMax?: number;
  /**
   * Bytes that may wait for a flush; default 64 MiB. A single batch may have more. Together with
   * `checkpointBytes` at most 768 MiB.
   */
  readonly pendingBytesMax?: number;
  /** Bytes of the journal after which the tables are written; default 16 MiB. */
  readonly checkpointBytes?: number;
  /** How many bytes of room are made in the journal at a time; default 256 KiB. */
  readonly reserveBytes?: number;
}

/** With the largest batch behind it, a segment is below 2 GiB, which is what a start can read in one piece. */
const journalBytesMax = 768 * 1024 * 1024;

/** Behind all requests that are queued: time to flush. */
class FlushDue extends event("storage/DiskFlushDue") {}
const Flushing = port("DiskStorageFlushing", { requests: [FlushDue] });

/** A batch that waits until its group is on the disk. */
interface Waiting {
  readonly token: ReplyToken<Flushed | Written | StorageFailed>;
  readonly group: number;
}

/** What a replacement needs. */
export interface DiskStorageState {
  readonly waiting: readonly Waiting[];
  /** Whether the users know already that the storage is dead. */
  readonly told: boolean;
  /** Which of the engines of the process it has. */
  readonly lease: number | null;
}

/** Keeps everything in a directory. */
export class DiskStorage extends Component {
  readonly storage = this.provides(Storage);
  protected readonly flushing = this.provides(Flushing);
  protected readonly flusher = this.requires(Flushing);
  /** What the journal works on; tests put something else here. */
  protected readonly files: Files = hostFiles;
  readonly #options: EngineOptions;
  readonly #waitingMax: number;
  #lease: Lease | null = null;
  #leaseNumber: number | null = null;
  #waiting: Waiting[] = [];
  #flushDue = false;
  #told = false;

  constructor({
    directory,
    waitingMax = 4096,
    pendingBytesMax = 64 * 1024 * 1024,
    checkpointBytes = 16 * 1024 * 1024,
    reserveBytes = 256 * 1024,
  }: DiskStorageInit) {
    super();
    if (!(checkpointBytes + pendingBytesMax <= journalBytesMax)) {
      const what = `checkpointBytes and pendingBytesMax together are more than ${journalBytesMax} bytes.`;
      throw storageError("KITH_STORAGE_ARGUMENT", what);
    }
    this.#options = { directory, pendingBytesMax, checkpointBytes, reserveBytes };
    this.#waitingMax = waitingMax;
    this.connect(this.flushing, this.flusher);
    this.flushing.on(FlushDue, () => void setImmediate(() => this.#flush()));
    answerReads(this.storage, () => this.#dead ?? this.#open.contents);
    this.#answerWrites();
    this.#answerInstalls();
    this.onAcquire(() => this.#acquire());
    this.onRelease(() => {
      this.#lease?.park();
      this.#lease = null;
    });
  }

  exportState(): DiskStorageState {
    return {
      waiting: this.#waiting,
      told: this.#told,
      lease: this.#leaseNumber,
    };
  }

  importState({ waiting, told, lease: number }: DiskStorageState): void {
    this.#waiting = [...waiting];
    this.#told = told;
    this.#leaseNumber = number;
  }

  /** What was done since the directory was opened; null while it is not open. */
  get counters(): Counters | null {
    return this.#lease?.engine.counters ?? null;
  }

  #acquire(): void {
    const before = this.#leaseNumber;
    this.#lease = lease(
      this.files,
      this.#options,
      {
        flushed: () => this.enter(() => this.#answer()),
        lost: () => this.enter(() => this.#answer()),
        warn: (text) => this.log.warn(text),
      },
      before,
    );
    this.#leaseNumber = this.#lease.number;
    if (this.#waiting.length > 0 || this.#dead !== null) this.#flushSoon();
    if (before === this.#leaseNumber) return;
    // In another directory: nobody will say any more what became of these.
    const detail = "the directory was changed while the batch waited for its flush";
    this.#fail({ code: "KITH_STORAGE_CLOSED", detail });
  }

  get #open(): Lease {
    const open = this.#lease;
    if (open === null) throw new Error("the directory is not open");
    return open;
  }

  get #dead(): Problem | null {
    return this.#open.engine.lost;
  }

  #answerWrites(): void {
    this.storage.on(Write, ({ namespace, operations, flush = true }, token) => {
      const { engine } = this.#open;
      const problem = this.#busy() ?? engine.check(namespace, operations);
      if (problem !== null) {
        this.storage.reply(token, new StorageFailed(problem));
        return;
      }
      const group = engine.take({ namespace, operations, install: null });
      if (flush) this.#flushFor(token, group);
      else {
        this.storage.reply(token, new Written());
        if (engine.wantsFlush) this.#flushSoon();
      }
    });
  }

  #answerInstalls(): void {
    this.storage.on(BeginInstall, ({ namespace }, token) => {
      const begun = this.#dead ?? this.#open.contents.beginInstall(namespace);
      this.storage.reply(
        token,
        "code" in begun ? new StorageFailed(begun) : new InstallBegun(begun),
      );
    });
    this.storage.on(InstallChunk, ({ install, entries }, token) => {
      const problem = this.#dead ?? this.#open.contents.stage(install, entries);
      this.storage.reply(token, problem === null ? new ChunkTaken() : new StorageFailed(problem));
    });
    this.storage.on(CommitInstall, ({ install, operations }, token) => {
      const problem = this.#busy() ?? this.#open.contents.checkInstall(install, operations);
      if (problem !== null) this.storage.reply(token, new StorageFailed(problem));
      else this.#flushFor(token, this.#open.contents.commitInstall(install, operations));
    });
    this.storage.on(AbortInstall, ({ install }) => this.#open.contents.abortInstall(install));
  }

  /** Why nothing that waits for a flush is taken now, whatever is in it. */
  #busy(): Problem | null {
    if (this.#dead !== null || this.#waiting.length < this.#waitingMax) return this.#dead;
    return {
      code: "KITH_STORAGE_BUSY",
      detail: `${this.#waitingMax} batches wait to be flushed`,
    };
  }

  #flushFor(token: Waiting["token"], group: number): void {
    this.#waiting.push({ token, group });
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#flushDue) return;
    this.#flushDue = true;
    this.flusher.trigger(new FlushDue());
  }

  #flush(): void {
    this.#flushDue = false;
    const engine = this.#lease?.engine;
    const [first] = this.#waiting;
    if (engine === undefined) return;
    engine.flush();
    // An empty batch where nothing was written before it, or what came to its end while a swap was under way.
    const over = engine.lost !== null || (first !== undefined && engine.isDurable(first.group));
    if (over) this.enter(() => this.#answer());
  }

  /** Answers what is on the disk, and lets the next group go there. */
  #answer(): void {
    const engine = this.#lease?.engine;
    if (engine === undefined) return;
    let answered = 0;
    for (const { token, group } of this.#waiting) {
      if (!engine.isDurable(group)) break;
      answered++;
      this.storage.reply(token, new Flushed());
    }
    if (answered > 0) this.#waiting.splice(0, answered);
    const { lost } = engine;
    if (lost !== null) {
      this.#fail(lost);
      if (this.#told) return;
      this.#told = true;
      this.storage.trigger(new StorageLost(lost));
    } else if (this.#waiting.length > 0) {
      // With what those who have been answered write now: two halves of the users that take turns would
      // need twice the flushes.
      this.#flushSoon();
    }
  }

  #fail(problem: Problem): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { token } of waiting) this.storage.reply(token, new StorageFailed(problem));
  }
}

/** A durable provider whose journal works on these files; for tests that let them fail. */
export function diskStorageOn(files: Files): new (init: DiskStorageInit) => DiskStorage {
  return class extends DiskStorage {
    protected override readonly files = files;
  };
}
