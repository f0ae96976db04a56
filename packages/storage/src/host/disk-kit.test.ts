/** Directories, failing files and worlds for the tests of the durable storage. */

import { KithError, type LogRecord, RealScheduler, type System, type World } from "@kith/core";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StorageHarness } from "../compliance/index.ts";
import { DiskStorage, type DiskStorageInit, diskStorageOn } from "./disk-storage.ts";
import { Contents } from "./contents.ts";
import { Engine } from "./engine.ts";
import { type Files, hostFiles } from "./files.ts";

const made: string[] = [];
after(() => {
  for (const path of made) fs.rmSync(path, { recursive: true, force: true });
});

/** A new directory, removed after all tests. */
export function temporary(): string {
  const path = fs.mkdtempSync(join(tmpdir(), "kith-storage-"));
  made.push(path);
  return path;
}

/** An error as the host throws it. */
export function hostError(code: string): Error {
  return Object.assign(new Error(`${code}: made for the test`), { code });
}

/** Draws that are the same in every run. */
export function draws(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

interface Unsynced {
  readonly path: string;
  readonly position: number;
  readonly bytes: Buffer;
  /** What stood there before; zeros behind the end. */
  readonly before: Buffer;
}

/** The files of the host, which can fail, and of which a power cut can lose what was not flushed. */
export class FaultyFiles implements Files {
  failing = false;
  /** Whether `flush` says yes and does nothing. */
  lying = false;
  /** Bytes that the files may still grow by. */
  room = Infinity;
  flushes = 0;
  #unsynced: Unsynced[] = [];
  readonly #paths = new Map<number, string>();
  readonly #sizes = new Map<string, number>();

  list = hostFiles.list;
  read = hostFiles.read;
  head = hostFiles.head;
  remove = hostFiles.remove;
  free = (): number => this.room;
  flushDirectory = hostFiles.flushDirectory;

  rename(from: string, to: string): void {
    hostFiles.rename(from, to);
    for (const [file, path] of this.#paths) if (path === from) this.#paths.set(file, to);
    this.#sizes.set(to, this.#sizes.get(from) ?? 0);
    this.#unsynced = this.#unsynced.map((one) => (one.path === from ? { ...one, path: to } : one));
  }

  open(path: string): number {
    const file = hostFiles.open(path);
    this.#paths.set(file, path);
    this.#sizes.set(path, fs.fstatSync(file).size);
    return file;
  }

  write(file: number, parts: readonly Uint8Array[], position: number): void {
    const path = this.#paths.get(file) ?? "";
    const bytes = Buffer.concat(parts);
    const growth = Math.max(0, position + bytes.length - (this.#sizes.get(path) ?? 0));
    if (growth > this.room) throw hostError("ENOSPC");
    this.room -= growth;
    this.#sizes.set(path, (this.#sizes.get(path) ?? 0) + growth);
    const before = Buffer.alloc(bytes.length);
    fs.readSync(file, before, 0, before.length, position);
    this.#unsynced.push({ path, position, bytes, before });
    hostFiles.write(file, parts, position);
  }

  truncate(file: number, length: number): void {
    hostFiles.truncate(file, length);
    this.#sizes.set(this.#paths.get(file) ?? "", length);
  }

  close(file: number): void {
    hostFiles.close(file);
    this.#paths.delete(file);
  }

  flush(file: number, done: (error: Error | null) => void): void {
    const covered = new Set(this.#of(file));
    if (this.failing) {
      setImmediate(() => done(hostError("EIO")));
      return;
    }
    if (this.lying) {
      setImmediate(() => done(null));
      return;
    }
    hostFiles.flush(file, (error) => {
      this.flushes++;
      if (error === null) this.#unsynced = this.#unsynced.filter((one) => !covered.has(one));
      done(error);
    });
  }

  flushNow(file: number): void {
    if (this.failing) throw hostError("EIO");
    const covered = new Set(this.#of(file));
    hostFiles.flushNow(file);
    this.#unsynced = this.#unsynced.filter((one) => !covered.has(one));
  }

  /** Takes back what was not flushed, or a part of it, in a copy of the directory. */
  cut(from: string, to: string, draw: (below: number) => number): void {
    for (const { path, position, bytes, before } of this.#unsynced) {
      const copy = path.replace(from, to);
      if (!fs.existsSync(copy)) continue;
      const size = fs.statSync(copy).size;
      const file = fs.openSync(copy, "r+");
      // Nothing, all, or the first bytes of it.
      const kept = [0, bytes.length, draw(bytes.length + 1)][draw(3)] ?? 0;
      const lost = Math.min(bytes.length, size - position) - kept;
      if (lost > 0) fs.writeSync(file, before, kept, lost, position + kept);
      fs.closeSync(file);
    }
  }

  #of(file: number): Unsynced[] {
    const path = this.#paths.get(file);
    return this.#unsynced.filter((one) => one.path === path);
  }
}

/** Looks again when the host comes round, and after a while every millisecond. */
export const waiting: StorageHarness["wait"] = (until, within, done) => {
  const deadline = performance.now() + within;
  let looks = 0;
  const look = (): void => {
    if (until()) done(true);
    else if (performance.now() >= deadline) done(false);
    else if (++looks < 100) setImmediate(look);
    else setTimeout(look, 1);
  };
  look();
};

/** Lets the host come round until a condition holds. */
export async function turn(until: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!until()) {
    if (performance.now() > deadline) throw new Error("waited in vain");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A real world with a durable storage. */
export function diskWorld(
  init: DiskStorageInit,
  storage: new (init: DiskStorageInit) => DiskStorage = DiskStorage,
  log: LogRecord[] = [],
): World {
  return {
    scheduler: new RealScheduler(),
    log: (record) => void log.push(record),
    install: (root) => root.offers(root.create(storage, init, { name: "Storage" }).ports.storage),
  };
}

/** A harness of the compliance suite, on a new directory. */
export function diskHarness(init: Partial<DiskStorageInit> = {}, seed = 1): StorageHarness {
  let directory: string | null = null;
  let files = new FaultyFiles();
  const systems: System[] = [];
  const draw = draws(seed);
  const at = (): string => (directory ??= temporary());
  /** What a new process would find. */
  const copy = (lose: boolean): void => {
    const next = temporary();
    fs.cpSync(at(), next, { recursive: true });
    if (lose) files.cut(at(), next, draw);
    directory = next;
    files = new FaultyFiles();
  };
  return {
    open: () => {
      const settings = { reserveBytes: 4096, ...init, directory: at() };
      const world = diskWorld(settings, diskStorageOn(files));
      return world;
    },
    wait: waiting,
    patience: 6,

    crash: (system) => {
      copy(false);
      void system.stop();
      systems.push(system);
    },
    powerCut: (system) => {
      copy(true);
      void system.stop();
      systems.push(system);
    },
    failFlush: () => void (files.failing = true),
    fill: () => void (files.room = 4096),
    swapProvider: (system) => {
      const settings = { reserveBytes: 4096, ...init, directory: at() };
      void system.swap("/Storage", diskStorageOn(files), settings);
    },
  };
}

/** The code of a coded error; its text for others. */
export function codeOf(error: unknown): string {
  return error instanceof KithError ? error.code : String(error);
}

/** Opens a directory without a component, looks, and closes it. */
export async function reopened<T>(
  directory: string,
  look: (found: { readonly engine: Engine; readonly contents: Contents }) => T | Promise<T>,
  files: Files = hostFiles,
  warn: (text: string) => void = () => {},
): Promise<T> {
  const options = {
    directory,
    pendingBytesMax: 1 << 26,
    checkpointBytes: 1 << 24,
    reserveBytes: 4096,
  };
  const engine = new Engine(files, options, warn);
  const contents = new Contents(engine);
  try {
    return await look({ engine, contents });
  } finally {
    contents.forget();
    await new Promise<void>((resolve) => engine.close(resolve));
  }
}
