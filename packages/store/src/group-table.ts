/**
 * A group's table by its rows: what the steps of the machine read and write.
 *
 * A view of one application of one command. The group's own row is read once and written at the end, and all that
 * a command changes gets one version, so that a version names the entry that wrote it (as a revision does in etcd).
 */

import type { TableWriter } from "@kith/paxos";
import { ensure } from "./errors.ts";
import type { Octets, Position } from "./position.ts";
import {
  type Expiry,
  type LockRow,
  lockRow,
  type MetaRow,
  metaRow,
  rowKeys,
  type SessionRow,
  sessionRow,
  type TxName,
  type TxRow,
  txRow,
  type ValueRow,
  valueRow,
} from "./rows.ts";

const noBytes = new Uint8Array(0);

/** A key, while a command is applied: where its rows lie, and what was there. */
interface Place {
  readonly position: Position;
  readonly value: string;
  readonly lock: string;
  /** Whether `row` is what is there now. */
  read: boolean;
  row: ValueRow | undefined;
}

/** The table of a group, while a command is applied to it. */
export class GroupTable {
  readonly table: TableWriter;
  /** The group's time. */
  readonly time: number;
  #meta: MetaRow | undefined;
  #metaDirty = false;
  #version = 0;
  #last: Place | null = null;

  constructor(table: TableWriter, time: number) {
    this.table = table;
    this.time = time;
  }

  /** The group's own row; undefined where nothing was founded. */
  get metaOrNone(): MetaRow | undefined {
    if (this.#meta === undefined) {
      const bytes = this.table.get(rowKeys.meta);
      if (bytes !== undefined) this.#meta = metaRow.decode(bytes);
    }
    return this.#meta;
  }

  /** The group's own row. */
  get meta(): MetaRow {
    const meta = this.metaOrNone;
    ensure(meta !== undefined, "G6", () => "a command came to a group that was not founded");
    return meta;
  }

  setMeta(meta: MetaRow): void {
    this.#meta = meta;
    this.#metaDirty = true;
  }

  /** Writes what was kept back; the last step of a command. */
  end(): void {
    if (this.#metaDirty && this.#meta !== undefined)
      this.table.put(rowKeys.meta, metaRow.encode(this.#meta));
  }

  /** The version of all that this command changes. */
  #nextVersion(): number {
    if (this.#version === 0) {
      const { meta } = this;
      this.#version = meta.version + 1;
      this.setMeta({ ...meta, version: this.#version });
    }
    return this.#version;
  }

  // --- keys ----------------------------------------------------------------------------------------

  value(position: Position): ValueRow | undefined {
    const place = this.#place(position);
    if (!place.read) {
      const bytes = this.table.get(place.value);
      place.row = bytes === undefined ? undefined : valueRow.decode(bytes);
      place.read = true;
    }
    return place.row;
  }

  /** What is known of a key: most commands look at one several times. */
  #place(position: Position): Place {
    if (this.#last?.position !== position) {
      const [value, lock] = [rowKeys.value(position), rowKeys.lock(position)];
      this.#last = { position, value, lock, read: false, row: undefined };
    }
    return this.#last;
  }

  /** Gives a key a value. @returns its version */
  put(position: Position, value: Uint8Array, expiry: Expiry): number {
    const before = this.value(position);
    const expireAt = this.#expireAt(expiry, before);
    return this.#store(position, before, value, expireAt);
  }

  /** Changes when a key that is there expires. @returns its version */
  expire(position: Position, before: ValueRow, expiry: Expiry): number {
    return this.#store(position, before, before.value, this.#expireAt(expiry, before));
  }

  #expireAt(expiry: Expiry, before: ValueRow | undefined): number {
    if (expiry === "never") return 0;
    if (expiry === "keep") return before?.expireAt ?? 0;
    // Late rather than early: a whole millisecond, and never 0, which says "never". What is too far off to be counted is
    // the last time that can be: whatever a client asks for, the group goes on.
    return Math.min(Number.MAX_SAFE_INTEGER, Math.max(1, Math.ceil(this.time + expiry)));
  }

  #store(
    position: Position,
    before: ValueRow | undefined,
    value: Uint8Array,
    expireAt: number,
  ): number {
    const version = this.#nextVersion();
    if (before !== undefined && before.expireAt > 0 && before.expireAt !== expireAt)
      this.table.delete(rowKeys.expiry(before.expireAt, position));
    if (expireAt > 0 && before?.expireAt !== expireAt)
      this.table.put(rowKeys.expiry(expireAt, position), noBytes);
    const place = this.#place(position);
    place.read = false;
    this.table.put(place.value, valueRow.encode({ version, expireAt, value }));
    return version;
  }

  /** Deletes a key. @returns the version of the deletion; 0 where it was absent */
  delete(position: Position): number {
    const before = this.value(position);
    if (before === undefined) return 0;
    const version = this.#nextVersion();
    if (before.expireAt > 0) this.table.delete(rowKeys.expiry(before.expireAt, position));
    const place = this.#place(position);
    place.read = false;
    this.table.delete(place.value);
    this.setMeta({ ...this.meta, deleteFloor: version });
    return version;
  }

  // --- locks ---------------------------------------------------------------------------------------

  lock(position: Position): LockRow | undefined {
    const bytes = this.table.get(this.#place(position).lock);
    return bytes === undefined ? undefined : lockRow.decode(bytes);
  }

  /** Who keeps others from writing a key: its writer, or one of its readers. */
  holder(position: Position): TxName | undefined {
    const lock = this.lock(position);
    return lock?.writer ?? lock?.readers[0];
  }

  /** Locks a key for a transaction. */
  acquire(position: Position, name: TxName, writes: boolean): void {
    const before = this.lock(position);
    ensure(
      before === undefined || (before.writer === null && !writes),
      "T3",
      () => `a key that another transaction has is locked`,
    );
    const lock: LockRow = writes
      ? { writer: name, readers: [] }
      : { writer: null, readers: [...(before?.readers ?? []), name] };
    this.table.put(rowKeys.lock(position), lockRow.encode(lock));
  }

  /** Unlocks a key that a transaction has locked. */
  release(position: Position, name: TxName): void {
    const lock = this.lock(position);
    if (lock === undefined) return ensure(false, "T3", () => "a key is not locked");
    const holds = lock.writer === name || lock.readers.includes(name);
    ensure(holds, "T3", () => "a key is locked by another transaction");
    const readers = lock.readers.filter((one) => one !== name);
    const key = rowKeys.lock(position);
    if (readers.length === 0) this.table.delete(key);
    else this.table.put(key, lockRow.encode({ writer: null, readers }));
  }

  // --- transactions, sessions, results ---------------------------------------------------------------

  tx(name: TxName): TxRow | undefined {
    const bytes = this.table.get(rowKeys.tx(name));
    return bytes === undefined ? undefined : txRow.decode(bytes);
  }

  setTx(name: TxName, row: TxRow): void {
    this.table.put(rowKeys.tx(name), txRow.encode(row));
  }

  session(client: Octets): SessionRow | undefined {
    const bytes = this.table.get(rowKeys.session(client));
    return bytes === undefined ? undefined : sessionRow.decode(bytes);
  }

  setSession(client: Octets, row: SessionRow): void {
    this.table.put(rowKeys.session(client), sessionRow.encode(row));
  }

  /** The bytes of a result that was kept. */
  result(client: Octets, seq: number): Uint8Array | undefined {
    return this.table.get(rowKeys.result(client, seq));
  }

  keepResult(client: Octets, seq: number, result: Uint8Array): void {
    this.table.put(rowKeys.result(client, seq), result);
  }
}
