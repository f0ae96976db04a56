/** Commands on strings and counters. What only the store may compute is one of its own operations: nobody reads first. */

import { type Expiry, type Key, type Update, type Updated, valueBytesMax } from "@kith/store";
import type { Request } from "../resp/parser.ts";
import { bytesOrNothing, err, integer, nothing, ok, one, type Reply, zero } from "../resp/reply.ts";
import type { Action, ReadAction, UpdateAction } from "./action.ts";
import {
  int64At,
  integerAt,
  keyAt,
  keysFrom,
  lifeOf,
  octetsAt,
  optionAt,
  type TimeForm,
  timeForms,
  valueAt,
  wrong,
  WrongArguments,
} from "./arguments.ts";
import { octets } from "./draft.ts";
import { addLongDouble, readLongDouble, writeLongDouble } from "./long-double.ts";
import { type CommandSpec, type Now, spec } from "./spec.ts";

/** A look at one key's value. */
export function look(key: Key, reply: (value: Uint8Array | null) => Reply): ReadAction {
  return {
    kind: "read",
    keys: [key],
    plain: true,
    reply: ([found]) => reply(found?.value ?? null),
  };
}

/** One operation of the store on one key. */
export function update(
  one: Update,
  reply: (updated: Updated) => Reply,
  unmet?: (value: Uint8Array | null) => Reply,
): UpdateAction {
  return {
    kind: "update",
    updates: [one],
    blind: false,
    reply: ([updated]) => reply(updated ?? { version: 0 }),
    ...(unmet === undefined ? {} : { unmet }),
  };
}

const yes = (): Reply => ok;
const before = (updated: Updated): Reply => bytesOrNothing(updated.before);

/** A write that is the same whatever was there. A time that has passed deletes. */
function blindPut(key: Key, value: Uint8Array, expiry: Expiry): UpdateAction {
  const isOver = typeof expiry === "number" && expiry <= 0;
  if (isOver) return update({ kind: "delete", key }, yes);
  return {
    kind: "update",
    updates: [{ kind: "put", key, value, expiry }],
    blind: expiry !== "keep",
    reply: yes,
  };
}

interface SetOptions {
  readonly when: "absent" | "present" | undefined;
  readonly gets: boolean;
  readonly keeps: boolean;
  readonly persists: boolean;
  readonly time: { readonly form: TimeForm; readonly at: number } | undefined;
}

/** The options of SET and GETEX. */
function optionsOf(request: Request, from: number, of: "set" | "getex"): SetOptions {
  let when: SetOptions["when"];
  let gets = false;
  let keeps = false;
  let persists = false;
  let time: SetOptions["time"];
  for (let at = from; at < request.length; at++) {
    const option = optionAt(request, at);
    const form = timeForms[option];
    // As in Redis, the same one may come twice, and the last one counts.
    const isFree = !keeps && !persists && (time === undefined || time.form === form);
    if (of === "set" && (option === "NX" || option === "XX")) {
      const asked = option === "NX" ? "absent" : "present";
      if (when !== undefined && when !== asked) wrong("syntax error");
      when = asked;
    } else if (of === "set" && option === "GET") gets = true;
    else if (of === "set" && option === "KEEPTTL" && !persists && time === undefined) keeps = true;
    else if (of === "getex" && option === "PERSIST" && !keeps && time === undefined)
      persists = true;
    else if (form !== undefined && isFree && at + 1 < request.length) time = { form, at: ++at };
    else wrong("syntax error");
  }
  return { when, gets, keeps, persists, time };
}

function set(request: Request, { wall }: Now): Action {
  const key = keyAt(request, 1);
  if (request.length === 3) return blindPut(key, valueAt(request, 2), "never");
  const { when, gets, keeps, time } = optionsOf(request, 3, "set");
  const expiry =
    time === undefined
      ? keeps
        ? "keep"
        : "never"
      : lifeOf(int64At(request, time.at), time.form, wall, "set", true);
  const value = valueAt(request, 2);
  if (when === undefined && !gets) return blindPut(key, value, expiry);
  const condition = when === undefined ? {} : { when: { kind: when } };
  const isOver = typeof expiry === "number" && expiry <= 0;
  const operation: Update = isOver
    ? { kind: "delete", key, ...condition }
    : { kind: "put", key, value, expiry, ...condition };
  return gets ? update(operation, before, bytesOrNothing) : update(operation, yes, () => nothing);
}

function setFor(form: TimeForm, name: string) {
  return (request: Request, { wall }: Now): Action => {
    const life = lifeOf(int64At(request, 2), form, wall, name, true);
    return blindPut(keyAt(request, 1), valueAt(request, 3), life);
  };
}

function getex(request: Request, { wall }: Now): Action {
  const key = keyAt(request, 1);
  const { persists, time } = optionsOf(request, 2, "getex");
  if (persists) return expiring(key, "never");
  if (time === undefined) return look(key, bytesOrNothing);
  let life: number;
  try {
    life = lifeOf(int64At(request, time.at), time.form, wall, "getex", true);
  } catch (problem) {
    if (!(problem instanceof WrongArguments)) throw problem;
    // Of an absent key the time does not matter.
    return look(key, (value) => (value === null ? nothing : problem.reply));
  }
  return life <= 0 ? update({ kind: "delete", key }, before) : expiring(key, life);
}

function expiring(key: Key, expiry: Expiry): UpdateAction {
  return update({ kind: "expire", key, expiry, when: { kind: "present" } }, before, () => nothing);
}

function add(delta: (request: Request) => bigint) {
  return (request: Request): Action =>
    update({ kind: "add", key: keyAt(request, 1), delta: delta(request) }, ({ after }) =>
      integer(octets(after ?? new Uint8Array(0))),
    );
}

function decrement(request: Request): bigint {
  const by = int64At(request, 2);
  return by === -(2n ** 63n) ? wrong("decrement would overflow") : -by;
}

function incrbyfloat(request: Request): Action {
  const key = keyAt(request, 1);
  const by = octetsAt(request, 2);
  return {
    kind: "change",
    keys: [key],
    run: (draft) => {
      const { value } = draft.get(key);
      const start = readLongDouble(value === null ? "0" : octets(value));
      const delta = readLongDouble(by);
      if (start === undefined || delta === undefined) return err("value is not a valid float");
      if (start === "infinite" || delta === "infinite")
        return err("increment would produce NaN or Infinity");
      const sum = Buffer.from(writeLongDouble(addLongDouble(start, delta)));
      draft.put(key, sum, "keep");
      return bytesOrNothing(sum);
    },
  };
}

function getrange(request: Request): Action {
  const start = integerAt(request, 2);
  const end = integerAt(request, 3);
  return look(keyAt(request, 1), (value) => {
    const { length } = value ?? [];
    const both = start < 0 && end < 0 && start > end;
    const first = Math.max(0, start < 0 ? start + length : start);
    const last = Math.min(length - 1, Math.max(0, end < 0 ? end + length : end));
    const none = both || value === null || first > last;
    return bytesOrNothing(none ? new Uint8Array(0) : value.subarray(first, last + 1));
  });
}

function setrange(request: Request): Action {
  const key = keyAt(request, 1);
  const offset = integerAt(request, 2);
  const part = valueAt(request, 3);
  if (offset < 0) wrong("offset is out of range");
  return {
    kind: "change",
    keys: [key],
    run: (draft) => {
      const { value } = draft.get(key);
      const { length } = value ?? [];
      if (part.length === 0) return integer(length);
      if (offset + part.length > valueBytesMax)
        return err("string exceeds maximum allowed size (proto-max-bulk-len)");
      const after = new Uint8Array(Math.max(length, offset + part.length));
      if (value !== null) after.set(value);
      after.set(part, offset);
      draft.put(key, after, "keep");
      return integer(after.length);
    },
  };
}

function pairs(request: Request, name: string): { key: Key; value: Uint8Array }[] {
  if (request.length % 2 === 0) wrong(`wrong number of arguments for '${name}' command`);
  return keysFrom(request, 1, 2).map((key, i) => ({ key, value: valueAt(request, 2 * i + 2) }));
}

function mset(request: Request): Action {
  const updates = pairs(request, "mset").map((pair) => ({ kind: "put", ...pair }) as const);
  return { kind: "update", updates, blind: true, reply: yes };
}

function msetnx(request: Request): Action {
  const seen = new Set<Key>();
  const updates = pairs(request, "msetnx").map(({ key, value }): Update => {
    const isFirst = !seen.has(key);
    seen.add(key);
    return { kind: "put", key, value, ...(isFirst ? { when: { kind: "absent" } } : {}) };
  });
  return { kind: "update", updates, blind: false, reply: () => one, unmet: () => zero };
}

const seconds: TimeForm = { unit: "seconds", absolute: false };
const milliseconds: TimeForm = { unit: "milliseconds", absolute: false };
const write = "write denyoom";

/** The lines of the table. */
export const stringCommands: readonly CommandSpec[] = [
  spec("string", "get", 2, "one", "readonly fast", "Gives the value of a key.", (request) =>
    look(keyAt(request, 1), bytesOrNothing),
  ),
  spec("string", "set", -3, "one", write, "Sets a key, with conditions and an expiry.", set),
  spec("string", "setnx", 3, "one", `${write} fast`, "Sets a key that is absent.", (request) =>
    update(
      {
        kind: "put",
        key: keyAt(request, 1),
        value: valueAt(request, 2),
        when: { kind: "absent" },
      },
      () => one,
      () => zero,
    ),
  ),
  spec(
    "string",
    "setex",
    4,
    "one",
    write,
    "Sets a key for so many seconds.",
    setFor(seconds, "setex"),
  ),
  spec(
    "string",
    "psetex",
    4,
    "one",
    write,
    "Sets a key for so many milliseconds.",
    setFor(milliseconds, "psetex"),
  ),
  spec(
    "string",
    "getset",
    3,
    "one",
    `${write} fast`,
    "Sets a key and gives what was there.",
    (request) =>
      update({ kind: "put", key: keyAt(request, 1), value: valueAt(request, 2) }, before),
  ),
  spec(
    "string",
    "getdel",
    2,
    "one",
    "write fast",
    "Deletes a key and gives what was there.",
    (request) => update({ kind: "delete", key: keyAt(request, 1) }, before),
  ),
  spec("string", "getex", -2, "one", "write fast", "Gives a value and changes its expiry.", getex),
  spec(
    "string",
    "mget",
    -2,
    "all",
    "readonly fast",
    "Gives several values of one instant.",
    (request) => ({
      kind: "read",
      keys: keysFrom(request, 1),
      plain: true,
      reply: (found) => ({ kind: "array", items: found.map(({ value }) => bytesOrNothing(value)) }),
    }),
  ),
  spec("string", "mset", -3, "pairs", write, "Sets several keys at one instant.", mset),
  spec("string", "msetnx", -3, "pairs", write, "Sets several keys where all are absent.", msetnx),
  spec("string", "append", 3, "one", `${write} fast`, "Puts bytes behind a value.", (request) =>
    update({ kind: "append", key: keyAt(request, 1), value: valueAt(request, 2) }, ({ after }) =>
      integer(octets(after ?? new Uint8Array(0))),
    ),
  ),
  spec("string", "strlen", 2, "one", "readonly fast", "Gives the length of a value.", (request) =>
    look(keyAt(request, 1), (value) => integer(value?.length ?? 0)),
  ),
  spec("string", "getrange", 4, "one", "readonly", "Gives a part of a value.", getrange),
  spec("string", "substr", 4, "one", "readonly", "GETRANGE by its old name.", getrange),
  spec("string", "setrange", 4, "one", write, "Overwrites a part of a value.", setrange),
  spec(
    "string",
    "incr",
    2,
    "one",
    `${write} fast`,
    "Adds one.",
    add(() => 1n),
  ),
  spec(
    "string",
    "incrby",
    3,
    "one",
    `${write} fast`,
    "Adds an integer.",
    add((request) => int64At(request, 2)),
  ),
  spec(
    "string",
    "decr",
    2,
    "one",
    `${write} fast`,
    "Subtracts one.",
    add(() => -1n),
  ),
  spec("string", "decrby", 3, "one", `${write} fast`, "Subtracts an integer.", add(decrement)),
  spec("string", "incrbyfloat", 3, "one", `${write} fast`, "Adds a decimal number.", incrbyfloat),
];
