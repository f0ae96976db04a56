/**
 * What a start makes of the segments that it finds. Pure: what was found in, a plan or a refusal out.
 *
 * The segments from the checkpoint on are replayed; they have to follow each other without a gap. A torn
 * end is cut off the last of them: it was never acknowledged, as a flush was still to come. Everything
 * else that is not valid was damaged later, and refuses the start (`algorithms.md` §6.5.13).
 */

import type { Problem } from "../checks.ts";
import { decodeHead, type Scanned, type SegmentHead, scanSegment } from "./journal-format.ts";

/** A segment as it was found. */
export interface Found {
  readonly number: number;
  readonly bytes: Buffer;
}

/** What to do. */
export interface Plan {
  /** The payloads of all frames, in order. */
  readonly payloads: readonly Buffer[];
  /** Segments of which nothing is needed any more, or nothing was ever written. */
  readonly remove: readonly number[];
  /** The segment that goes on, and where; null where none is there. */
  readonly last: { readonly head: SegmentHead; readonly end: number } | null;
  /** How many bytes of a torn end are cut off. */
  readonly torn: number;
  /** The number and the sequence that come next. */
  readonly next: { readonly number: number; readonly sequence: number };
}

/**
 * Plans a start.
 *
 * @param found in the order of the numbers
 * @param from the first segment that the tables do not cover; null in a new directory
 */
export function planRecovery(found: readonly Found[], from: number | null): Plan | Problem {
  const first = from ?? 1;
  const remove = found.filter(({ number }) => number < first).map(({ number }) => number);
  const needed = found.filter(({ number }) => number >= first);
  if (needed.length === 0 && from !== null) {
    return corrupt(`the journal's segment ${first} is missing`);
  }
  const payloads: Buffer[] = [];
  let next = { number: first, sequence: 1 };
  let last: Plan["last"] = null;
  let torn = 0;
  for (const [i, { number, bytes }] of needed.entries()) {
    const isLast = i === needed.length - 1;
    if (number !== first + i) return corrupt(`the journal's segment ${first + i} is missing`);
    const head = decodeHead(bytes);
    if (head === "none") {
      // Where it is the first one, it was on the disk before the checkpoint named it.
      if (isLast && (i > 0 || from === null)) {
        remove.push(number);
        break;
      }
      return corrupt(`the journal's segment ${number} has no head`);
    }
    if (head === "foreign") {
      const detail = `the journal's segment ${number} has another format or version`;
      return { code: "KITH_STORAGE_FORMAT", detail };
    }
    if (head === "corrupt" || head.number !== number) {
      return corrupt(`the head of the journal's segment ${number} is damaged`);
    }
    if (i > 0 && head.sequence !== next.sequence) {
      return corrupt(`frames are missing before the journal's segment ${number}`);
    }
    const scanned = scanSegment(bytes, head);
    if (scanned.rest === "corrupt" || (scanned.rest === "torn" && !isLast)) {
      return corrupt(damage(number, scanned));
    }
    payloads.push(...scanned.payloads);
    torn = scanned.restBytes;
    last = { head, end: scanned.end };
    next = { number: number + 1, sequence: head.sequence + scanned.payloads.length };
  }
  return { payloads, remove, last, torn, next };
}

function damage(number: number, { end, restBytes }: Scanned): string {
  return `the journal's segment ${number} is damaged at byte ${end}, ${restBytes} bytes before its end`;
}

function corrupt(detail: string): Problem {
  return { code: "KITH_STORAGE_CORRUPT", detail };
}
