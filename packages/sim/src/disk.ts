/**
 * A simulated disk: one per node, living across the node's lives.
 *
 * What is written is a journal of batches in order, and below it the image that older batches have
 * made. A flush makes the journal durable up to a batch. A crash keeps what is durable and, of the
 * rest, a prefix whose last batch may be torn, sector by sector. The recovery at the next mount reads
 * the batches' bytes; it finds by its checksum what is torn or rotten at the end, and cuts it, and
 * refuses to start where something before the end is. A lying disk promises durability and does not
 * keep it: it is there to prove that a test would notice.
 *
 * Invariants: `durable <= promised <= written`, by the number of the batch, and `durable = promised`
 * unless the disk lies; the journal holds all batches behind the image that are not lost, in order, and
 * those of the last flush are among them. Every draw is keyed by the seed, the node, what is drawn, and
 * a count or number of that.
 */

import { mix } from "@kith/core";
import { type Operation, type Problem, Tables } from "@kith/storage";
import { checksumOf, decodeBatch, encodeBatch, isIntact, sectorBytes, sectorsOf } from "./batch.ts";
import { type DiskDeed, DiskFaults, type Judgement, type SavedFaults } from "./disk-faults.ts";
import { Draws } from "./draws.ts";
import type { Engine } from "./engine.ts";
import type { Result } from "./results.ts";
import { type Asked, type ItemPlace, Rot, type RottenItem } from "./rot.ts";
import { decisions, fingerprint } from "./trace.ts";

/** A range of durations in whole microseconds, both ends included. */
export interface MicrosRange {
  readonly min: number;
  readonly max: number;
}

/** What may be said of a disk. Everything takes 1 µs more for each KiB. */
export interface DiskOptions {
  /** How long a read takes; default 10 to 60 µs. */
  readonly read?: MicrosRange;
  /** How long a write takes, without its flush; default 2 to 15 µs. */
  readonly write?: MicrosRange;
  /** How long a flush takes; default 200 to 2,000 µs. */
  readonly flush?: MicrosRange;
  /** Whether it promises durability without keeping the promise; default false. */
  readonly lying?: boolean;
}

/** What a recovery found. */
export interface Recovery {
  /** The last batch that is there; 0 where there is none. */
  readonly last: number;
  /** How many batches at the end were torn or rotten, and were cut. */
  readonly cutBatches: number;
  readonly cutBytes: number;
  /** Why the data cannot be used; null where it can. */
  readonly refused: string | null;
}

/** What a crash made of the batches that were not durable. */
export interface CrashOutcome {
  readonly kept: number;
  readonly torn: number;
  readonly lost: number;
}

/** What a test lets rot: an item that was flushed, or the last batch of the journal that was. */
export type RotPlace = ItemPlace | "tail";

/** The disk as one life has mounted it: in memory, and gone with a crash. */
export interface Volume {
  /** The number of the life. */
  readonly life: number;
  /** What reads see: everything that was written, flushed or not. */
  tables: Tables;
  /** Why nothing can be asked of it any more. */
  lost: Problem | null;
  /** Whether the users were told so. */
  told: boolean;
}

interface JournalEntry {
  readonly number: number;
  /** The batch as the device has it. */
  readonly bytes: Uint8Array;
}

/** The state behind a batch. */
interface Point {
  readonly number: number;
  readonly tables: Tables;
}

/** What a checkpoint keeps of a disk: plain data, and references to values that nobody changes. */
export interface SavedDisk {
  readonly image: Point;
  readonly flushed: Point | null;
  readonly flushing: Point | null;
  readonly journal: readonly JournalEntry[];
  readonly written: number;
  readonly promised: number;
  readonly durable: number;
  readonly lying: boolean;
  readonly rotten: readonly RottenItem[];
  readonly counts: ReadonlyMap<string, number>;
  readonly recovery: Recovery | null;
  readonly volume: Volume | null;
  readonly faults: SavedFaults;
}

/** What a lying disk keeps to itself at most: a real one's cache has an end, too. */
const cacheBatchesMax = 1024;
const cacheBytesMax = 4 * 1024 * 1024;

const latencies = {
  read: { draw: "read latency", range: { min: 10, max: 60 } },
  write: { draw: "write latency", range: { min: 2, max: 15 } },
  flush: { draw: "flush latency", range: { min: 200, max: 2000 } },
} as const;

/** A disk. */
export class Disk {
  /** The faults: rules that are installed and removed at any time. */
  readonly faults: DiskFaults;
  /** Whether what it has promised is lost at a crash, like all that is not durable. */
  lying: boolean;
  readonly #engine: Engine;
  readonly #node: string;
  readonly #options: DiskOptions;
  readonly #draws: Draws;
  /** What the journal goes on from. */
  #image: Point = { number: 0, tables: new Tables() };
  /** The state at the last flush: the image of the next one. */
  #flushed: Point | null = null;
  /** What the flush that is under way will make durable. */
  #flushing: Point | null = null;
  #journal: JournalEntry[] = [];
  #pendingBytes = 0;
  #written = 0;
  #promised = 0;
  #durable = 0;
  readonly #rot = new Rot();
  #recovery: Recovery | null = null;
  #volume: Volume | null = null;

  constructor(engine: Engine, node: string, options: DiskOptions = {}) {
    this.#engine = engine;
    this.#node = node;
    this.#options = options;
    this.#draws = new Draws(engine.seed, "disk", node);
    this.lying = options.lying ?? false;
    this.faults = new DiskFaults(engine.seed, node, (name, key, number) => {
      const print = mix(key, number);
      engine.trace.name(print, () => `${name} on the disk of ${node}`);
      engine.trace.add(decisions.disk, engine.micros, print);
    });
  }

  /** The number of the last batch that was written. */
  get written(): number {
    return this.#written;
  }

  /** The number of the last batch that is said to be durable. */
  get promised(): number {
    return this.#promised;
  }

  /** How many bytes wait for a flush. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** What the last recovery found. */
  get recovery(): Recovery | null {
    return this.#recovery;
  }

  /** Whether the present life cannot use it any more: a flush has failed, or the recovery refused. */
  get failed(): boolean {
    return this.#volume !== null && this.#volume.lost !== null;
  }

  /** A copy of what the present life sees; while nobody has mounted it, of what the next would find. */
  contents(): Tables {
    return this.#volume?.tables.snapshot() ?? this.#replay();
  }

  // --- lives -------------------------------------------------------------------------------------

  /** Mounts the disk for a life, after a recovery; in the same life again, it is mounted already. */
  mount(life: number): Volume {
    if (this.#volume?.life === life) return this.#volume;
    const tables = this.#recover();
    const refused = this.#recovery?.refused ?? null;
    const lost: Problem | null =
      refused === null ? null : { code: "KITH_STORAGE_CORRUPT", detail: refused };
    this.#volume = { life, tables, lost, told: false };
    return this.#volume;
  }

  /** The node has stopped properly: its host writes everything out, unless a flush has failed. */
  close(): void {
    const volume = this.#volume;
    if (volume === null) return;
    if (volume.lost !== null) {
      this.crash();
      return;
    }
    if (this.beginFlush().fails) {
      this.crash();
      return;
    }
    this.promise();
    this.#volume = null;
  }

  /** The node has crashed: what is durable stays, and of the rest a prefix. */
  crash(): CrashOutcome {
    this.#volume = this.#flushed = this.#flushing = null;
    const begin = this.#journal.findIndex(({ number }) => number > this.#durable);
    const exposed = begin < 0 ? [] : this.#journal.splice(begin);
    const draw = this.#draws.draw("crash", this.#draws.count("crash"));
    // Where no rule decides: all that was written up to some point is there, and half of the time torn there.
    const cut = draw % (exposed.length + 1);
    const tearing = mix(draw, 1) % 2 === 0;
    let kept = 0;
    let torn = 0;
    for (const [i, entry] of exposed.entries()) {
      const own = i < cut ? "keep" : i === cut && tearing ? "tear" : "lose";
      const fate = this.#judge("crash", entry.number, entry.bytes.length).verdict ?? own;
      if (fate === "lose") break;
      if (fate === "tear") {
        torn++;
        this.#journal.push({ ...entry, bytes: this.#tear(entry) });
        break;
      }
      kept++;
      this.#journal.push(entry);
    }
    // Numbers go on behind what is lost, so that no draw is used twice; and what is there now stays.
    this.#durable = this.#promised = this.#written;
    this.#pendingBytes = 0;
    this.#trace("crash", mix(kept, torn));
    return { kept, torn, lost: exposed.length - kept - torn };
  }

  /** Replaces the disk by an empty one, while the node is down. */
  wipe(): void {
    this.#volume = this.#flushed = this.#flushing = this.#recovery = null;
    this.#image = { number: 0, tables: new Tables() };
    this.#journal = [];
    this.#rot.items = [];
    this.#pendingBytes = 0;
    this.#durable = this.#promised = this.#written;
    this.#trace("wipe", this.#written);
  }

  /** Reads everything, cuts what is torn, and says whether the rest can be used. */
  #recover(): Tables {
    const journal = this.#journal;
    const bad = journal.findIndex(({ bytes }) => !isIntact(bytes));
    const middle = bad >= 0 && bad < journal.length - 1 ? journal[bad] : undefined;
    const cut = bad >= 0 && middle === undefined ? journal.splice(bad) : [];
    const tables = this.#replay();
    const what = middle === undefined ? this.#rot.firstIn(tables) : `batch ${middle.number}`;
    const refused =
      what === undefined ? null : `The checksum of ${what} on ${this.#node} is wrong.`;
    const cutBytes = cut.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const last = journal.at(-1)?.number ?? this.#image.number;
    this.#recovery = { last, cutBatches: cut.length, cutBytes, refused };
    this.#flushed = { number: last, tables: tables.snapshot() };
    this.#countPending();
    this.#trace("recovery", mix(last, cut.length));
    return tables;
  }

  /** The state that the image and the intact beginning of the journal make. */
  #replay(): Tables {
    const tables = this.#image.tables.snapshot();
    for (const { bytes } of this.#journal) {
      if (!isIntact(bytes)) break;
      tables.apply("", decodeBatch(bytes));
    }
    return tables;
  }

  // --- writing -----------------------------------------------------------------------------------

  /** Takes a batch. @returns its number; that of the last one for an empty batch, which is none */
  write(volume: Volume, namespace: string, operations: readonly Operation[]): number | Problem {
    const { tables } = volume;
    const problem = tables.check(namespace, operations);
    if (problem !== null) return problem;
    if (operations.length === 0) return this.#written;
    const full = this.room(volume, tables.growth(operations));
    if (full !== null) return full;
    tables.apply(namespace, operations);
    return this.#append(namespace, operations);
  }

  /** Takes the batch that an installation comes down to. @returns its number */
  install(volume: Volume, install: number, operations: readonly Operation[]): number | Problem {
    const { tables } = volume;
    const namespace = tables.installing(install);
    const problem = tables.checkInstall(install, operations);
    if (problem !== null || namespace === undefined) return problem ?? unknownInstall(install);
    const full = this.room(volume, tables.growth(operations));
    if (full !== null) return full;
    tables.commitInstall(install, operations);
    const scanned = tables.scan({ namespace, bytesMax: Infinity });
    const entries = "code" in scanned ? [] : scanned.entries;
    // Cutting nothing makes the namespace. What the operations did to the keys is in the entries
    // already, and done again it does nothing.
    const batch: Operation[] = [{ kind: "cut", to: 0 }, { kind: "delete-range" }];
    for (const { key, value } of entries) batch.push({ kind: "put", key, value });
    return this.#append(namespace, batch.concat(operations));
  }

  /** Whether the device takes so many bytes more; null where it does. */
  room(volume: Volume, more: number): Problem | null {
    const usedBefore = volume.tables.bytes;
    const number = this.#draws.count("write");
    const { verdict } = this.#judge("write", number, more, usedBefore, usedBefore + more);
    if (verdict !== "fail") return null;
    const detail = `The disk of ${this.#node} has no room for ${more} bytes beside ${usedBefore}.`;
    return { code: "KITH_STORAGE_FULL", detail };
  }

  #append(namespace: string, operations: readonly Operation[]): number {
    const bytes = encodeBatch(++this.#written, namespace, operations);
    this.#journal.push({ number: this.#written, bytes });
    this.#pendingBytes += bytes.length;
    this.#trace("write", checksumOf(bytes));
    return this.#written;
  }

  // --- flushing ----------------------------------------------------------------------------------

  /** Begins to flush all that was written. @returns how long it takes, and whether it fails in the end */
  beginFlush(): { readonly micros: number; readonly fails: boolean } {
    const bytes = this.#pendingBytes;
    const { delay, verdict } = this.#judge("flush", this.#draws.count("flush"), bytes);
    if (this.#volume !== null) {
      this.#flushing = { number: this.#written, tables: this.#volume.tables.snapshot() };
    }
    return { micros: this.micros("flush", bytes) + delay, fails: verdict === "fail" };
  }

  /** Ends the flush. @returns the last batch that is durable now */
  promise(): number {
    const flushing = this.#flushing;
    if (flushing === null) return this.#promised;
    this.#flushing = null;
    this.#promised = flushing.number;
    if (this.lying) this.#overflow();
    else this.#settle(flushing);
    this.#countPending();
    this.#trace("flush", this.#promised);
    const number = this.#draws.count("store");
    if (this.#judge("store", number, this.#image.tables.bytes).verdict === "rot") {
      this.#rotSomething(number);
    }
    return this.#promised;
  }

  /** Makes everything durable up to a flush. The image follows one flush behind, so that there is a tail. */
  #settle(now: Point): void {
    this.#durable = now.number;
    const before = this.#flushed;
    // A flush of nothing leaves the tail as it is.
    if (before?.number === now.number) return;
    this.#flushed = now;
    if (before === null || before.number < this.#image.number) return;
    this.#image = before;
    this.#drop(before.number);
  }

  /** A lying disk has written out what its cache had no room for. */
  #overflow(): void {
    let bytes = 0;
    let batches = 0;
    const last = this.#journal.findLast((entry) => {
      bytes += entry.bytes.length;
      return ++batches > cacheBatchesMax || bytes > cacheBytesMax;
    });
    if (last === undefined || last.number > this.#promised) return;
    this.#durable = Math.max(this.#durable, last.number);
    const tables = this.#image.tables.snapshot();
    for (const entry of this.#journal) {
      if (entry.number <= last.number) tables.apply("", decodeBatch(entry.bytes));
    }
    this.#image = { number: last.number, tables };
    this.#drop(last.number);
  }

  #drop(upTo: number): void {
    const end = this.#journal.findIndex(({ number }) => number > upTo);
    this.#journal.splice(0, end < 0 ? this.#journal.length : end);
  }

  #countPending(): void {
    this.#pendingBytes = 0;
    for (let i = this.#journal.length - 1; i >= 0; i--) {
      const entry = this.#journal[i];
      if (entry === undefined || entry.number <= this.#promised) break;
      this.#pendingBytes += entry.bytes.length;
    }
  }

  // --- reading, and what rots ----------------------------------------------------------------------

  /** Whether a read fails, how much longer it takes, and what of it has rotted. */
  judgeRead(
    asked: Asked,
    result: Result,
    bytes: number,
  ): Judgement & { readonly rotten: string | undefined } {
    const judgement = this.#judge("read", this.#draws.count("read"), bytes);
    return { ...judgement, rotten: this.#rot.firstRead(asked, result) };
  }

  /** Changes a bit of what lies on the disk. Nothing happens where nothing lies there. */
  rot(place: RotPlace): void {
    if (place === "tail") {
      this.#rotTail();
      return;
    }
    const bytes = this.#rot.add(this.#flushed?.tables ?? this.#replay(), place);
    if (bytes !== undefined) this.#trace("rot", fingerprint(bytes));
  }

  #rotTail(): void {
    const at = this.#journal.findLastIndex(({ number }) => number <= this.#durable);
    const entry = this.#journal[at];
    if (entry === undefined) return;
    const bytes = new Uint8Array(entry.bytes);
    const bit = this.#draws.draw("rotten bit", entry.number) % (bytes.length * 8);
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    this.#journal[at] = { ...entry, bytes };
    this.#trace("rot", entry.number);
  }

  /** Lets the last durable batch rot, or one of the items that it has stored. */
  #rotSomething(number: number): void {
    const tail = this.#journal.findLast((entry) => entry.number <= this.#durable);
    if (tail === undefined || !isIntact(tail.bytes)) return;
    const places: RotPlace[] = ["tail"];
    for (const operation of decodeBatch(tail.bytes)) {
      if (operation.kind === "append" || operation.kind === "put") places.push(operation);
    }
    this.rot(places[this.#draws.draw("rot", number) % places.length] ?? "tail");
  }

  /** A batch as a power cut leaves it: some of its sectors, and never all, have been written. */
  #tear({ number, bytes }: JournalEntry): Uint8Array {
    const torn = new Uint8Array(bytes);
    const sectors = sectorsOf(bytes.length);
    const lost = this.#draws.draw("lost sector", number) % sectors;
    const survivors = this.#draws.draw("sector", number);
    for (let sector = 0; sector < sectors; sector++) {
      if (sector !== lost && mix(survivors, sector) % 2 === 0) continue;
      // What stood there before is anything, but not this.
      const end = Math.min(bytes.length, (sector + 1) * sectorBytes);
      for (let i = sector * sectorBytes; i < end; i++) torn[i] = (torn[i] ?? 0) ^ 0xa5;
    }
    return torn;
  }

  // --- draws ---------------------------------------------------------------------------------------

  /** How long something takes, in whole microseconds. */
  micros(kind: "read" | "write" | "flush", bytes: number): number {
    const { draw, range } = latencies[kind];
    const { min, max } = this.#options[kind] ?? range;
    const drawn = this.#draws.draw(draw, this.#draws.count(draw)) % (max - min + 1);
    return min + drawn + Math.floor(bytes / 1024);
  }

  /** A number for an answer or a flush, which this disk never gave before. */
  nextNumber(what: "answer" | "gathering"): number {
    return this.#draws.count(what);
  }

  /** A tie-break for what the engine is to do for this disk. */
  tie(what: "answer tie" | "flush tie" | "loss tie", number: number): number {
    return this.#draws.draw(what, number);
  }

  #judge(deed: DiskDeed, number: number, bytes: number, usedBefore = 0, used = 0): Judgement {
    const time = this.#engine.micros / 1000;
    return this.faults.judge({ deed, number, bytes, usedBefore, used, time });
  }

  #trace(what: string, about: number): void {
    const { trace, micros } = this.#engine;
    const print = this.#draws.draw(what, about);
    trace.name(print, () => `${what} on the disk of ${this.#node}`);
    trace.add(decisions.disk, micros, print);
  }

  // --- checkpoints -----------------------------------------------------------------------------------

  /** The whole state. It can be loaded more than once, and into another disk of the same node. */
  save(): SavedDisk {
    return {
      image: copyOf(this.#image),
      flushed: this.#flushed && copyOf(this.#flushed),
      flushing: this.#flushing && copyOf(this.#flushing),
      journal: [...this.#journal],
      written: this.#written,
      promised: this.#promised,
      durable: this.#durable,
      lying: this.lying,
      rotten: this.#rot.items,
      counts: this.#draws.save(),
      recovery: this.#recovery,
      volume: this.#volume && { ...this.#volume, tables: this.#volume.tables.fork() },
      faults: this.faults.save(),
    };
  }

  /** Goes on from a saved state. */
  load(saved: SavedDisk): void {
    this.#image = copyOf(saved.image);
    this.#flushed = saved.flushed && copyOf(saved.flushed);
    this.#flushing = saved.flushing && copyOf(saved.flushing);
    this.#journal = [...saved.journal];
    this.#written = saved.written;
    this.#promised = saved.promised;
    this.#durable = saved.durable;
    this.lying = saved.lying;
    this.#rot.items = saved.rotten;
    this.#draws.load(saved.counts);
    this.#recovery = saved.recovery;
    this.#volume = saved.volume && { ...saved.volume, tables: saved.volume.tables.fork() };
    this.faults.load(saved.faults);
    this.#countPending();
  }
}

function copyOf({ number, tables }: Point): Point {
  return { number, tables: tables.snapshot() };
}

function unknownInstall(install: number): Problem {
  return { code: "KITH_STORAGE_INSTALL", detail: `Installation ${install} is not under way.` };
}
