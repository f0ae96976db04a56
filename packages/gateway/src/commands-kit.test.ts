/** Commands made by chance, and what may differ between two servers that mean the same. */

import { mix } from "@kith/core";

/** A command: its words, one character for each byte. */
export type Words = readonly string[];

const keys = ["a", "b", "c", "d", "\u00ff\u0000key", ""];
const values = [
  ...["", "0", "10", "-5", "3.14", "-0.5", "1e3", "5.0e3", "abc", "The quick brown fox", " 12"],
  ...["012", "+1", "-0", "9223372036854775807", "-9223372036854775808", "9223372036854775808"],
  ...["inf", "-inf", "nan", "0.1", "0.2", "1000.1", "123456789.123456789", "\u0000\u00ff\r\n"],
];
const integers = [
  ...["0", "1", "-1", "5", "-3", "100", "abc", "", "1.5", " 1", "01", "9223372036854775807"],
  ...["-9223372036854775808", "9223372036854775808"],
];
// Far away, so that nothing expires while servers are compared; or never possible.
const seconds = [
  "100000",
  "200000",
  "0",
  "-1",
  "abc",
  "",
  "9223372036854775807",
  "9223372036854775",
];
const later = ["4000000000", "4100000000", "abc", "0", "-1"];
const offsets = ["0", "1", "5", "20", "-1", "-3", "-100", "100", "abc", "600000000"];
const floats = [
  "0.1",
  "-0.1",
  "1",
  "3.0e3",
  "1.23456789012345678",
  "inf",
  "nan",
  "abc",
  "",
  " 1",
  "1e-3",
];
const patterns = ["*", "a", "?", "[ab]", "[^a]", "[a-c]*", "\\a", "[", "[a", "*b*", "**", "[c-a]"];

/** Draws. */
export class Draws {
  readonly #seed: number;
  #at = 0;

  constructor(seed: number) {
    this.#seed = seed;
  }

  below(limit: number): number {
    return mix(this.#seed, ++this.#at) % limit;
  }

  of<T>(choices: readonly T[]): T {
    const chosen = choices[this.below(choices.length)];
    if (chosen === undefined) throw new Error("nothing to choose from");
    return chosen;
  }

  some(choices: readonly string[], most: number): string[] {
    return Array.from({ length: this.below(most + 1) }, () => this.of(choices));
  }
}

type Form = (draws: Draws) => Words;

const key = (draws: Draws): string => draws.of(keys);
const value = (draws: Draws): string => draws.of(values);

function setOptions(draws: Draws): string[] {
  const options: string[] = [];
  for (let left = draws.below(4); left > 0; left--) {
    const option = draws.of(["NX", "XX", "GET", "KEEPTTL", "EX", "PX", "PXAT", "EXAT", "foo"]);
    options.push(option);
    if (option === "EX" || option === "PX")
      options.push(draws.of(seconds).replace(/^100000$/, "100000000"));
    if (option === "EXAT") options.push(draws.of(later));
    if (option === "PXAT") options.push(`${draws.of(later)}000`);
  }
  return options;
}

const forms: Readonly<Record<string, Form>> = {
  get: (d) => [key(d)],
  set: (d) => [key(d), value(d), ...(d.below(2) === 0 ? [] : setOptions(d))],
  setnx: (d) => [key(d), value(d)],
  setex: (d) => [key(d), d.of(seconds), value(d)],
  psetex: (d) => [key(d), d.of(["100000000", "0", "-1", "abc"]), value(d)],
  getset: (d) => [key(d), value(d)],
  getdel: (d) => [key(d)],
  getex: (d) => [
    key(d),
    ...d.of([[], ["PERSIST"], ["EX", d.of(seconds)], ["EXAT", d.of(later)], ["NX"], ["EX"]]),
  ],
  mget: (d) => [key(d), ...d.some(keys, 3)],
  mset: (d) => [key(d), value(d), ...d.some(values, 4)],
  msetnx: (d) => [key(d), value(d), ...d.some(values, 4)],
  append: (d) => [key(d), value(d)],
  strlen: (d) => [key(d)],
  getrange: (d) => [key(d), d.of(offsets), d.of(offsets)],
  substr: (d) => [key(d), d.of(offsets), d.of(offsets)],
  setrange: (d) => [key(d), d.of(offsets), value(d)],
  incr: (d) => [key(d)],
  incrby: (d) => [key(d), d.of(integers)],
  decr: (d) => [key(d)],
  decrby: (d) => [key(d), d.of(integers)],
  incrbyfloat: (d) => [key(d), d.of(floats)],
  del: (d) => [key(d), ...d.some(keys, 2)],
  unlink: (d) => [key(d), ...d.some(keys, 2)],
  exists: (d) => [key(d), ...d.some(keys, 2)],
  touch: (d) => [key(d), ...d.some(keys, 2)],
  type: (d) => [key(d)],
  expire: (d) => [key(d), d.of(seconds), ...d.some(["NX", "XX", "GT", "LT", "foo"], 2)],
  pexpire: (d) => [key(d), d.of(["100000000", "-1", "0", "abc"]), ...d.some(["NX", "XX", "gt"], 1)],
  expireat: (d) => [key(d), d.of(later), ...d.some(["NX", "XX", "GT", "lt"], 1)],
  pexpireat: (d) => [key(d), `${d.of(later)}000`, ...d.some(["NX", "XX", "GT", "lt"], 1)],
  ttl: (d) => [key(d)],
  pttl: (d) => [key(d)],
  expiretime: (d) => [key(d)],
  pexpiretime: (d) => [key(d)],
  persist: (d) => [key(d)],
  rename: (d) => [key(d), key(d)],
  renamenx: (d) => [key(d), key(d)],
  copy: (d) => [
    key(d),
    key(d),
    ...d.of([[], ["REPLACE"], ["DB", "0"], ["DB", "1"], ["DB", "x"], ["DB"], ["foo"]]),
  ],
  keys: (d) => [d.of(patterns)],
  dbsize: () => [],
  scan: (d) => [
    d.of(["0", "abc", "", "18446744073709551616"]),
    ...d.of([
      ["COUNT", "1000"],
      ["COUNT", "1000", "MATCH", d.of(patterns)],
      ["COUNT", "0"],
    ]),
    ...d.of([[], [], ["MATCH"], ["TYPE", "string"], ["TYPE", "list"], ["foo", "bar"]]),
  ],
  multi: () => [],
  exec: () => [],
  discard: () => [],
  watch: (d) => [key(d), ...d.some(keys, 2)],
  unwatch: () => [],
  ping: (d) => d.some(values, 1),
  echo: (d) => [value(d)],
  select: (d) => [d.of(integers)],
  "no-such-command": (d) => d.some(values, 5),
  client: (d) => d.of([["getname"], ["setname", d.of(["me", "with space", ""])], ["foo"], []]),
  config: (d) => d.of([["foo", "bar"], ["get"], []]),
  command: (d) => d.of([["foo"], ["getkeys", "get"], ["getkeys", "mset", "a", "1", "b", "2"]]),
  hello: (d) => d.of([["4"], ["x"], ["2", "foo"], ["2", "SETNAME", "a b"], ["2", "AUTH", "x"]]),
  auth: (d) => d.of([["secret"], ["default", "any"], ["nobody", "any"], ["a", "b", "c"], []]),
  reset: () => [],
  flushall: (d) => d.of([["foo"], ["async", "sync"], ["ASYNC"]]),
};

const often = [
  "get",
  "set",
  "incr",
  "append",
  "mget",
  "del",
  "multi",
  "exec",
  "exec",
  "mset",
  "expire",
];
const names = Object.keys(forms);

const throughAll = new Set(["scan", "keys", "dbsize", "flushall"]);

/** Commands, most of which mean something. */
export function commandsOf(seed: number, count: number): Words[] {
  const draws = new Draws(seed);
  // What goes through all keys is refused within a transaction here, and not in Redis.
  let isQueued = false;
  let isWatching = false;
  return Array.from({ length: count }, () => {
    let name = draws.of(draws.below(3) === 0 ? often : names);
    if (isQueued && throughAll.has(name)) name = "exec";
    // A key that was absent, and came and went, has changed for Redis alone.
    if (isWatching) name = "unwatch";
    isWatching = name === "watch";
    if (name === "multi") isQueued = true;
    const words = [...(forms[name]?.(draws) ?? [])];
    const chance = draws.below(40);
    // Its bare form lists all commands, and Redis has more of them.
    if (chance === 0 && name !== "command") words.pop();
    if (chance === 1) words.push(value(draws));
    if (["exec", "discard", "reset"].includes(name))
      isQueued &&= name !== "exec" && words.length > 0;
    const written = draws.of([
      name,
      name,
      name.toUpperCase(),
      `${name.charAt(0).toUpperCase()}${name.slice(1)}`,
    ]);
    return [written, ...words];
  });
}

const orderless = new Set(["keys", "scan"]);
const times = new Set(["ttl", "pttl", "expiretime", "pexpiretime", "exec"]);

/** A reply without what may differ: an order that nobody promises, and the time that passes. */
export function settled(words: Words, reply: string): string {
  const name = (words[0] ?? "").toLowerCase();
  if (orderless.has(name)) return reply.split(" ").toSorted().join(" ");
  // The number of the client.
  const hides = name === "hello" || name === "exec";
  const shown = hides ? reply.replace(/ \$2 id :\d+ /, " $2 id ") : reply;
  if (!times.has(name)) return shown;
  return shown.replaceAll(/:(\d{5,13})(?= |$)/g, (_, digits: string) => {
    const number = Number(digits);
    // Of the calendar, or up to an instant of it: another one on each day.
    const scale = number > 1e12 ? 1e12 : 1e9;
    if (number > 1.7 * scale && number < 3.9 * scale) return ":some day";
    return `:about ${number.toPrecision(3)}`;
  });
}
