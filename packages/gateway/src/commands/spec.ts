/** What the table of commands says of each. */

import type { Request } from "../resp/parser.ts";
import type { Reply } from "../resp/reply.ts";
import type { Action } from "./action.ts";

/** Where a command's keys stand, as Redis counts: 0 for none, a negative last one from the end. */
export interface KeyPlaces {
  readonly first: number;
  readonly last: number;
  readonly step: number;
}

/** When a command is made sense of. */
export interface Now {
  /** The time of the calendar, in milliseconds. */
  readonly wall: number;
}

/** A command on keys: what it wants of the store, or the reply where nothing has to be asked. */
export type Plan = (request: Request, now: Now) => Action | Reply;

/** What is said of a command. */
export interface CommandSpec {
  /** In small letters. */
  readonly name: string;
  /** How many words it has, its name among them; negative: so many at least. */
  readonly arity: number;
  readonly keys: KeyPlaces;
  readonly flags: readonly string[];
  readonly group: "string" | "generic" | "transactions" | "connection" | "server";
  readonly summary: string;
  /** Of a command on keys. Others are done by the session, which knows them by name. */
  readonly plan?: Plan;
}

const places = {
  none: { first: 0, last: 0, step: 0 },
  one: { first: 1, last: 1, step: 1 },
  two: { first: 1, last: 2, step: 1 },
  all: { first: 1, last: -1, step: 1 },
  pairs: { first: 1, last: -1, step: 2 },
} as const satisfies Record<string, KeyPlaces>;

/** A line of the table. */
export function spec(
  group: CommandSpec["group"],
  name: string,
  arity: number,
  keys: keyof typeof places,
  flags: string,
  summary: string,
  plan?: Plan,
): CommandSpec {
  const line = { name, arity, keys: places[keys], flags: flags.split(" "), group, summary };
  return plan === undefined ? line : { ...line, plan };
}
