/**
 * What the cases of storage share: batches of one record or one value, written by so many users, each of
 * which waits for its batch to be durable before it writes the next one.
 */

import { Component, launch, RealScheduler, type System } from "@kith/core";
import { Flushed, type Operation, Storage, Write } from "@kith/storage";
import { type Counters, DiskStorage } from "@kith/storage/host";
import { open, type RootDatabase } from "lmdb";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What a batch does. */
export type Kind = "put" | "append";

/** Whoever makes batches durable. */
export interface Store {
  /** Writes so many batches. */
  run(count: number): Promise<void>;
  /** How long the batches took, in milliseconds. */
  readonly latencies: number[];
  /** Flushes so far; NaN where nobody counts them. */
  flushes(): number;
}

const keys = 100_000;

/** A new directory, removed when the process ends. */
function directory(): string {
  const path = mkdtempSync(join(tmpdir(), "kith-bench-"));
  process.on("exit", () => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** The key of batch n: spread over the whole tree. */
function keyOf(n: number): Buffer {
  const key = Buffer.allocUnsafe(8);
  key.writeUIntBE((n * 7919) % keys, 2, 6);
  key.writeUInt16BE(1, 0);
  return key;
}

/** The key of record n: at the end of the tree. */
function indexOf(n: number): Buffer {
  const key = Buffer.allocUnsafe(8);
  key.writeUIntBE(n, 2, 6);
  key.writeUInt16BE(2, 0);
  return key;
}

/** lmdb by itself: a put for each batch, durable when its promise resolves. */
export function bareLmdb(kind: Kind, writers: number, bytes: number, overlapping: boolean): Store {
  const db: RootDatabase<Buffer, Buffer> = open<Buffer, Buffer>({
    path: join(directory(), "tables"),
    noSubdir: true,
    encoding: "binary",
    keyEncoding: "binary",
    overlappingSync: overlapping,
    cache: false,
  });
  const value = Buffer.alloc(bytes, 7);
  const latencies: number[] = [];
  let last = 0;
  return {
    latencies,
    flushes: () => NaN,
    run: async (count) => {
      let left = count;
      const writer = async (): Promise<void> => {
        while (left-- > 0) {
          const n = ++last;
          const begin = performance.now();
          await db.put(kind === "put" ? keyOf(n) : indexOf(n), value);
          if (overlapping) await db.flushed;
          latencies.push(performance.now() - begin);
        }
      };
      await Promise.all(Array.from({ length: writers }, writer));
    },
  };
}

class Users extends Component {
  readonly storage = this.requires(Storage);
  readonly latencies: number[] = [];
  #kind: Kind = "put";
  #value = new Uint8Array(0);
  #left = 0;
  #waiting = 0;
  #last = 0;
  #done: () => void = () => {};
  readonly #write = this.storage.onAnswer(Write, (answer, _, { begin }: { begin: number }) => {
    if (!(answer instanceof Flushed)) throw new Error(`a batch failed: ${JSON.stringify(answer)}`);
    this.latencies.push(performance.now() - begin);
    this.#waiting--;
    if (this.#left > 0) this.#next();
    else if (this.#waiting === 0) this.#done();
  });

  begin(kind: Kind, writers: number, bytes: number, count: number, done: () => void): void {
    this.#kind = kind;
    this.#value = new Uint8Array(bytes).fill(7);
    this.#left = count;
    this.#done = done;
    for (let i = 0; i < Math.min(writers, count); i++) this.#next();
  }

  #next(): void {
    this.#left--;
    this.#waiting++;
    const n = ++this.#last;
    const operation: Operation =
      this.#kind === "put"
        ? { kind: "put", key: keyOf(n), value: this.#value }
        : { kind: "append", index: n, record: this.#value };
    const begin = performance.now();
    this.#write(new Write({ namespace: "bench", operations: [operation] }), { context: { begin } });
  }
}

class Counted extends DiskStorage {
  static last: Counted | null = null;
  constructor(init: { directory: string }) {
    super(init);
    Counted.last = this;
  }
}

/** The durable Storage of Kith, with the same batches. */
export async function durableStorage(kind: Kind, writers: number, bytes: number): Promise<Store> {
  const init = { directory: directory() };
  const system: System<Users> = launch(
    Users,
    {},
    {
      scheduler: new RealScheduler(),
      install: (root) => root.offers(root.create(Counted, init, { name: "Storage" }).ports.storage),
    },
  );
  await system.started;
  const counters = (): Counters | null => Counted.last?.counters ?? null;
  return {
    latencies: system.instance.latencies,
    flushes: () => counters()?.flushes ?? NaN,
    run: (count) =>
      new Promise((resolve) => {
        system.enter(() => system.instance.begin(kind, writers, bytes, count, resolve));
      }),
  };
}
