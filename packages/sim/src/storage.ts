/**
 * The simulated Storage: the port before a simulated disk.
 *
 * A request takes effect when it arrives; its answer waits for the latency of the disk. Answers come in
 * the order of the requests, but for `Flushed`, which waits for its flush: one flush makes durable all
 * that was written before it began, so the batches of one turn share one.
 *
 * Invariants: whatever waits is in the state, as plain data, and the engine knows only of the first
 * of each queue: so a swap and a checkpoint lose nothing. Nothing waits once the storage is dead.
 */

import { Component, type ReplyToken } from "@kith/core";
import {
  AbortInstall,
  BeginInstall,
  CloseView,
  CommitInstall,
  Flushed,
  InstallChunk,
  ListNamespaces,
  OpenView,
  type Problem,
  ReadBounds,
  ReadKey,
  ReadLog,
  Scan,
  Storage,
  type StorageAnswer,
  StorageFailed,
  StorageLost,
  type Tables,
  Write,
} from "@kith/storage";
import type { Disk, Volume } from "./disk.ts";
import { type Agent, Errand } from "./errand.ts";
import { type Life, lifeOf } from "./node.ts";
import { answerOf, found, type Result } from "./results.ts";

/** What a simulated storage takes on at a time. */
export interface StorageLimits {
  /** Requests that wait for their answers; default 4,096. */
  readonly waitingMax?: number;
  /** Bytes that wait for a flush; default 64 MiB. */
  readonly pendingBytesMax?: number;
}

/** What was written without a flush is flushed when it is so much: a host's cache has an end. */
const writeBackBytes = 1024 * 1024;

/** An answer that waits for its time. */
interface Waiting {
  readonly number: number;
  readonly token: ReplyToken<StorageAnswer>;
  readonly due: number;
  readonly result: Result;
}

/** A batch that waits for a flush. */
interface Unflushed {
  readonly token: ReplyToken<StorageAnswer>;
  readonly batch: number;
}

/** A flush: first it waits for what else is being written, then it makes all of that durable. */
interface Flush {
  readonly number: number;
  readonly phase: "gathering" | "flushing";
  readonly due: number;
  readonly fails: boolean;
}

interface State {
  readonly waiting: readonly Waiting[];
  readonly unflushed: readonly Unflushed[];
  readonly flush: Flush | null;
  /** What the engine has asked for, and waits for a turn: never there in a swap. */
  readonly entered: { readonly answer: boolean; readonly flush: boolean };
}

const answerErrand = "storage answer";
const flushErrand = "storage flush";
const lossErrand = "storage loss";

/** The Storage of one life of a node: `create(SimStorage, {}, { name: "Storage" })` at the root. */
export class SimStorage extends Component implements Agent {
  readonly storage = this.provides(Storage);
  readonly #life: Life;
  readonly #disk: Disk;
  readonly #waitingMax: number;
  readonly #pendingBytesMax: number;
  #waiting: Waiting[] = [];
  #unflushed: Unflushed[] = [];
  #flush: Flush | null = null;
  // "entered" from the engine's event to the turn that it asks for.
  #answering: Errand | "entered" | null = null;
  #flushing: Errand | "entered" | null = null;
  #telling: Errand | null = null;
  readonly #answered = this.entrance(() => this.#giveAnswers());
  readonly #flushed = this.entrance(() => this.#proceed());
  readonly #told = this.entrance((lost: Problem) => this.#lose(lost));

  constructor(limits: StorageLimits = {}) {
    super();
    this.#life = lifeOf(this.host);
    this.#disk = this.#life.disk;
    this.#waitingMax = limits.waitingMax ?? 4096;
    this.#pendingBytesMax = limits.pendingBytesMax ?? 64 * 1024 * 1024;
    this.storage.on(Write, ({ namespace, operations, flush = true }, token) =>
      this.#batch(token, flush, (volume) => this.#disk.write(volume, namespace, operations)),
    );
    this.#answerReads();
    this.#answerInstalls();
    this.onAcquire(() => this.#acquire());
    // A swap does not come this way. Whoever starts has no users that know of views.
    this.onStart(() => {
      this.#volume.tables = this.#volume.tables.snapshot();
    });
    this.onRelease(() => {
      this.#cancel();
      this.#telling?.cancel();
      this.#telling = null;
    });
  }

  exportState(): State {
    return {
      waiting: this.#waiting,
      unflushed: this.#unflushed,
      flush: this.#flush,
      entered: { answer: this.#answering === "entered", flush: this.#flushing === "entered" },
    };
  }

  importState({ waiting, unflushed, flush, entered }: State): void {
    if (entered.answer) this.#answering = "entered";
    if (entered.flush) this.#flushing = "entered";
    this.#waiting = [...waiting];
    this.#unflushed = [...unflushed];
    this.#flush = flush;
  }

  get #volume(): Volume {
    return this.#disk.mount(this.#life.number);
  }

  #acquire(): void {
    for (const name of [answerErrand, flushErrand, lossErrand]) this.#life.agents.set(name, this);
    // Those of a checkpoint come from it, with their places in the queue.
    if (this.#life.restoring) return;
    const { lost, told } = this.#volume;
    if (lost !== null && !told) {
      const due = this.#life.engine.micros + this.#disk.micros("read", 0);
      const tie = this.#disk.tie("loss tie", this.#life.number);
      this.#telling = new Errand(this.#life, lossErrand, 0).at(due, tie);
    }
    this.#scheduleAnswer();
    this.#scheduleFlush();
  }

  /** @internal */
  runErrand({ name }: Errand): void {
    if (name === answerErrand) {
      this.#answering = "entered";
      this.#answered(null);
    } else if (name === flushErrand) {
      this.#flushing = "entered";
      this.#flushed(null);
    } else {
      const { lost } = this.#volume;
      if (lost !== null) this.#told(lost);
    }
  }

  /** @internal */
  restoreErrand(errand: Errand): undefined {
    if (errand.name === answerErrand) this.#answering = errand;
    else if (errand.name === flushErrand) this.#flushing = errand;
    else this.#telling = errand;
  }

  // --- requests ----------------------------------------------------------------------------------

  /** What keeps a request from being looked at. */
  #refusal(): Problem | null {
    const { lost } = this.#volume;
    if (lost !== null) return lost;
    const waiting = this.#waiting.length + this.#unflushed.length;
    return waiting < this.#waitingMax ? null : busy(`${waiting} requests wait for their answers.`);
  }

  /** Takes what is done in memory. */
  #take(token: ReplyToken<StorageAnswer>, action: (volume: Volume) => Result): void {
    const refusal = this.#refusal();
    if (refusal !== null) this.storage.reply(token, new StorageFailed(refusal));
    else this.#answer(token, action(this.#volume), this.#disk.micros("write", 0));
  }

  #answerReads(): void {
    this.storage.on(ReadBounds, (read, token) =>
      this.#read(read, token, (tables) =>
        found("bounds", tables.bounds(read.namespace, read.view)),
      ),
    );
    this.storage.on(ReadLog, (read, token) =>
      this.#read(read, token, (tables) => found("records", tables.records(read))),
    );
    this.storage.on(ReadKey, (read, token) =>
      this.#read(read, token, (tables) =>
        found("value", tables.value(read.namespace, read.key, read.view)),
      ),
    );
    this.storage.on(Scan, (read, token) =>
      this.#read(read, token, (tables) => found("entries", tables.scan(read))),
    );
    this.storage.on(ListNamespaces, (_, token) =>
      this.#take(token, ({ tables }) => ({ kind: "names", names: tables.names() })),
    );
    this.storage.on(OpenView, ({ namespace }, token) =>
      this.#take(token, ({ tables }) => found("view", tables.openView(namespace))),
    );
    this.storage.on(CloseView, ({ view }) => this.#volume.tables.closeView(view));
  }

  #answerInstalls(): void {
    this.storage.on(BeginInstall, ({ namespace }, token) =>
      this.#take(token, ({ tables }) => found("install", tables.beginInstall(namespace))),
    );
    this.storage.on(InstallChunk, ({ install, entries }, token) =>
      this.#take(token, (volume) => {
        const bytes = entries.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
        const problem = this.#disk.room(volume, bytes) ?? volume.tables.stage(install, entries);
        return problem === null ? { kind: "chunk" } : { kind: "failed", ...problem };
      }),
    );
    this.storage.on(CommitInstall, ({ install, operations }, token) =>
      this.#batch(token, true, (volume) => this.#disk.install(volume, install, operations)),
    );
    this.storage.on(AbortInstall, ({ install }) => this.#volume.tables.abortInstall(install));
  }

  #read(
    read: ReadBounds | ReadLog | ReadKey | Scan,
    token: ReplyToken<StorageAnswer>,
    action: (tables: Tables) => Result,
  ): void {
    const refusal = this.#refusal();
    if (refusal !== null) {
      this.storage.reply(token, new StorageFailed(refusal));
      return;
    }
    let result = action(this.#volume.tables);
    const bytes = sizeOf(result);
    const { delay, verdict, rotten } = this.#disk.judgeRead(read, result, bytes);
    if (verdict === "fail") {
      const detail = `The device of ${this.#life.name} could not read ${read.namespace}.`;
      result = { kind: "failed", code: "KITH_STORAGE_READ", detail };
    } else if (rotten !== undefined) {
      const detail = `The checksum of ${rotten} on ${this.#life.name} is wrong.`;
      result = { kind: "failed", code: "KITH_STORAGE_CORRUPT", detail };
    }
    this.#answer(token, result, this.#disk.micros("read", bytes) + delay);
  }

  /** Takes what writes a batch. */
  #batch(
    token: ReplyToken<StorageAnswer>,
    flush: boolean,
    write: (volume: Volume) => number | Problem,
  ): void {
    let refusal = this.#refusal();
    if (refusal === null && this.#disk.pendingBytes >= this.#pendingBytesMax) {
      refusal = busy(`${this.#disk.pendingBytes} bytes wait for a flush.`);
    }
    if (refusal !== null) {
      this.storage.reply(token, new StorageFailed(refusal));
      return;
    }
    const before = this.#disk.pendingBytes;
    const batch = write(this.#volume);
    const micros = this.#disk.micros("write", this.#disk.pendingBytes - before);
    if (typeof batch !== "number") {
      this.#answer(token, { kind: "failed", ...batch }, micros);
      return;
    }
    if (flush) this.#unflushed.push({ token, batch });
    else this.#answer(token, { kind: "written" }, micros);
    if (flush || this.#disk.pendingBytes >= writeBackBytes)
      this.#gather(this.#life.engine.micros + micros);
  }

  // --- answers -----------------------------------------------------------------------------------

  #answer(token: ReplyToken<StorageAnswer>, result: Result, micros: number): void {
    const last = this.#waiting.at(-1)?.due ?? 0;
    // In the order of the requests: no two answers are due at one instant.
    const due = Math.max(this.#life.engine.micros + micros, last + 1);
    this.#waiting.push({ number: this.#disk.nextNumber("answer"), token, due, result });
    this.#scheduleAnswer();
  }

  #scheduleAnswer(): void {
    const [first] = this.#waiting;
    if (first === undefined || this.#answering !== null) return;
    const tie = this.#disk.tie("answer tie", first.number);
    this.#answering = new Errand(this.#life, answerErrand, 0).at(first.due, tie);
  }

  #giveAnswers(): void {
    this.#answering = null;
    while ((this.#waiting[0]?.due ?? Infinity) <= this.#life.engine.micros) {
      const first = this.#waiting.shift();
      if (first === undefined) break;
      const { token, result } = first;
      this.storage.reply(token, answerOf(result));
      if (result.kind === "failed" && result.code === "KITH_STORAGE_CORRUPT") this.#lose(result);
    }
    this.#scheduleAnswer();
  }

  // --- flushes -----------------------------------------------------------------------------------

  /** Lets a flush begin at a time, unless there is one: whatever comes until then goes with it. */
  #gather(due: number): void {
    if (this.#flush !== null) return;
    const number = this.#disk.nextNumber("gathering");
    this.#flush = { number, phase: "gathering", due, fails: false };
    this.#scheduleFlush();
  }

  #scheduleFlush(): void {
    const flush = this.#flush;
    if (flush === null || this.#flushing !== null) return;
    const half = flush.phase === "gathering" ? 0 : 1;
    const tie = this.#disk.tie("flush tie", flush.number * 2 + half);
    this.#flushing = new Errand(this.#life, flushErrand, 0).at(flush.due, tie);
  }

  #proceed(): void {
    this.#flushing = null;
    const flush = this.#flush;
    // It may have been given up since the engine's event.
    if (flush === null) return;
    if (flush.phase === "gathering") {
      const { micros, fails } = this.#disk.beginFlush();
      const due = this.#life.engine.micros + micros;
      this.#flush = { ...flush, phase: "flushing", due, fails };
      this.#scheduleFlush();
      return;
    }
    this.#flush = null;
    if (flush.fails) {
      this.#lose({ code: "KITH_STORAGE_FLUSH", detail: `A flush failed on ${this.#life.name}.` });
      return;
    }
    const promised = this.#disk.promise();
    const answered = this.#unflushed.filter(({ batch }) => batch <= promised);
    this.#unflushed = this.#unflushed.slice(answered.length);
    for (const { token } of answered) this.storage.reply(token, new Flushed());
    if (this.#unflushed.length > 0 || this.#disk.pendingBytes >= writeBackBytes) {
      this.#gather(this.#life.engine.micros);
    }
  }

  /** The storage is dead: whatever waits is answered with the failure, and nothing comes after it. */
  #lose({ code, detail }: Problem): void {
    const volume = this.#volume;
    if (volume.told) return;
    volume.lost = { code, detail };
    volume.told = true;
    this.#cancel();
    this.#flush = null;
    const tokens = [...this.#waiting, ...this.#unflushed].map(({ token }) => token);
    this.#waiting = [];
    this.#unflushed = [];
    for (const token of tokens) this.storage.reply(token, new StorageFailed({ code, detail }));
    this.storage.trigger(new StorageLost({ code, detail }));
  }

  /** Takes back what the engine was asked for; what has entered already finds nothing to do. */
  #cancel(): void {
    if (this.#answering !== null && this.#answering !== "entered") {
      this.#answering.cancel();
      this.#answering = null;
    }
    if (this.#flushing !== null && this.#flushing !== "entered") {
      this.#flushing.cancel();
      this.#flushing = null;
    }
  }
}

/** How many bytes a result has read. */
function sizeOf(result: Result): number {
  if (result.kind === "value") return result.value?.length ?? 0;
  if (result.kind === "records") return result.records.reduce((sum, one) => sum + one.length, 0);
  if (result.kind !== "entries") return 0;
  return result.entries.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
}

function busy(detail: string): Problem {
  return { code: "KITH_STORAGE_BUSY", detail };
}
