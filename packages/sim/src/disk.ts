/**
 * A simulated disk: one per node, living across the node's lives.
 *
 * What is written is a journal of batches in order, and below it the image that older batches have
 * made. A flush makes the journal durable up to a batch. A crash keeps what is durable and, of the
 * rest, a prefix whose last batch may be torn, sector by sector; the recovery at the next mount finds
 * that by its checksum and cuts it. A lying disk promises durability and does not keep it: it is there
 * to prove that a test would notice.
 *
 * Invariants: `durable <= promised <= written`, by the number of the batch, and `durable = promised`
 * unless the disk lies; the journal holds at least all batches that are not durable, without a gap.
 * Every draw is keyed by the seed, the node, what is drawn and its count.
 */

import { mix, streamKey } from "@kith/core";
import { checksumOf, encodeBatch, isIntact, sectorBytes, sectorsOf } from "./batch.ts";
import { type DiskDeed, DiskFaults, type Judgement, type SavedFaults } from "./disk-faults.ts";
import type { Engine } from "./engine.ts";
import { failed, type Failure } from "./results.ts";
import { type ItemPlace, type Operation, Tables } from "./tables.ts";
import { fingerprint } from "./trace.ts";
import { type SavedVolume, Volume } from "./volume.ts";

/** A range of durations in whole microseconds, both ends included. */
export interface MicrosRange {
  readonly min: number;
  readonly max: number;
}

/** What may be said of a disk. */
export interface DiskOptions {
  /** How long a read takes; default 10 to 60 µs, and 1 µs more for each KiB. */
  readonly read?: MicrosRange;
  /** How long a write takes, without its flush; default 2 to 15 µs, and 1 µs more for each KiB. */
  readonly write?: MicrosRange;
  /** How long a flush takes; default 200 to 2,000 µs, and 1 µs more for each KiB. */
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

/** What a crash left of the batches that were not durable. */
export interface CrashOutcome {
  readonly kept: number;
  readonly torn: number;
  readonly lost: number;
}

/** What lies on a disk where a test lets it rot: an item, or the last durable batch of the journal. */
export type RotPlace = ItemPlace | "tail";

interface JournalEntry {
  readonly number: number;
  /** The batch as the device has it. */
  readonly bytes: Uint8Array;
  /** The state behind it: what a recovery would read out of all bytes up to here. */
  readonly after: Tables;
}

/** What a checkpoint keeps of a disk: references to values that nobody changes. */
export interface SavedDisk {
  readonly image: Tables;
  readonly imageLast: number;
  readonly journal: readonly JournalEntry[];
  readonly written: number;
  readonly promised: number;
  readonly durable: number;
  readonly rotted: boolean;
  readonly lying: boolean;
  readonly counts: ReadonlyMap<string, number>;
  readonly recovery: Recovery | null;
  readonly volume: SavedVolume | null;
  readonly faults: SavedFaults;
}

/** Durable batches that stay in the journal, where only their checksums guard them. */
const keptBatchesMax = 8;
const keptBytesMax = 64 * 1024;
/** What a lying disk keeps to itself at most: a real one's cache has an end, too. */
const cacheBatchesMax = 1024;
const cacheBytesMax = 4 * 1024 * 1024;

const latencies = {
  read: { min: 10, max: 60 },
  write: { min: 2, max: 15 },
  flush: { min: 200, max: 2000 },
} as const;
const latencyDraws = {
  read: "read latency",
  write: "write latency",
  flush: "flush latency",
} as const;

/** A disk. */
export class Disk {
  /** The faults: rules that are installed and removed at any time. */
  readonly faults: DiskFaults;
  /** Whether flushes that it answers for are lost at a crash like all that is not durable. */
  lying: boolean;
  readonly #engine: Engine;
  readonly #node: string;
  readonly #options: DiskOptions;
  #image = Tables.empty;
  /** The last batch that is in the image. */
  #imageLast = 0;
  #journal: JournalEntry[] = [];
  #pendingBytes = 0;
  #written = 0;
  #promised = 0;
  #durable = 0;
  #rotted = false;
  #counts = new Map<string, number>();
  readonly #keys = new Map<string, number>();
  #recovery: Recovery | null = null;
  #volume: Volume | null = null;

  constructor(engine: Engine, node: string, options: DiskOptions = {}) {
    this.#engine = engine;
    this.#node = node;
    this.#options = options;
    this.lying = options.lying ?? false;
    this.faults = new DiskFaults(engine.seed, node, (key, number) => {
      engine.trace.add("fault", engine.micros, mix(key, number));
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

  /** What the present life sees; while nobody has mounted the disk, what the next one would find. */
  get tables(): Tables {
    if (this.#volume !== null) return this.#volume.tables;
    return this.#journal.findLast(({ bytes }) => isIntact(bytes))?.after ?? this.#image;
  }

  /** What the last recovery found. */
  get recovery(): Recovery | null {
    return this.#recovery;
  }

  // --- mounting ----------------------------------------------------------------------------------

  /** Mounts the disk for a life, after a recovery; in the same life again, it is mounted already. */
  mount(life: number): Volume {
    if (this.#volume?.life === life) return this.#volume;
    const { refused } = this.#recover();
    const lost =
      refused === null ? null : ({ code: "KITH_STORAGE_CORRUPT", detail: refused } as const);
    this.#volume = new Volume({ life, tables: this.tables, lost });
    return this.#volume;
  }

  /** The node stops properly: the host writes everything out, unless the storage is dead. */
  close(): void {
    const lost = this.#volume?.lost;
    if (lost !== null && lost !== undefined) {
      this.crash();
      return;
    }
    this.#volume = null;
    this.promise(this.#written);
  }

  /** The node crashes: what is durable stays, and of the rest a prefix. */
  crash(): CrashOutcome {
    this.#volume = null;
    const begin = this.#journal.findIndex(({ number }) => number > this.#durable);
    const exposed = begin < 0 ? [] : this.#journal.splice(begin);
    const draw = this.#draw("crash", this.#count("crash"));
    const cut = draw % (exposed.length + 1);
    let kept = 0;
    let torn = 0;
    for (const [i, entry] of exposed.entries()) {
      // The draw for what no rule decides: all that was written up to a point, and half of the rest of it.
      const own = i < cut ? "keep" : i === cut && mix(draw, 1) % 2 === 0 ? "tear" : "lose";
      const fate = this.#judge("crash", entry.number, entry.bytes.length).verdict ?? own;
      if (fate === "lose") break;
      this.#journal.push(fate === "tear" ? { ...entry, bytes: this.#tear(entry) } : entry);
      if (fate === "tear") {
        torn++;
        break;
      }
      kept++;
    }
    // Numbers go on behind what is lost: no draw is used twice.
    this.#durable = this.#promised = this.#written;
    this.#pendingBytes = 0;
    this.#trace("crash", mix(kept, torn));
    return { kept, torn, lost: exposed.length - kept - torn };
  }

  /** Replaces the disk by an empty one. */
  wipe(): void {
    this.#volume = null;
    this.#image = Tables.empty;
    this.#imageLast = 0;
    this.#journal = [];
    this.#pendingBytes = 0;
    this.#durable = this.#promised = this.#written;
    this.#rotted = false;
    this.#recovery = null;
    this.#trace("wipe", this.#written);
  }

  #recover(): Recovery {
    const journal = this.#journal;
    const bad = journal.findIndex(({ bytes }) => !isIntact(bytes));
    const inTheMiddle = bad >= 0 && bad < journal.length - 1;
    let refused: string | null = null;
    const cut = bad >= 0 && !inTheMiddle ? journal.splice(bad) : [];
    if (inTheMiddle) {
      refused = `The checksum of batch ${journal[bad]?.number ?? 0} of ${this.#node} is wrong, and batches follow it.`;
    } else if (this.#rotted) {
      const place = this.tables.firstRotten();
      if (place !== undefined) refused = `The checksum of ${place} of ${this.#node} is wrong.`;
    }
    const cutBytes = cut.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const last = journal.at(-1)?.number ?? this.#imageLast;
    this.#recovery = { last, cutBatches: cut.length, cutBytes, refused };
    this.#trace("recovery", mix(last, cut.length));
    return this.#recovery;
  }

  // --- writing and reading -------------------------------------------------------------------------

  /** Takes a batch. @returns its number; that of the last one for an empty batch, which is none */
  write(volume: Volume, namespace: string, operations: readonly Operation[]): number | Failure {
    const after = volume.tables.apply(namespace, operations);
    if ("kind" in after) return after;
    if (operations.length === 0) return this.#written;
    const bytes = encodeBatch(this.#written + 1, namespace, operations);
    const full = this.room(volume, after.bytes - volume.tables.bytes, bytes.length);
    if (full !== undefined) return full;
    this.#written++;
    this.#journal.push({ number: this.#written, bytes, after });
    this.#pendingBytes += bytes.length;
    volume.tables = after;
    this.#trace("write", checksumOf(bytes));
    return this.#written;
  }

  /** Whether the device takes so many bytes more. */
  room(volume: Volume, more: number, bytes: number): Failure | undefined {
    const usedBefore = volume.tables.bytes + volume.staged;
    const used = usedBefore + more;
    const number = this.#count("write");
    if (this.#judge("write", number, bytes, usedBefore, used).verdict !== "fail") return undefined;
    return failed("KITH_STORAGE_FULL", `The disk of ${this.#node} is full at ${usedBefore} bytes.`);
  }

  /** Begins to flush all that was written. @returns how long it takes, and whether it fails in the end */
  beginFlush(): { readonly micros: number; readonly fails: boolean } {
    const bytes = this.#pendingBytes;
    const { delay, verdict } = this.#judge("flush", this.#count("flush"), bytes);
    return { micros: this.micros("flush", bytes) + delay, fails: verdict === "fail" };
  }

  /** Makes the journal durable up to a batch. */
  promise(upTo: number): void {
    this.#promised = Math.max(this.#promised, upTo);
    this.#durable = Math.max(this.#durable, this.lying ? this.#outOfCache() : upTo);
    this.#fold();
    this.#countPending();
    this.#trace("flush", upTo);
    const stored = this.#count("store");
    if (this.#judge("store", stored, this.#image.bytes).verdict !== "rot") return;
    const { items } = this.#durableTables;
    const place = this.#durableTables.item(this.#draw("rot", stored) % (items + 1));
    this.rot(place ?? "tail");
  }

  /** Whether a read fails, and how much longer it takes. */
  judgeRead(bytes: number): Judgement {
    return this.#judge("read", this.#count("read"), bytes);
  }

  /** How long something takes, in whole microseconds. */
  micros(kind: "read" | "write" | "flush", bytes: number): number {
    const { min, max } = this.#options[kind] ?? latencies[kind];
    const draw = this.#draw(latencyDraws[kind], this.#count(latencyDraws[kind]));
    return min + (draw % (max - min + 1)) + Math.floor(bytes / 1024);
  }

  /** Changes a bit of what lies on the disk. Nothing happens where nothing lies there. */
  rot(place: RotPlace): void {
    if (place === "tail") this.#rotTail();
    else this.#rotItem(place);
  }

  #rotTail(): void {
    const at = this.#journal.findLastIndex(({ number }) => number <= this.#durable);
    const entry = this.#journal[at];
    if (entry === undefined) return;
    const bytes = new Uint8Array(entry.bytes);
    const bit = this.#draw("rotten bit", entry.number) % (bytes.length * 8);
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    this.#journal[at] = { ...entry, bytes };
    this.#trace("rot", entry.number);
  }

  #rotItem(place: ItemPlace): void {
    const bytes = this.#durableTables.bytesAt(place);
    if (bytes === undefined) return;
    this.#rotted = true;
    // Where something else was written over the item, it is another one, and in order.
    this.#image = this.#image.rot(place, bytes);
    this.#journal = this.#journal.map((entry) => ({
      ...entry,
      after: entry.after.rot(place, bytes),
    }));
    if (this.#volume !== null) this.#volume.tables = this.#volume.tables.rot(place, bytes);
    this.#trace("rot", fingerprint(bytes));
  }

  /** A number that this disk never gave before, for views, installations and answers. */
  nextNumber(what: "view" | "install" | "answer" | "gathering"): number {
    return this.#count(what) + 1;
  }

  /** A tie-break for what the engine is to do for this disk. */
  tie(what: "answer" | "flush" | "loss", number: number): number {
    return this.#draw(`${what} tie`, number);
  }

  // --- checkpoints ---------------------------------------------------------------------------------

  /** The whole state, by references to values that nobody changes. */
  save(): SavedDisk {
    return {
      image: this.#image,
      imageLast: this.#imageLast,
      journal: [...this.#journal],
      written: this.#written,
      promised: this.#promised,
      durable: this.#durable,
      rotted: this.#rotted,
      lying: this.lying,
      counts: new Map(this.#counts),
      recovery: this.#recovery,
      volume: this.#volume?.save() ?? null,
      faults: this.faults.save(),
    };
  }

  /** Goes on from a saved state. */
  load(saved: SavedDisk): void {
    this.#image = saved.image;
    this.#imageLast = saved.imageLast;
    this.#journal = [...saved.journal];
    this.#written = saved.written;
    this.#promised = saved.promised;
    this.#durable = saved.durable;
    this.#rotted = saved.rotted;
    this.lying = saved.lying;
    this.#counts = new Map(saved.counts);
    this.#recovery = saved.recovery;
    this.#volume = saved.volume === null ? null : new Volume(saved.volume);
    this.faults.load(saved.faults);
    this.#countPending();
  }

  // --- the journal ---------------------------------------------------------------------------------

  get #durableTables(): Tables {
    return this.#journal.findLast(({ number }) => number <= this.#durable)?.after ?? this.#image;
  }

  /** The last batch that a lying disk has written out, because its cache has an end. */
  #outOfCache(): number {
    let bytes = 0;
    let batches = 0;
    const last = this.#journal.findLast((entry) => {
      bytes += entry.bytes.length;
      return ++batches > cacheBatchesMax || bytes > cacheBytesMax;
    });
    return Math.min(last?.number ?? 0, this.#promised);
  }

  /** Moves durable batches into the image, but for the last few. */
  #fold(): void {
    let fold = 0;
    let kept = 0;
    let bytes = 0;
    for (let i = this.#journal.length - 1; i >= 0 && fold === 0; i--) {
      const entry = this.#journal[i];
      if (entry === undefined || entry.number > this.#durable) continue;
      bytes += entry.bytes.length;
      if (++kept > 1 && (kept > keptBatchesMax || bytes > keptBytesMax)) fold = i + 1;
    }
    const last = this.#journal.splice(0, fold).at(-1);
    if (last === undefined) return;
    this.#image = last.after;
    this.#imageLast = last.number;
  }

  #countPending(): void {
    this.#pendingBytes = 0;
    for (let i = this.#journal.length - 1; i >= 0; i--) {
      const entry = this.#journal[i];
      if (entry === undefined || entry.number <= this.#promised) break;
      this.#pendingBytes += entry.bytes.length;
    }
  }

  /** A batch as a power cut leaves it: some of its sectors, and never all, were written. */
  #tear({ number, bytes }: JournalEntry): Uint8Array {
    const torn = new Uint8Array(bytes);
    const sectors = sectorsOf(bytes.length);
    const lost = this.#draw("lost sector", number) % sectors;
    for (let sector = 0; sector < sectors; sector++) {
      const survives = mix(this.#draw("sector", number), sector) % 2 === 0;
      if (survives && sector !== lost) continue;
      torn.fill(0, sector * sectorBytes, (sector + 1) * sectorBytes);
    }
    return torn;
  }

  // --- draws -----------------------------------------------------------------------------------------

  #judge(deed: DiskDeed, number: number, bytes: number, usedBefore = 0, used = 0): Judgement {
    const time = this.#engine.micros / 1000;
    return this.faults.judge({ deed, number, bytes, usedBefore, used, time });
  }

  #count(what: string): number {
    const count = this.#counts.get(what) ?? 0;
    this.#counts.set(what, count + 1);
    return count;
  }

  #draw(what: string, number: number): number {
    return mix(this.#keyOf(what), number);
  }

  #trace(what: string, about: number): void {
    const { trace, micros } = this.#engine;
    const print = mix(this.#keyOf(what), about);
    trace.name(print, () => `${what} on the disk of ${this.#node}`);
    trace.add("disk", micros, print);
  }

  #keyOf(what: string): number {
    let key = this.#keys.get(what);
    if (key === undefined) {
      key = streamKey(this.#engine.seed, "disk", this.#node, what).low;
      this.#keys.set(what, key);
    }
    return key;
  }
}
