/**
 * A split: what lies from a position on becomes a group of its own (algorithms.md §6.5.9).
 *
 * Keys, locks and registers go with their position. Sessions and results are in both halves afterwards, and so
 * are the counters of versions: a copy of a command finds what became of it wherever its key lies now.
 */

import type { CommandOf } from "./command.ts";
import { streamKey } from "@kith/core";
import type { GroupTable } from "./group-table.ts";
import { covers, type Position } from "./position.ts";
import type { Result } from "./result.ts";
import {
  beyond,
  descriptorOf,
  type Descriptor,
  expiryOf,
  known,
  metaRow,
  rowKeys,
  type TxRow,
  txRow,
} from "./rows.ts";

/** Makes a group out of rows: the way in which a machine gives a part of its table away. */
export type Spawn = (gid: string, rows: ReadonlyMap<string, Uint8Array>) => void;

/** More splits of one group, and nobody finds what it gave away first. */
const halvesMax = 1024;

/** Gives everything from a position on to a new group. */
export function split(
  group: GroupTable,
  { at, expectedEpoch }: CommandOf<"split">,
  spawn: Spawn,
): Result {
  const { meta } = group;
  const { gid, lo, hi } = meta;
  if (meta.epoch !== expectedEpoch)
    return { kind: "epoch-mismatch", descriptor: descriptorOf(meta) };
  if (!covers(meta, at) || at === lo) return { kind: "wrong-range", descriptors: known(meta) };
  const epoch = meta.epoch + 1;
  const right: Descriptor = { gid: childOf(gid, epoch), epoch, lo: at, hi };
  const left: Descriptor = { gid, epoch, lo, hi: at };
  const rows = new Map<string, Uint8Array>();
  moveKeys(group, at, rows);
  divideTransactions(group, at, rows);
  for (const letter of ["s", "a"]) {
    for (const key of group.table.keys(letter, beyond(letter))) {
      const row = group.table.get(key);
      if (row !== undefined) rows.set(key, row);
    }
  }
  // Its log begins anew: no place in it is earlier than the end of a session.
  rows.set(rowKeys.meta, metaRow.encode({ ...meta, ...right, lastExpiry: 0, halves: [] }));
  spawn(right.gid, rows);
  group.setMeta({ ...meta, ...left, halves: [...meta.halves, right].slice(-halvesMax) });
  return { kind: "split", left, right };
}

function moveKeys({ table }: GroupTable, at: Position, rows: Map<string, Uint8Array>): void {
  const move = (key: string): void => {
    const row = table.get(key);
    if (row !== undefined) rows.set(key, row);
    table.delete(key);
  };
  for (const letter of ["k", "l"])
    for (const key of table.keys(letter + at, beyond(letter))) move(key);
  for (const key of table.keys("e", beyond("e"))) if (expiryOf(key).position >= at) move(key);
}

function divideTransactions(
  { table }: GroupTable,
  at: Position,
  rows: Map<string, Uint8Array>,
): void {
  for (const key of table.keys("t", beyond("t"))) {
    const bytes = table.get(key);
    if (bytes === undefined) continue;
    const tx = txRow.decode(bytes);
    const staying: TxRow["registers"] = new Map();
    const going: TxRow["registers"] = new Map();
    for (const [position, register] of tx.registers)
      (position < at ? staying : going).set(position, register);
    if (going.size === 0) continue;
    rows.set(key, txRow.encode({ ...tx, registers: going }));
    if (staying.size === 0) table.delete(key);
    else table.put(key, txRow.encode({ ...tx, registers: staying }));
  }
}

/** The id of a group's right half: a hash, so that ids do not grow with each split. */
function childOf(gid: string, epoch: number): string {
  const { high, low } = streamKey("kith/store/split", gid, epoch);
  return high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0");
}
