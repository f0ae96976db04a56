/**
 * What a command wants of the store, as data and functions of data: the same action is done at once, together with
 * others on the same key, or within a transaction on a draft.
 */

import type { Key, Refusal, Update, Updated } from "@kith/store";
import { err, type Reply } from "../resp/reply.ts";
import type { Draft, Found } from "./draft.ts";

/** What a command wants. */
export type Action = ReadAction | UpdateAction | ChangeAction;

/** Looks at keys, at one instant. */
export interface ReadAction {
  readonly kind: "read";
  readonly keys: readonly Key[];
  /** Whether only values are looked at, not when they expire. */
  readonly plain: boolean;
  readonly reply: (found: readonly Found[]) => Reply;
}

/** Operations that the store does by itself, all or none: nothing is read before. */
export interface UpdateAction {
  readonly kind: "update";
  readonly updates: readonly Update[];
  /** Whether the reply is the same whatever was there: then a transaction need not read it. */
  readonly blind: boolean;
  readonly reply: (updated: readonly Updated[]) => Reply;
  /** Where a condition does not hold; with what is at that key. */
  readonly unmet?: (value: Uint8Array | null) => Reply;
}

/** Reads, computes and writes, at one instant. */
export interface ChangeAction {
  readonly kind: "change";
  readonly keys: readonly Key[];
  readonly run: (draft: Draft) => Reply;
}

/** Whether this is an action, and not already the reply. */
export function isAction(what: Action | Reply): what is Action {
  return what.kind === "read" || what.kind === "update" || what.kind === "change";
}

/** The keys of an action, some of them twice. */
export function keysOf(action: Action): readonly Key[] {
  return action.kind === "update" ? action.updates.map(({ key }) => key) : action.keys;
}

/** Does an action on a draft. */
export function perform(action: Action, draft: Draft): Reply {
  if (action.kind === "read") return action.reply(action.keys.map((key) => draft.get(key)));
  if (action.kind === "change") return action.run(draft);
  const done = draft.update(action.updates);
  if (!("reason" in done)) return action.reply(done);
  return refusal(action, done.reason, done.value);
}

/** The reply where the store has refused. */
export function refusal(
  { unmet }: Pick<UpdateAction, "unmet">,
  reason: Refusal,
  value: Uint8Array | null,
): Reply {
  if (reason === "condition" && unmet !== undefined) return unmet(value);
  return refused(reason);
}

const refusals: Readonly<Record<Refusal, string>> = {
  condition: "the condition of the command does not hold",
  "not-an-integer": "value is not an integer or out of range",
  overflow: "increment or decrement would overflow",
  "too-large": "string exceeds maximum allowed size (proto-max-bulk-len)",
  "key-too-long": "a key has more than 4096 bytes",
  "key-no-octets": "a key is no string of bytes",
  "key-twice": "a key is named twice",
  "too-many-keys": "too many keys in one command or transaction",
  hashed: "the keys of this store have no order",
  "no-place": "invalid cursor",
  "no-number": "a number is beyond what the store counts with",
};

/** The error for a refusal. */
export function refused(reason: Refusal): Reply {
  return err(refusals[reason]);
}
