/**
 * Batches as bytes: what the payload of a journal's frame is made of.
 *
 * `GroupWriter` copies the bytes of a batch once, into chunks that are never written to again; what it
 * returns are the same operations on these copies, for the tables in memory to keep. `decodeGroup` gives
 * them back from a payload, in which they share its bytes. Names are kept as UTF-16, as they need not
 * be valid text. Pure.
 */

import type { Operation } from "../operation.ts";
import { frameHeaderBytes, readSafe, writeSafe } from "./journal-format.ts";

/** A batch as it is applied. */
export interface Batch {
  readonly namespace: string;
  readonly operations: readonly Operation[];
  /** The rows that become the keys of the namespace before the operations; null for an ordinary batch. */
  readonly install: number | null;
}

const chunkBytes = 64 * 1024;
const codes = ["append", "truncate", "cut", "put", "delete", "delete-range", "drop"] as const;
const elsewhere = 0x80;

/** How many bytes a batch has in a journal, at most. */
export function batchBytes(namespace: string, operations: readonly Operation[]): number {
  let bytes = 16 + namespace.length * 2;
  for (const operation of operations) {
    bytes += 24 + (operation.namespace?.length ?? 0) * 2;
    if (operation.kind === "append") bytes += operation.record.length;
    else if (operation.kind === "put") bytes += operation.key.length + operation.value.length;
    else if (operation.kind === "delete") bytes += operation.key.length;
    else if (operation.kind === "delete-range") {
      bytes += (operation.from?.length ?? 0) + (operation.to?.length ?? 0);
    }
  }
  return bytes;
}

/** Collects the batches of a frame. */
export class GroupWriter {
  #chunk: Buffer = Buffer.allocUnsafeSlow(chunkBytes);
  #start = 0;
  #at = 0;
  #full: Buffer[] = [];
  #bytes = 0;
  #open = false;

  /** How many bytes the frame has by now, header and all; 0 where nothing was added. */
  get bytes(): number {
    return this.#open ? this.#bytes + this.#at - this.#start : 0;
  }

  /** Adds a batch. @returns the same on copies of the bytes, which the caller may keep */
  add({ namespace, operations, install }: Batch): Batch {
    if (!this.#open) {
      this.#room(frameHeaderBytes);
      this.#open = true;
      this.#start = this.#at;
      this.#at += frameHeaderBytes;
    }
    this.#name(namespace);
    this.#number(install ?? 0, 4);
    this.#number(operations.length, 4);
    const copies: Operation[] = [];
    for (const operation of operations) copies.push(this.#operation(operation, namespace));
    return { namespace, operations: copies, install };
  }

  /** The frame, in parts of which the first begins with the room for its header; starts a new one. */
  take(): Buffer[] {
    const parts = [...this.#full, this.#chunk.subarray(this.#start, this.#at)];
    this.#full = [];
    this.#bytes = 0;
    this.#open = false;
    return parts;
  }

  #operation(operation: Operation, own: string): Operation {
    const { kind } = operation;
    // The batch says it already.
    const namespace = operation.namespace === own ? undefined : operation.namespace;
    this.#number(codes.indexOf(kind) | (namespace === undefined ? 0 : elsewhere), 1);
    if (namespace !== undefined) this.#name(namespace);
    const placed = namespace === undefined ? {} : { namespace };
    switch (kind) {
      case "append": {
        const { index } = operation;
        this.#index(index);
        const record = this.#copy(operation.record);
        // Most of all operations: written out, which costs half as much as taking over what may be there.
        return namespace === undefined
          ? { kind, index, record }
          : { kind, index, record, namespace };
      }
      case "truncate":
        this.#index(operation.from);
        return operation;
      case "cut":
        this.#index(operation.to);
        return operation;
      case "put": {
        const key = this.#copy(operation.key);
        return { kind, key, value: this.#copy(operation.value), ...placed };
      }
      case "delete":
        return { kind, key: this.#copy(operation.key), ...placed };
      case "delete-range": {
        const from = this.#bound(operation.from);
        const to = this.#bound(operation.to);
        return { kind, ...(from && { from }), ...(to && { to }), ...placed };
      }
      case "drop":
        return operation;
    }
  }

  #bound(bytes: Uint8Array | undefined): Uint8Array | undefined {
    this.#number(bytes === undefined ? 0 : 1, 1);
    return bytes === undefined ? undefined : this.#copy(bytes);
  }

  #copy(bytes: Uint8Array): Uint8Array {
    this.#number(bytes.length, 4);
    this.#room(bytes.length);
    const begin = this.#at;
    this.#chunk.set(bytes, begin);
    this.#at += bytes.length;
    return this.#chunk.subarray(begin, this.#at);
  }

  #name(name: string): void {
    this.#number(name.length, 2);
    this.#room(name.length * 2);
    this.#at += this.#chunk.write(name, this.#at, "utf16le");
  }

  #index(index: number): void {
    this.#room(8);
    writeSafe(this.#chunk, index, this.#at);
    this.#at += 8;
  }

  #number(value: number, bytes: 1 | 2 | 4): void {
    this.#room(bytes);
    this.#at = this.#chunk.writeUIntBE(value, this.#at, bytes);
  }

  /** Makes room for so many bytes in one piece. */
  #room(bytes: number): void {
    if (this.#at + bytes <= this.#chunk.length) return;
    if (this.#open) {
      this.#full.push(this.#chunk.subarray(this.#start, this.#at));
      this.#bytes += this.#at - this.#start;
    }
    // Not of a pool: the tables keep parts of it.
    this.#chunk = Buffer.allocUnsafeSlow(Math.max(chunkBytes, bytes));
    this.#start = this.#at = 0;
  }
}

/** The batches of a payload. Throws a RangeError where the payload is none. */
export function decodeGroup(payload: Buffer): Batch[] {
  const reader = new Reader(payload);
  const batches: Batch[] = [];
  while (!reader.done) {
    const namespace = reader.name();
    const install = reader.number(4);
    const count = reader.number(4);
    const operations: Operation[] = [];
    for (let i = 0; i < count; i++) operations.push(readOperation(reader));
    batches.push({ namespace, operations, install: install === 0 ? null : install });
  }
  return batches;
}

function readOperation(reader: Reader): Operation {
  const code = reader.number(1);
  const kind = codes[code & ~elsewhere];
  if (kind === undefined) throw new RangeError(`there is no operation ${code}`);
  const placed = (code & elsewhere) === 0 ? {} : { namespace: reader.name() };
  switch (kind) {
    case "append":
      return { kind, index: reader.index(), record: reader.bytes(), ...placed };
    case "truncate":
      return { kind, from: reader.index(), ...placed };
    case "cut":
      return { kind, to: reader.index(), ...placed };
    case "put":
      return { kind, key: reader.bytes(), value: reader.bytes(), ...placed };
    case "delete":
      return { kind, key: reader.bytes(), ...placed };
    case "delete-range": {
      const from = reader.number(1) === 0 ? undefined : reader.bytes();
      const to = reader.number(1) === 0 ? undefined : reader.bytes();
      return { kind, ...(from && { from }), ...(to && { to }), ...placed };
    }
    case "drop":
      return { kind, ...placed };
  }
}

class Reader {
  readonly #from: Buffer;
  #at = 0;

  constructor(from: Buffer) {
    this.#from = from;
  }

  get done(): boolean {
    return this.#at >= this.#from.length;
  }

  number(bytes: 1 | 2 | 4): number {
    const value = this.#from.readUIntBE(this.#at, bytes);
    this.#at += bytes;
    return value;
  }

  index(): number {
    const value = readSafe(this.#from, this.#at);
    this.#at += 8;
    return value;
  }

  bytes(): Uint8Array {
    return this.#take(this.number(4));
  }

  name(): string {
    return this.#take(this.number(2) * 2).toString("utf16le");
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#from.length) throw new RangeError(`${length} bytes are missing`);
    const taken = this.#from.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}
