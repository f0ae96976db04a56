/** What a client does with keys that nobody else knows, and what it has to be told: there nothing hangs on others. */

import { isList, type Reply, said } from "./resp.ts";

/** Some commands in one piece, and what the last reply has to be. */
export interface Step {
  readonly texts: readonly string[];
  readonly holds: (reply: Reply) => boolean;
  /** Whether the second item of that reply is what an INCR of `crowd` has answered. */
  readonly counts?: boolean;
}

/** A counter to which many transactions add, none of which watches it. */
export const crowd = "crowd";

/** Longer than any clock jumps. */
const lifeMs = 30 * 24 * 3_600_000;

const is =
  (...wanted: readonly Reply[]) =>
  (reply: Reply): boolean =>
    wanted.includes(reply);

const lasts = (reply: Reply): boolean => typeof reply === "number" && reply > 0;

/** A key is given a time to live and loses it, is watched, and gets another name. */
export function ownSteps(id: number): readonly Step[] {
  const key = `own${id}`;
  const other = `other${id}`;
  const one = (holds: Step["holds"], ...words: readonly (string | number)[]): Step => ({
    texts: [said(...words)],
    holds,
  });
  const given: readonly Step[] = [
    one(is(1), "PEXPIRE", key, lifeMs),
    {
      texts: [said("MULTI"), said("APPEND", key, "2"), said("PEXPIRE", key, lifeMs), said("EXEC")],
      holds: (reply) => isList(reply) && reply[0] === 2 && reply[1] === 1,
    },
    one(is("OK"), "SET", key, 3, "PX", lifeMs),
    one(is("1"), "GETEX", key, "PX", lifeMs),
  ];
  const taken: readonly Step[] = [
    one(is(1), "PERSIST", key),
    one(is("OK"), "SET", key, 5),
    {
      // The time to live is looked at, which the store does not do in one operation; and the key is read before it is written.
      texts: [
        said("MULTI"),
        said("GET", key),
        said("SET", key, 5),
        said("PTTL", key),
        said("EXEC"),
      ],
      holds: (reply) => isList(reply) && reply[1] === "OK" && reply[2] === -1,
    },
  ];
  const watches = one(is("OK"), "WATCH", key);
  return [
    one(is("OK"), "SET", key, 1),
    one(is(-1), "PTTL", key),
    ...given.slice(id % 4, (id % 4) + 1),
    one(lasts, "PTTL", key),
    // Nobody else has changed it.
    {
      texts: [said("WATCH", key), said("MULTI"), said("APPEND", key, ""), said("EXEC")],
      holds: isList,
    },
    one((reply) => typeof reply === "number", "INCR", key),
    one(lasts, "PTTL", key),
    ...taken.slice(id % 3, (id % 3) + 1),
    one(is(-1), "PTTL", key),
    // Nobody is in the way of what is watched. Of the counter many are, but nobody watches it.
    watches,
    {
      texts: [said("MULTI"), said("SET", key, 7), said("INCR", crowd), said("EXEC")],
      holds: (reply) => isList(reply) && reply[0] === "OK" && typeof reply[1] === "number",
      counts: true,
    },
    // What is watched changes: by the same client, which counts as well.
    watches,
    one(is("7"), "GET", key),
    one(is("OK"), "SET", key, 8),
    ...(id % 2 === 0 ? [watches] : []),
    { texts: [said("MULTI"), said("SET", key, 9), said("EXEC")], holds: is(null) },
    one(is("8"), "GET", key),
    one(is("OK"), "RENAME", key, other),
    one(is(0), "EXISTS", key),
    one(is(1), "DEL", other),
    one(is(0), "EXISTS", other),
  ];
}

/** Several keys, and how they are told apart from all others. */
export function keysToFind(id: number): readonly string[] {
  return Array.from({ length: 5 }, (_, i) => `find${id}.${i}`);
}
