/**
 * The journal: what commits a batch. Frames are appended to the last of its segments, and are durable when
 * that is flushed; the tables on disk follow later, and then the segments before are removed.
 *
 * Room is made sure of before a batch is taken: zeros are written ahead of the frames. So a full disk
 * refuses a batch while nothing of it is applied, and a flush need not write the file's length. A little
 * of that room is kept for batches that make room.
 */

import { randomInt } from "node:crypto";
import { join } from "node:path";
import type { Problem } from "../checks.ts";
import { storageError } from "../errors.ts";
import type { Files } from "./files.ts";
import {
  encodeHead,
  frameHeaderBytes,
  sealFrame,
  segmentHeaderBytes,
  segmentName,
  segmentNumber,
} from "./journal-format.ts";
import { type Found, planRecovery } from "./recovery.ts";

/** What is left to batches that do not grow. */
const keptBytes = 16 * 1024;

/** A file with room for the next segment: a full disk must not keep it from being begun. */
const spareName = "journal-spare";

/** A file that is written to, with room made in it. */
interface Segment {
  readonly file: number;
  /** Where the next frame goes. */
  at: number;
  /** Where the zeros end that were written ahead. */
  reserved: number;
}

/** The journal of a directory, open for writing. */
export class Journal {
  readonly #files: Files;
  readonly #directory: string;
  /** How much room is made at a time. */
  readonly #stepBytes: number;
  #current: Segment = { file: -1, at: 0, reserved: 0 };
  /** The next segment. */
  #spare: Segment | null = null;
  /** Whether the next frame goes into the next segment. */
  #turning = false;
  #number = 0;
  #salt = 0;
  #sequence = 1;
  #oldest = 0;

  private constructor(files: Files, directory: string, stepBytes: number) {
    this.#files = files;
    this.#directory = directory;
    this.#stepBytes = stepBytes;
  }

  /**
   * Opens the journal, cuts off a torn end, and hands out what has to be replayed.
   *
   * @param from the first segment that the tables do not cover; null in a new directory
   */
  static open(
    files: Files,
    directory: string,
    stepBytes: number,
    from: number | null,
  ): { readonly journal: Journal; readonly payloads: readonly Buffer[]; readonly torn: number } {
    const journal = new Journal(files, directory, stepBytes);
    const found: Found[] = [];
    for (const name of files.list(directory).sort()) {
      const number = segmentNumber(name);
      if (number === null) continue;
      const bytes = number < (from ?? 1) ? Buffer.alloc(0) : files.read(join(directory, name));
      found.push({ number, bytes });
    }
    const plan = planRecovery(found, from);
    if ("code" in plan) throw storageError(plan.code, `${directory}: ${plan.detail}.`);
    for (const number of plan.remove) files.remove(journal.#path(number));
    journal.#oldest = from ?? 1;
    journal.#sequence = plan.next.sequence;
    const end = plan.last?.end ?? 0;
    const number = plan.last?.head.number ?? plan.next.number;
    const file = files.open(journal.#path(number));
    journal.#current = { file, at: end, reserved: end };
    try {
      files.truncate(file, end);
      if (plan.last === null) journal.#begin(number, journal.#current);
      else {
        journal.#number = number;
        journal.#salt = plan.last.head.salt;
        // Written again: what a flush had failed to put there may be in the host's cache alone.
        const bytes = found.find((one) => one.number === number)?.bytes;
        if (bytes !== undefined) files.write(file, [bytes.subarray(0, end)], 0);
        files.flushNow(file);
        // So may be the names.
        files.flushDirectory(directory);
      }
    } catch (error) {
      journal.close();
      throw error;
    }
    return { journal, payloads: plan.payloads, torn: plan.torn };
  }

  /** The number of the segment that is written to. */
  get number(): number {
    return this.#number;
  }

  /** Whether the next frame goes into a segment that has not begun. */
  get turning(): boolean {
    return this.#turning;
  }

  /** How many bytes this segment has. */
  get bytes(): number {
    return this.#current.at;
  }

  /**
   * Makes sure of room for a frame of so many bytes behind those that are not written yet.
   *
   * @param frees whether the batch makes room, and may use what is kept for that
   */
  reserve(bytes: number, frees: boolean): Problem | null {
    const segment = this.#turning && this.#spare !== null ? this.#spare : this.#current;
    const wanted = segment.at + bytes + (frees ? 0 : keptBytes);
    if (wanted <= segment.reserved) return null;
    // More than is needed where there is room for it, else what is needed.
    for (const end of [Math.max(wanted, segment.reserved + this.#stepBytes), wanted]) {
      const problem = this.#extend(segment, end);
      if (problem === null) return null;
      if (problem.code !== "KITH_STORAGE_FULL") return problem;
    }
    return {
      code: "KITH_STORAGE_FULL",
      detail: `there is no room for ${bytes} bytes more in ${this.#directory}`,
    };
  }

  /** Writes a frame; its first part begins with the room for the header. Throws what the host throws. */
  append(parts: readonly Buffer[]): void {
    const [head = Buffer.alloc(frameHeaderBytes), ...more] = parts;
    sealFrame(head, this.#salt, this.#sequence, [head.subarray(frameHeaderBytes), ...more]);
    const segment = this.#current;
    this.#files.write(segment.file, parts, segment.at);
    this.#sequence++;
    for (const part of parts) segment.at += part.length;
    segment.reserved = Math.max(segment.reserved, segment.at);
  }

  /** Puts all frames on the disk. */
  flush(done: (error: Error | null) => void): void {
    this.#files.flush(this.#current.file, done);
  }

  /**
   * Lets the next frame go into a new segment, for which room is made from now on; `rotate` begins it.
   *
   * @returns false where the device has no room for one
   */
  turn(): boolean {
    try {
      this.#spare ??= this.#makeSpare();
    } catch (error) {
      if (!isFull(error)) throw error;
      return false;
    }
    return (this.#turning = true);
  }

  /** Begins the new segment. All frames have to be on the disk. */
  rotate(): void {
    const before = this.#current;
    const next = this.#spare ?? this.#makeSpare();
    this.#spare = null;
    this.#turning = false;
    this.#files.truncate(before.file, before.at);
    this.#files.flushNow(before.file);
    this.#files.rename(join(this.#directory, spareName), this.#path(this.#number + 1));
    this.#begin(this.#number + 1, next);
    this.#files.close(before.file);
  }

  /** Removes the segments before this one: the tables cover them. */
  forgetBefore(number: number): void {
    for (; this.#oldest < number; this.#oldest++) this.#files.remove(this.#path(this.#oldest));
  }

  /** Closes the files. */
  close(): void {
    for (const segment of [this.#current, this.#spare]) {
      if (segment !== null && segment.file >= 0) this.#files.close(segment.file);
    }
    this.#current = { file: -1, at: 0, reserved: 0 };
    this.#spare = null;
  }

  #makeSpare(): Segment {
    const file = this.#files.open(join(this.#directory, spareName));
    try {
      this.#files.truncate(file, 0);
      this.#files.write(file, [zeros.subarray(0, keptBytes)], 0);
      this.#files.flushNow(file);
    } catch (error) {
      this.#files.close(file);
      throw error;
    }
    return { file, at: segmentHeaderBytes, reserved: keptBytes };
  }

  #begin(number: number, segment: Segment): void {
    const salt = randomInt(0x1_0000_0000);
    const head = encodeHead({ number, sequence: this.#sequence, salt });
    this.#files.write(segment.file, [head], 0);
    // Before the first frame, or a torn head could not be told from a damaged one.
    this.#files.flushNow(segment.file);
    this.#files.flushDirectory(this.#directory);
    segment.at = segmentHeaderBytes;
    segment.reserved = Math.max(segment.reserved, segmentHeaderBytes);
    this.#current = segment;
    this.#number = number;
    this.#salt = salt;
  }

  #extend(segment: Segment, end: number): Problem | null {
    const from = segment.reserved;
    try {
      for (let at = from; at < end; at += zeros.length) {
        this.#files.write(segment.file, [zeros.subarray(0, end - at)], at);
      }
    } catch (cause) {
      try {
        this.#files.truncate(segment.file, from);
      } catch {
        // The zeros that are left harm nobody.
      }
      if (isFull(cause)) return { code: "KITH_STORAGE_FULL", detail: "the device is full" };
      return { code: "KITH_STORAGE_FLUSH", detail: `a write failed: ${String(cause)}` };
    }
    segment.reserved = end;
    return null;
  }

  #path(number: number): string {
    return join(this.#directory, segmentName(number));
  }
}

const zeros = new Uint8Array(256 * 1024);
const fullCodes: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** Whether an error of the host says that there is no room. */
export function isFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (
    fullCodes.has(Reflect.get(error, "code")) || /No space left|MDB_MAP_FULL/.test(error.message)
  );
}
