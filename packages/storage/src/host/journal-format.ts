/**
 * The bytes of a journal: segments of frames, each frame the batches of one flush.
 *
 * A segment begins with its number, the sequence of its first frame, and a salt. A frame is a marker, its
 * length, its sequence, a checksum (CRC-32, begun with the salt) and the payload. A frame is written only
 * when the one before it is on the disk; so after a power cut at most the last frame is torn, and an
 * invalid frame with a valid one behind it was damaged later. Pure: bytes in, findings out. Numbers
 * are unsigned and big-endian.
 */

import { crc32 } from "node:zlib";

/** The version that stands in every segment. */
export const journalVersion = 1;
/** Bytes before the first frame. */
export const segmentHeaderBytes = 40;
/** Bytes before the payload of a frame. */
export const frameHeaderBytes = 20;

const magic = Buffer.from("KITHJRNL", "latin1");
const marker = Buffer.from([0xf7, 0x4b, 0x4a, 0x46]);
/** The length stands in 32 bits; a frame ends long before that. */
const payloadBytesMax = 0xffff_ffff;

/** What the head of a segment says. */
export interface SegmentHead {
  readonly number: number;
  /** The sequence of the first frame. */
  readonly sequence: number;
  readonly salt: number;
}

/** The head of a segment as bytes. */
export function encodeHead({ number, sequence, salt }: SegmentHead): Buffer {
  const head = Buffer.alloc(segmentHeaderBytes);
  magic.copy(head, 0);
  head.writeUInt32BE(journalVersion, 8);
  writeSafe(head, number, 12);
  writeSafe(head, sequence, 20);
  head.writeUInt32BE(salt, 28);
  head.writeUInt32BE(crc32(head.subarray(0, 36)), 36);
  return head;
}

/**
 * Reads the head of a segment. "none" is a file of which nothing but zeros was written, as a crash at its
 * creation leaves it; "foreign" has another format or version; "corrupt" has a wrong checksum.
 */
export function decodeHead(bytes: Buffer): SegmentHead | "none" | "foreign" | "corrupt" {
  if (isZero(bytes, 0)) return "none";
  // A torn head has nothing behind it: it is on the disk before the first frame is written.
  const short = bytes.length < segmentHeaderBytes || isZero(bytes, segmentHeaderBytes);
  if (bytes.length >= segmentHeaderBytes && bytes.subarray(0, 8).equals(magic)) {
    const valid = bytes.readUInt32BE(36) === crc32(bytes.subarray(0, 36));
    if (valid && bytes.readUInt32BE(8) !== journalVersion) return "foreign";
    if (valid) {
      const salt = bytes.readUInt32BE(28);
      return { number: readSafe(bytes, 12), sequence: readSafe(bytes, 20), salt };
    }
  }
  if (short) return "none";
  return bytes.subarray(0, 8).equals(magic) ? "corrupt" : "foreign";
}

/** Fills in the header of a frame; its payload lies behind it, in one or more parts. */
export function sealFrame(
  header: Buffer,
  salt: number,
  sequence: number,
  payload: readonly Uint8Array[],
): void {
  let length = 0;
  for (const part of payload) length += part.length;
  marker.copy(header, 0);
  header.writeUInt32BE(length, 4);
  writeSafe(header, sequence, 8);
  let sum = crc32(header.subarray(4, 16), salt);
  for (const part of payload) sum = crc32(part, sum);
  header.writeUInt32BE(sum, 16);
}

/** What a segment holds. */
export interface Scanned {
  /** The payloads, in order; they share the bytes of the segment. */
  readonly payloads: readonly Buffer[];
  /** Where the last valid frame ends. */
  readonly end: number;
  /** What lies behind it: nothing but zeros, a frame that was never finished, or damage. */
  readonly rest: "clean" | "torn" | "corrupt";
  /** How many bytes lie behind it, without the zeros at the end. */
  readonly restBytes: number;
}

/** Reads the frames of a segment, up to the first that is not valid, and judges what that is. */
export function scanSegment(bytes: Buffer, { salt, sequence }: SegmentHead): Scanned {
  const payloads: Buffer[] = [];
  let at = segmentHeaderBytes;
  for (;;) {
    const payload = frameAt(bytes, at, salt, sequence + payloads.length);
    if (payload === null) break;
    payloads.push(payload);
    at += frameHeaderBytes + payload.length;
  }
  const restBytes = usedEnd(bytes, at) - at;
  let rest: Scanned["rest"] = restBytes === 0 ? "clean" : "torn";
  for (let next = bytes.indexOf(marker, at); next >= 0; next = bytes.indexOf(marker, next + 1)) {
    if (frameAt(bytes, next, salt, null) !== null) rest = "corrupt";
  }
  return { payloads, end: at, rest, restBytes };
}

/** The payload of a valid frame of that sequence (of any, where it is null), or null. */
function frameAt(bytes: Buffer, at: number, salt: number, sequence: number | null): Buffer | null {
  if (at + frameHeaderBytes > bytes.length) return null;
  if (bytes.compare(marker, 0, 4, at, at + 4) !== 0) return null;
  const length = bytes.readUInt32BE(at + 4);
  const end = at + frameHeaderBytes + length;
  if (length > payloadBytesMax || end > bytes.length) return null;
  if (sequence !== null && readSafe(bytes, at + 8) !== sequence) return null;
  const payload = bytes.subarray(at + frameHeaderBytes, end);
  const sum = crc32(payload, crc32(bytes.subarray(at + 4, at + 16), salt));
  return sum === bytes.readUInt32BE(at + 16) ? payload : null;
}

/** Where the zeros at the end begin, at `from` at the earliest. */
function usedEnd(bytes: Buffer, from: number): number {
  let end = bytes.length;
  while (end > from && bytes[end - 1] === 0) end--;
  return end;
}

function isZero(bytes: Buffer, from: number): boolean {
  return usedEnd(bytes, Math.min(from, bytes.length)) <= from;
}

/** Writes a safe integer in eight bytes. */
export function writeSafe(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32BE(Math.floor(value / 0x1_0000_0000), at);
  bytes.writeUInt32BE(value % 0x1_0000_0000, at + 4);
}

/** Reads a safe integer from eight bytes. */
export function readSafe(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4);
}

/** What the name of a segment's file is. */
export function segmentName(number: number): string {
  return `journal-${String(number).padStart(12, "0")}`;
}

/** The number in the name of a segment's file; null for another file. */
export function segmentNumber(name: string): number | null {
  const found = /^journal-(\d{12})$/.exec(name);
  return found === null ? null : Number(found[1]);
}
