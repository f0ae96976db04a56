/** Commands on keys as such: whether they are there, when they expire, what they are called. */

import type { Key } from "@kith/store";
import type { Request } from "../resp/parser.ts";
import { err, integer, ok, one, type Reply, zero } from "../resp/reply.ts";
import type { Action, ReadAction } from "./action.ts";
import {
  int64At,
  integerAt,
  keyAt,
  keysFrom,
  lifeOf,
  octetsAt,
  optionAt,
  quoted,
  type TimeForm,
  wrong,
} from "./arguments.ts";
import type { Found } from "./draft.ts";
import { type CommandSpec, type Now, spec } from "./spec.ts";
import { update } from "./strings.ts";

function counting(request: Request): Action {
  return {
    kind: "read",
    keys: keysFrom(request, 1),
    plain: true,
    reply: (found) => integer(found.filter(({ value }) => value !== null).length),
  };
}

function del(request: Request): Action {
  return {
    kind: "update",
    updates: keysFrom(request, 1).map((key) => ({ kind: "delete", key })),
    blind: false,
    reply: (updated) => integer(updated.filter(({ before }) => before !== null).length),
  };
}

/** A look at when a key expires; -2 where it is absent, -1 where it does not. */
function lasting(reply: (left: number, now: Now) => number) {
  return (request: Request, now: Now): ReadAction => ({
    kind: "read",
    keys: [keyAt(request, 1)],
    plain: false,
    reply: ([found]) => {
      if (found === undefined || found.value === null) return integer(-2);
      return integer(found.expiresIn === null ? -1 : reply(found.expiresIn, now));
    },
  });
}

const toSeconds = (milliseconds: number): number => Math.floor((milliseconds + 500) / 1000);

interface ExpireOptions {
  readonly nx: boolean;
  readonly xx: boolean;
  readonly gt: boolean;
  readonly lt: boolean;
}

function expireOptions(request: Request): ExpireOptions | undefined {
  const options = { nx: false, xx: false, gt: false, lt: false };
  for (let at = 3; at < request.length; at++) {
    const option = optionAt(request, at);
    if (option === "NX") options.nx = true;
    else if (option === "XX") options.xx = true;
    else if (option === "GT") options.gt = true;
    else if (option === "LT") options.lt = true;
    else wrong(`Unsupported option ${quoted(octetsAt(request, at))}`);
  }
  const { nx, xx, gt, lt } = options;
  if (nx && (xx || gt || lt))
    wrong("NX and XX, GT or LT options at the same time are not compatible");
  if (gt && lt) wrong("GT and LT options at the same time are not compatible");
  return nx || xx || gt || lt ? options : undefined;
}

function expire(form: TimeForm, name: string) {
  return (request: Request, { wall }: Now): Action => {
    const options = expireOptions(request);
    const key = keyAt(request, 1);
    const life = lifeOf(int64At(request, 2), form, wall, name, false);
    if (options !== undefined) return expireWhere(key, life, options);
    if (life <= 0)
      return update({ kind: "delete", key }, ({ before }) => (before === null ? zero : one));
    return update(
      { kind: "expire", key, expiry: life, when: { kind: "present" } },
      () => one,
      () => zero,
    );
  };
}

function expireWhere(key: Key, life: number, { nx, xx, gt, lt }: ExpireOptions): Action {
  return {
    kind: "change",
    keys: [key],
    run: (draft) => {
      const { value, expiresIn } = draft.get(key);
      if (value === null || (nx && expiresIn !== null) || (xx && expiresIn === null)) return zero;
      if (gt && (expiresIn === null || life <= expiresIn)) return zero;
      if (lt && expiresIn !== null && life >= expiresIn) return zero;
      if (life <= 0) draft.delete(key);
      else draft.put(key, value, life);
      return one;
    },
  };
}

function persist(request: Request): Action {
  const key = keyAt(request, 1);
  return {
    kind: "change",
    keys: [key],
    run: (draft) => {
      const { value, expiresIn } = draft.get(key);
      if (value === null || expiresIn === null) return zero;
      draft.put(key, value, "never");
      return one;
    },
  };
}

function rename(request: Request, isCareful: boolean): Action {
  const from = keyAt(request, 1);
  const to = keyAt(request, 2);
  const done = isCareful ? one : ok;
  return {
    kind: "change",
    keys: [from, to],
    run: (draft) => {
      const source = draft.get(from);
      if (source.value === null) return err("no such key");
      if (from === to) return isCareful ? zero : done;
      if (isCareful && draft.get(to).value !== null) return zero;
      draft.put(to, source.value, source.expiresIn ?? "never");
      draft.delete(from);
      return done;
    },
  };
}

function copy(request: Request): Action {
  let replaces = false;
  for (let at = 3; at < request.length; at++) {
    const option = optionAt(request, at);
    if (option === "REPLACE") replaces = true;
    else if (option === "DB" && at + 1 < request.length) {
      if (integerAt(request, ++at) !== 0) wrong("DB index is out of range");
    } else wrong("syntax error");
  }
  const from = keyAt(request, 1);
  const to = keyAt(request, 2);
  if (from === to) wrong("source and destination objects are the same");
  return {
    kind: "change",
    keys: [from, to],
    run: (draft) => {
      const source: Found = draft.get(from);
      if (source.value === null || (!replaces && draft.get(to).value !== null)) return zero;
      draft.put(to, source.value, source.expiresIn ?? "never");
      return one;
    },
  };
}

function type(request: Request): ReadAction {
  return {
    kind: "read",
    keys: [keyAt(request, 1)],
    plain: true,
    reply: ([found]): Reply => ({
      kind: "status",
      text: found === undefined || found.value === null ? "none" : "string",
    }),
  };
}

const seconds = { unit: "seconds", absolute: false } as const;
const milliseconds = { unit: "milliseconds", absolute: false } as const;
const atSecond = { unit: "seconds", absolute: true } as const;
const atMillisecond = { unit: "milliseconds", absolute: true } as const;

/** The lines of the table. */
export const keyCommands: readonly CommandSpec[] = [
  spec("generic", "del", -2, "all", "write", "Deletes keys, at one instant.", del),
  spec("generic", "unlink", -2, "all", "write fast", "The same.", del),
  spec("generic", "exists", -2, "all", "readonly fast", "Counts keys that are there.", counting),
  spec("generic", "touch", -2, "all", "readonly fast", "The same.", counting),
  spec("generic", "type", 2, "one", "readonly fast", "Says `string` or `none`.", type),
  spec(
    "generic",
    "expire",
    -3,
    "one",
    "write fast",
    "Lets a key live for so many seconds.",
    expire(seconds, "expire"),
  ),
  spec(
    "generic",
    "pexpire",
    -3,
    "one",
    "write fast",
    "The same in milliseconds.",
    expire(milliseconds, "pexpire"),
  ),
  spec(
    "generic",
    "expireat",
    -3,
    "one",
    "write fast",
    "Lets a key live up to a second of the calendar.",
    expire(atSecond, "expireat"),
  ),
  spec(
    "generic",
    "pexpireat",
    -3,
    "one",
    "write fast",
    "The same in milliseconds.",
    expire(atMillisecond, "pexpireat"),
  ),
  spec(
    "generic",
    "ttl",
    2,
    "one",
    "readonly fast",
    "Says how many seconds a key has to live.",
    lasting(toSeconds),
  ),
  spec(
    "generic",
    "pttl",
    2,
    "one",
    "readonly fast",
    "The same in milliseconds.",
    lasting((left) => left),
  ),
  spec(
    "generic",
    "expiretime",
    2,
    "one",
    "readonly fast",
    "Says when a key expires, in seconds of the calendar.",
    lasting((left, { wall }) => toSeconds(left + wall)),
  ),
  spec(
    "generic",
    "pexpiretime",
    2,
    "one",
    "readonly fast",
    "The same in milliseconds.",
    lasting((left, { wall }) => Math.round(left + wall)),
  ),
  spec("generic", "persist", 2, "one", "write fast", "Lets a key live for ever.", persist),
  spec(
    "generic",
    "rename",
    3,
    "two",
    "write",
    "Gives a key another name, at one instant.",
    (request) => rename(request, false),
  ),
  spec(
    "generic",
    "renamenx",
    3,
    "two",
    "write fast",
    "The same where the name is free.",
    (request) => rename(request, true),
  ),
  spec("generic", "copy", -3, "two", "write denyoom", "Copies a key, at one instant.", copy),
];
