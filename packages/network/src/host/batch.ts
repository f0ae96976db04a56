/**
 * Batches: what travels in one WebSocket message once both sides know each other. A batch is a sequence of
 * records; an empty one says that its sender lives.
 *
 * A record begins with an integer of variable length, whose two low bits are its kind and whose rest is its
 * number: of the bytes of the message that follows (`message`, `wanted`), of the deliveries that arrived
 * (`arrived`), or of what is said (`word`). Deliveries are not named: on one connection both sides count the
 * `wanted` messages alike, and each `arrived` or refusing `word` is about the oldest that are still open.
 */

import { networkError } from "../errors.ts";
import type { DropReason } from "../port.ts";

const kind = { message: 0, wanted: 1, arrived: 2, word: 3 } as const;

/** What a word says. */
const word = { bye: 0, "wrong-incarnation": 1, "unknown-tag": 2 } as const;

/** Why a receiver does not take a message. */
export type Refusal = Extract<DropReason, "wrong-incarnation" | "unknown-tag">;

/** What the other side is to be told of its deliveries: how many arrived, or why the next one did not. */
export type Receipt = number | Refusal;

const nothing = new Uint8Array(0);

/** How many bytes the record of a message of so many bytes has. */
export function recordBytes(length: number): number {
  return length + integerBytes(length * 4);
}

/** Writes the record of a message, for which there must be room. @returns where it ends */
export function writeRecord(
  batch: Uint8Array,
  from: number,
  bytes: Uint8Array,
  wanted: boolean,
): number {
  const { length } = bytes;
  const at = writeInteger(batch, from, length * 4 + (wanted ? kind.wanted : kind.message));
  batch.set(bytes, at);
  return at + length;
}

/** The batch of these receipts and of records, in this order; with `bye`, the last of its sender. */
export function writeBatch(
  receipts: readonly Receipt[],
  records: Uint8Array = nothing,
  bye = false,
): Uint8Array {
  if (receipts.length === 0 && !bye) return records;
  let length = records.length + (bye ? 1 : 0);
  for (const receipt of receipts) length += integerBytes(receiptHead(receipt));
  const batch = new Uint8Array(length);
  let at = 0;
  for (const receipt of receipts) at = writeInteger(batch, at, receiptHead(receipt));
  batch.set(records, at);
  if (bye) batch[length - 1] = word.bye * 4 + kind.word;
  return batch;
}

/** What a batch is made of, for whoever reads it. */
export interface BatchReader {
  message(bytes: Uint8Array, wanted: boolean): void;
  receipt(receipt: Receipt): void;
  bye(): void;
}

/**
 * Reads a batch.
 *
 * @throws KithError `KITH_FRAME_MALFORMED`; what stands before the wrong place has been read then
 */
export function readBatch(frame: Uint8Array, reader: BatchReader): void {
  // The parts of a host's own kind of byte array cost more than those of a plain one.
  const batch = new Uint8Array(frame.buffer, frame.byteOffset, frame.length);
  for (let at = 0; at < batch.length;) {
    // By hand: a record is as frequent as a message.
    let head = 0;
    for (let unit = 1; ; unit *= 0x80) {
      const byte = batch[at++];
      if (byte === undefined || unit > 2 ** 28) throw malformed("an integer is too long");
      head += (byte & 0x7f) * unit;
      if (byte < 0x80) break;
    }
    const what = head & 3;
    const value = Math.floor(head / 4);
    if (what === kind.message || what === kind.wanted) {
      if (value > batch.length - at) throw malformed("a message is longer than the batch");
      reader.message(batch.subarray(at, at + value), what === kind.wanted);
      at += value;
    } else if (what === kind.arrived) {
      if (value === 0) throw malformed("a receipt for nothing");
      reader.receipt(value);
    } else if (value === word.bye) {
      if (at !== batch.length) throw malformed("it goes on after the last word");
      reader.bye();
    } else if (value === word["wrong-incarnation"]) reader.receipt("wrong-incarnation");
    else if (value === word["unknown-tag"]) reader.receipt("unknown-tag");
    else throw malformed(`there is no word ${value}`);
  }
}

function receiptHead(receipt: Receipt): number {
  return typeof receipt === "number" ? receipt * 4 + kind.arrived : word[receipt] * 4 + kind.word;
}

function integerBytes(value: number): number {
  let bytes = 1;
  for (let left = value; left >= 0x80; left = Math.floor(left / 0x80)) bytes++;
  return bytes;
}

function writeInteger(batch: Uint8Array, from: number, value: number): number {
  let at = from;
  let left = value;
  for (; left >= 0x80; left = Math.floor(left / 0x80)) batch[at++] = (left & 0x7f) | 0x80;
  batch[at++] = left;
  return at;
}

function malformed(why: string): Error {
  return networkError("KITH_FRAME_MALFORMED", `A batch is malformed: ${why}.`);
}
