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

import { Component, type ProvidedPort, type ReplyToken } from "@kith/core";
import {
  AbortInstall,
  BeginInstall,
  CloseView,
  CommitInstall,
  InstallChunk,
  ListNamespaces,
  OpenView,
  ReadBounds,
  ReadKey,
  ReadLog,
  Scan,
  Storage,
  type StorageAnswer,
  StorageLost,
  Write,
} from "@kith/storage";
import type { Disk } from "./disk.ts";
import type { Scheduled } from "./heap.ts";
import type { Life } from "./node.ts";
import { readBounds, readKey, readLog, scan } from "./reads.ts";
import { answerOf, failed, type Failure, type Result } from "./results.ts";
import type { Namespace } from "./tables.ts";
import type { Loss, Volume } from "./volume.ts";

/** What a simulated storage takes on at a time. */
export interface StorageLimits {
  /** Requests that wait for their answers; default 4,096. */
  readonly waitingMax?: number;
  /** Bytes that wait for a flush; default 64 MiB. */
  readonly pendingBytesMax?: number;
  /** Views that are open; default 64. */
  readonly viewsMax?: number;
  /** Installations that are under way; default 16. */
  readonly installsMax?: number;
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
  readonly upTo: number;
  readonly fails: boolean;
}

interface State {
  readonly waiting: readonly Waiting[];
  readonly unflushed: readonly Unflushed[];
  readonly flush: Flush | null;
}

/** Builds the Storage's class for one life of a node. */
export function simStorage(
  life: Life,
  disk: Disk,
  limits: StorageLimits = {},
): new () => Component & { readonly storage: ProvidedPort<typeof Storage> } {
  const { engine } = life;
  const { waitingMax = 4096, pendingBytesMax = 64 * 1024 * 1024 } = limits;
  const { viewsMax = 64, installsMax = 16 } = limits;

  return class SimStorage extends Component {
    readonly storage = this.provides(Storage);
    #waiting: Waiting[] = [];
    #unflushed: Unflushed[] = [];
    #flush: Flush | null = null;
    // "entered" from the engine's event to the turn that it asks for.
    #answering: Scheduled | "entered" | null = null;
    #flushing: Scheduled | "entered" | null = null;
    #telling: Scheduled | null = null;

    constructor() {
      super();
      this.storage.on(Write, (write, token) => this.#write(write, token));
      this.storage.on(ReadBounds, (read, token) => this.#read(read, token, readBounds));
      this.storage.on(ReadLog, (read, token) =>
        this.#read(read, token, (from) => readLog(from, read)),
      );
      this.storage.on(ReadKey, (read, token) =>
        this.#read(read, token, (from) => readKey(from, read)),
      );
      this.storage.on(Scan, (read, token) => this.#read(read, token, (from) => scan(from, read)));
      this.storage.on(ListNamespaces, (_, token) =>
        this.#take(token, (volume) => ({ kind: "names", names: volume.tables.names })),
      );
      this.storage.on(OpenView, ({ namespace }, token) =>
        this.#take(token, (volume) =>
          volume.views < viewsMax
            ? volume.openView(disk.nextNumber("view"), namespace)
            : failed("KITH_STORAGE_VIEWS", `${volume.views} views are open.`),
        ),
      );
      this.storage.on(CloseView, ({ view }) => this.#volume.closeView(view));
      this.storage.on(BeginInstall, ({ namespace }, token) =>
        this.#take(token, (volume) =>
          volume.installs < installsMax || volume.isInstalling(namespace)
            ? volume.beginInstall(disk.nextNumber("install"), namespace)
            : failed("KITH_STORAGE_BUSY", `${volume.installs} installations are under way.`),
        ),
      );
      this.storage.on(InstallChunk, (chunk, token) => this.#stage(chunk, token));
      this.storage.on(CommitInstall, (commit, token) => this.#commit(commit, token));
      this.storage.on(AbortInstall, ({ install }) => this.#volume.abortInstall(install));
      this.onAcquire(() => this.#acquire());
      // A swap comes not this way: whoever starts has no users that know of views.
      this.onStart(() => this.#volume.forget());
      this.onRelease(() => {
        this.#cancel();
        if (this.#telling !== null) engine.cancel(this.#telling);
        this.#telling = null;
      });
    }

    exportState(): State {
      return { waiting: this.#waiting, unflushed: this.#unflushed, flush: this.#flush };
    }

    importState({ waiting, unflushed, flush }: State): void {
      this.#waiting = [...waiting];
      this.#unflushed = [...unflushed];
      this.#flush = flush;
    }

    get #volume(): Volume {
      return disk.mount(life.number);
    }

    #acquire(): void {
      const { lost, told } = this.#volume;
      if (lost !== null && !told) {
        const tell = (): void => this.enter(() => this.#lose(lost));
        const due = engine.micros + disk.micros("read", 0);
        this.#telling = engine.at(life, due, disk.tie("loss", life.number), tell);
      }
      this.#scheduleAnswer();
      this.#scheduleFlush();
    }

    // --- requests ----------------------------------------------------------------------------------

    /** What keeps a request from being looked at. */
    #refusal(): Failure | undefined {
      const { lost } = this.#volume;
      if (lost !== null) return failed(lost.code, lost.detail);
      const waiting = this.#waiting.length + this.#unflushed.length;
      if (waiting < waitingMax) return undefined;
      return failed("KITH_STORAGE_BUSY", `${waiting} requests wait for their answers.`);
    }

    /** Takes a request that has a result at once. */
    #take(token: ReplyToken<StorageAnswer>, action: (volume: Volume) => Result): void {
      const refusal = this.#refusal();
      if (refusal !== undefined) this.storage.reply(token, answerOf(refusal));
      else this.#answer(token, action(this.#volume), disk.micros("write", 0));
    }

    #read(
      read: ReadBounds | ReadLog | ReadKey | Scan,
      token: ReplyToken<StorageAnswer>,
      action: (from: Namespace) => Result,
    ): void {
      const refusal = this.#refusal();
      if (refusal !== undefined) {
        this.storage.reply(token, answerOf(refusal));
        return;
      }
      const source = this.#volume.source(read.namespace, read.view);
      let result = "kind" in source ? source : action(source);
      const bytes = sizeOf(result);
      const { delay, verdict } = disk.judgeRead(bytes);
      if (verdict === "fail") {
        result = failed("KITH_STORAGE_READ", `The device could not read ${read.namespace}.`);
      }
      this.#answer(token, result, disk.micros("read", bytes) + delay);
    }

    #write({ namespace, operations, flush = true }: Write, token: ReplyToken<StorageAnswer>): void {
      this.#batch(token, namespace, operations, flush);
    }

    /** @returns whether the batch was taken */
    #batch(
      token: ReplyToken<StorageAnswer>,
      namespace: string,
      operations: Write["operations"],
      flush: boolean,
    ): boolean {
      let refusal = this.#refusal();
      if (refusal === undefined && disk.pendingBytes >= pendingBytesMax) {
        refusal = failed("KITH_STORAGE_BUSY", `${disk.pendingBytes} bytes wait for a flush.`);
      }
      if (refusal !== undefined) {
        this.storage.reply(token, answerOf(refusal));
        return false;
      }
      const before = disk.pendingBytes;
      const batch = disk.write(this.#volume, namespace, operations);
      const micros = disk.micros("write", disk.pendingBytes - before);
      if (typeof batch !== "number") {
        this.#answer(token, batch, micros);
        return false;
      }
      if (flush) this.#unflushed.push({ token, batch });
      else this.#answer(token, { kind: "written" }, micros);
      if (flush || disk.pendingBytes >= writeBackBytes) this.#gather(engine.micros + micros);
      return true;
    }

    #stage(chunk: InstallChunk, token: ReplyToken<StorageAnswer>): void {
      this.#take(token, (volume) => {
        const staged = volume.withChunk(chunk);
        if ("kind" in staged) return staged;
        const more = staged.weight - volume.stagedOf(chunk.install);
        return disk.room(volume, more, more) ?? volume.stage(chunk.install, staged);
      });
    }

    #commit({ install, operations }: CommitInstall, token: ReplyToken<StorageAnswer>): void {
      const batch = this.#volume.installed(install, operations);
      if ("kind" in batch) {
        this.#take(token, () => batch);
      } else if (this.#batch(token, batch.namespace, batch.operations, true)) {
        this.#volume.abortInstall(install);
      }
    }

    // --- answers -----------------------------------------------------------------------------------

    #answer(token: ReplyToken<StorageAnswer>, result: Result, micros: number): void {
      const last = this.#waiting.at(-1)?.due ?? 0;
      // In the order of the requests: no two answers are due at one instant.
      const due = Math.max(engine.micros + micros, last + 1);
      this.#waiting.push({ number: disk.nextNumber("answer"), token, due, result });
      this.#scheduleAnswer();
    }

    #scheduleAnswer(): void {
      const [first] = this.#waiting;
      if (first === undefined || this.#answering !== null) return;
      this.#answering = engine.at(life, first.due, disk.tie("answer", first.number), () => {
        this.#answering = "entered";
        this.enter(() => this.#giveAnswers());
      });
    }

    #giveAnswers(): void {
      this.#answering = null;
      while ((this.#waiting[0]?.due ?? Infinity) <= engine.micros) {
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
      const number = disk.nextNumber("gathering");
      this.#flush = { number, phase: "gathering", due, upTo: 0, fails: false };
      this.#scheduleFlush();
    }

    #scheduleFlush(): void {
      const flush = this.#flush;
      if (flush === null || this.#flushing !== null) return;
      const half = flush.phase === "gathering" ? 0 : 1;
      const tie = disk.tie("flush", flush.number * 2 + half);
      this.#flushing = engine.at(life, flush.due, tie, () => {
        this.#flushing = "entered";
        this.enter(() => this.#proceed());
      });
    }

    #proceed(): void {
      this.#flushing = null;
      const flush = this.#flush;
      // It may have been given up since the engine's event.
      if (flush === null) return;
      if (flush.phase === "gathering") {
        const { micros, fails } = disk.beginFlush();
        const due = engine.micros + micros;
        this.#flush = { ...flush, phase: "flushing", due, upTo: disk.written, fails };
        this.#scheduleFlush();
        return;
      }
      this.#flush = null;
      if (flush.fails) {
        this.#lose({ code: "KITH_STORAGE_FLUSH", detail: `A flush failed on ${life.name}.` });
        return;
      }
      disk.promise(flush.upTo);
      const answered = this.#unflushed.filter(({ batch }) => batch <= flush.upTo);
      this.#unflushed = this.#unflushed.slice(answered.length);
      for (const { token } of answered) this.storage.reply(token, answerOf({ kind: "flushed" }));
      if (this.#unflushed.length > 0 || disk.pendingBytes >= writeBackBytes) {
        this.#gather(engine.micros);
      }
    }

    /** The storage is dead: whatever waits is answered with the failure, and nothing comes after it. */
    #lose({ code, detail }: Loss): void {
      const volume = this.#volume;
      if (volume.told) return;
      volume.lost = { code, detail };
      volume.told = true;
      this.#cancel();
      this.#flush = null;
      const tokens = [...this.#waiting, ...this.#unflushed].map(({ token }) => token);
      this.#waiting = [];
      this.#unflushed = [];
      for (const token of tokens) {
        this.storage.reply(token, answerOf({ kind: "failed", code, detail }));
      }
      this.storage.trigger(new StorageLost({ code, detail }));
    }

    /** Takes back what the engine was asked for; what has entered already finds nothing to do. */
    #cancel(): void {
      if (this.#answering !== null && this.#answering !== "entered") {
        engine.cancel(this.#answering);
        this.#answering = null;
      }
      if (this.#flushing !== null && this.#flushing !== "entered") {
        engine.cancel(this.#flushing);
        this.#flushing = null;
      }
    }
  };
}

/** How many bytes a result has read. */
function sizeOf(result: Result): number {
  if (result.kind === "value") return result.value?.length ?? 0;
  if (result.kind === "records") return result.records.reduce((sum, one) => sum + one.length, 0);
  if (result.kind !== "entries") return 0;
  return result.entries.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
}
