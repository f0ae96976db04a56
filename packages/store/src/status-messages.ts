/**
 * What clients of a store ask each other about transactions (algorithms.md §6.5.5, TxStatus): who finds one open asks its manager
 * first. That costs no entry in any log, and leaves in peace what is only slow.
 */

import { message } from "@kith/network";
import type { TxId } from "./rows.ts";

/** How far a transaction is, as its manager has it: at work, or what it has come to; unknown where that is of the past. */
export type TxStatus = "working" | "C" | "X" | "unknown";

/** How far is a transaction? To the process of its manager. */
export class TxAsk extends message("store/TxAsk")<{ readonly tx: TxId }> {}

/** The manager's answer. Who is not the manager says nothing. */
export class TxTold extends message("store/TxTold")<{
  readonly tx: TxId;
  readonly status: TxStatus;
}> {}
