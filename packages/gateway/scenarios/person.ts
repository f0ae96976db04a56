/**
 * Clients of Redis at one node: each process of the scenario has a connection, on which it says commands as any client would, and
 * judges the replies by what Redis promises. What it cannot know is unknown: an UNKNOWN, and all that was said on a connection that ended.
 */

import { Component, type Millis, SchedulePeriodic, timeout, Timer } from "@kith/core";
import { type OutcomeType, Perform, Performed, Workload } from "@kith/sim/scenario";
import { Connections, type Each, type Then } from "./connections.ts";
import { Aside, Counted, Met, Wrong } from "./facts.ts";
import { crowd, keysToFind, ownSteps } from "./own.ts";
import { numberOf, pieceOf } from "./piece.ts";
import { Broken, Heard, Left, Opened, Said, Wire } from "./port.ts";
import { isList, Refusal, type Reply, said } from "./resp.ts";

interface Ended {
  readonly type: OutcomeType;
  readonly value?: unknown;
  readonly error?: string;
}

type End = (ended: Ended) => void;
type Call = readonly [kind: "r" | "append", key: string, value: number];

const done: Ended = { type: "ok" };
const hangsUp = 0.02;
/** So often a port fails in a life of its process: never too often. */
const breaksMax = 3;
/** A key that goes by itself lives so long, in milliseconds. */
const fleetingMs = 200;

/** What is written to all keys of a pair at once, and read from all at once. */
export const pair = "pair";
const pairKeys = ["m0", "m1", "m3"];

class Check extends timeout("gateway/Check") {}

const checkMs: Millis = 1000;

/** The clients at a node. */
export class Person extends Component {
  readonly workload = this.requires(Workload);
  readonly timer = this.requires(Timer);
  readonly wire = this.requires(Wire);
  readonly #connections = new Connections({
    say: (client, text) => this.wire.trigger(new Said({ client, text })),
    leave: (client) => this.wire.trigger(new Left({ client })),
    wrong: (what) => this.#wrong(what),
  });
  #breaks = 0;

  /** @param init how long a port may take for its reply to one command; Infinity where that hangs on how many say something */
  constructor({ patience }: { readonly patience: Millis }) {
    super();
    this.timer.on(Check, () => this.#connections.check(this.clock.monotonic - patience));
    this.onStart(() =>
      this.timer.trigger(new SchedulePeriodic({ period: checkMs, timeout: new Check() })),
    );
    this.wire.on(Heard, ({ client, text }) => this.#connections.heard(client, text));
    this.wire.on(Opened, () => this.#connections.lost());
    this.workload.on(Perform, (perform) => {
      const { id, process } = perform;
      this.#perform(perform, (ended) => {
        this.workload.trigger(new Performed({ id, ...ended }));
        if (ended.type !== "info") return;
        this.#met("an outcome is unknown");
        if (ended.error?.startsWith("UNKNOWN") === true) this.#met("a reply is UNKNOWN");
        this.#connections.leave(process);
      });
    });
  }

  #perform({ id, op, key = "", value, process }: Perform, end: End): void {
    switch (op) {
      case "read":
        return key === pair ? this.#readPair(process, id, end) : this.#read(process, key, end);
      case "write":
        return key === pair
          ? this.#writePair(process, id, Number(value), end)
          : this.#write(process, key, value, end);
      case "add":
        return this.#say(process, ["INCR", key], end, (reply) => {
          if (typeof reply !== "number") return this.#strange("INCR", reply);
          this.workload.trigger(new Counted({ key, value: reply }));
          return end(done);
        });
      case "cas": {
        const [from, to]: unknown[] = Array.isArray(value) ? value : [];
        return this.#watched(process, [key], false, end, ([seen]) =>
          seen === String(from) ? [said("SET", key, String(to))] : null,
        );
      }
      case "txn":
        return this.#transact(process, id, callsOf(value), end);
      case "own":
        return this.#own(process, id, end);
      case "find":
        return this.#find(process, id, end);
      case "fleeting":
        return this.#say(process, ["SET", key, 1, "PX", fleetingMs], end, () => end(done));
      case "gone":
        return this.#say(process, ["GET", key], end, (reply) =>
          end(reply === null ? done : { type: "fail", error: "still there" }),
        );
      case "break":
        if (++this.#breaks <= breaksMax) this.wire.trigger(new Broken({ why: "it was told to" }));
        return end(done);
      default:
        return this.#pipe(process, id, key, end);
    }
  }

  // --- one command -----------------------------------------------------------------------------------

  #read(process: number, key: string, end: End): void {
    this.#ask(process, [said("GET", key)], (replies) => {
      const [reply] = replies ?? [];
      if (reply === undefined || reply instanceof Refusal) return end(certain(failed(replies)));
      const value = numberOf(reply);
      return value === undefined ? this.#strange("GET", reply) : end({ type: "ok", value });
    });
  }

  #write(process: number, key: string, value: unknown, end: End): void {
    const words = value === null ? ["DEL", key] : ["SET", key, Number(value)];
    this.#say(process, words, end, (reply) => {
      const isRight = value === null ? reply === 0 || reply === 1 : reply === "OK";
      return isRight ? end(done) : this.#strange(String(words[0]), reply);
    });
  }

  // --- several keys at one instant ---------------------------------------------------------------------

  #writePair(process: number, id: number, value: number, end: End): void {
    if (id % 2 === 0) {
      const words = pairKeys.flatMap((key) => [key, value]);
      return this.#say(process, ["MSET", ...words], end, (reply) =>
        reply === "OK" ? end(done) : this.#strange("MSET", reply),
      );
    }
    return this.#exec(
      process,
      pairKeys.map((key) => said("SET", key, value)),
      end,
      () => end(done),
    );
  }

  #readPair(process: number, id: number, end: End): void {
    const judge = (found: readonly Reply[]): void => {
      const values = found.map(numberOf);
      const [value] = values;
      if (value === undefined || values.some((one) => one !== value))
        return this.#wrong(`keys that are written together were read as ${JSON.stringify(found)}`);
      return end({ type: "ok", value });
    };
    const sure: End = (ended) => end(certain(ended));
    if (id % 2 === 0) {
      const texts = pairKeys.map((key) => said("GET", key));
      return this.#exec(process, texts, sure, judge);
    }
    return this.#say(process, ["MGET", ...pairKeys], sure, (reply) =>
      isList(reply) ? judge(reply) : this.#strange("MGET", reply),
    );
  }

  // --- transactions ----------------------------------------------------------------------------------

  #transact(process: number, id: number, calls: readonly Call[], end: End): void {
    const isRead = calls.every(([kind]) => kind === "r");
    if (isRead && id % 4 === 0) return this.#look(process, calls, end);
    return id % 2 === 0
      ? this.#lists(process, id, calls, end)
      : this.#apart(process, calls, isRead, end);
  }

  /** Several lists, read by one command. */
  #look(process: number, calls: readonly Call[], end: End): void {
    const words = ["MGET", ...calls.map(([, key]) => key)];
    const sure: End = (ended) => end(certain(ended));
    this.#say(process, words, sure, (reply) => {
      if (!isList(reply)) return this.#strange("MGET", reply);
      const value = calls.map(([kind, key], i) => [kind, key, listOf(reply[i] ?? null)]);
      return end({ type: "ok", value });
    });
  }

  /** All in one transaction that watches nothing: it is never overtaken. */
  #apart(process: number, calls: readonly Call[], isRead: boolean, end: End): void {
    const texts = calls.map(([kind, key, value]) =>
      kind === "r" ? said("GET", key) : said("APPEND", key, `${value},`),
    );
    const told: End = (ended) => end(isRead ? certain(ended) : ended);
    this.#exec(process, texts, told, (results) => {
      const value = calls.map(([kind, key, one], i) =>
        kind === "r" ? [kind, key, listOf(results[i] ?? null)] : [kind, key, one],
      );
      end({ type: "ok", value });
    });
  }

  /** Reads lists that it watches, and writes them where nobody else did. */
  #lists(process: number, id: number, calls: readonly Call[], end: End): void {
    const keys = [...new Set(calls.map(([, key]) => key))];
    let value: unknown[] = [];
    const writes = (seen: readonly (string | null)[]): string[] => {
      const lists = new Map(keys.map((key, i) => [key, listOf(seen[i] ?? null)]));
      value = calls.map(([kind, key, one]) => {
        const list = lists.get(key) ?? [];
        if (kind === "r") return [kind, key, list];
        lists.set(key, [...list, one]);
        return [kind, key, one];
      });
      return [...lists].flatMap(([key, list]) =>
        calls.some(([kind, at]) => kind === "append" && at === key)
          ? [said("SET", key, list.map((one) => `${one},`).join(""))]
          : [said("GET", key)],
      );
    };
    this.#watched(
      process,
      keys,
      id % 8 < 4,
      (ended) => end(ended.type === "ok" ? { ...ended, value } : ended),
      writes,
    );
  }

  /** Watches, reads, and does what follows from that where nobody was faster. What is watched twice counts from the first time. */
  #watched(
    process: number,
    keys: readonly string[],
    twice: boolean,
    end: End,
    texts: (seen: readonly (string | null)[]) => readonly string[] | null,
  ): void {
    const looks = [said("WATCH", ...keys), ...keys.map((key) => said("GET", key))];
    this.#ask(process, looks, (replies) => {
      const seen = (replies ?? []).slice(1);
      const values = seen.flatMap((one) => (one === null || typeof one === "string" ? [one] : []));
      if (replies?.[0] !== "OK" || values.length < keys.length)
        return this.#unwatch(process, () => end(certain(failed(replies))));
      const next = texts(values);
      if (next === null)
        return this.#unwatch(process, () => end({ type: "fail", error: "refused" }));
      const begin = (): void =>
        this.#ask(process, [said("MULTI"), ...next, said("EXEC")], (told) => {
          const results = told?.at(-1);
          if (results === null) {
            this.#met("a watched key has changed");
            return end({ type: "fail", error: "changed" });
          }
          return isList(results) ? end(done) : this.#end(told, "EXEC", end);
        });
      if (!twice) return begin();
      return this.#ask(process, [said("WATCH", ...keys)], (again) => {
        if (again?.[0] === "OK") return begin();
        return this.#unwatch(process, () => end(certain(failed(again))));
      });
    });
  }

  #unwatch(process: number, then: () => void): void {
    this.#ask(process, [said("UNWATCH")], then);
  }

  // --- keys of one's own -------------------------------------------------------------------------------

  #own(process: number, id: number, end: End): void {
    const steps = ownSteps(id);
    const step = (at: number): void => {
      const one = steps[at];
      if (one === undefined) return end(done);
      return this.#ask(process, one.texts, (replies) => {
        const reply = replies?.at(-1);
        if (reply === undefined || reply instanceof Refusal) return end(failed(replies));
        if (!one.holds(reply))
          this.#wrong(`step ${at} at a key of its own has answered ${JSON.stringify(reply)}`);
        if (one.counts === true && isList(reply))
          this.workload.trigger(new Counted({ key: crowd, value: Number(reply[1]) }));
        return step(at + 1);
      });
    };
    step(0);
  }

  /** Keys that are there all the time are met exactly once, whatever else comes and goes. */
  #find(process: number, id: number, end: End): void {
    const keys = keysToFind(id);
    const found: string[] = [];
    const judge = (): void => {
      if (keys.join(" ") !== [...found].sort().join(" "))
        return this.#wrong(`of the keys ${keys.join(" ")} were met ${found.join(" ")}`);
      return this.#say(process, ["DEL", ...keys], end, (reply) =>
        reply === keys.length ? end(done) : this.#strange("DEL", reply),
      );
    };
    const take = (reply: Reply | undefined): void => {
      for (const key of isList(reply) ? reply : [])
        if (typeof key === "string" && keys.includes(key)) found.push(key);
    };
    const scan = (cursor: string): void =>
      this.#say(process, ["SCAN", cursor, "COUNT", 3], end, (reply) => {
        const [next, page] = isList(reply) ? reply : [];
        if (typeof next !== "string") return this.#strange("SCAN", reply);
        take(page);
        return next === "0" ? judge() : scan(next);
      });
    this.#say(process, ["MSET", ...keys.flatMap((key) => [key, 1])], end, (told) => {
      if (told !== "OK") return this.#strange("MSET", told);
      if (id % 2 === 0) return scan("0");
      return this.#say(process, ["KEYS", `find${id}.*`], end, (reply) => {
        take(reply);
        return judge();
      });
    });
  }

  // --- several in one piece ----------------------------------------------------------------------------

  /** Commands in one piece: those on one key are done in their order. */
  #pipe(process: number, id: number, group: string, end: End): void {
    const parts = pieceOf(id, `${group}.${process}`, `${group}+${process}`, `c${group}`);
    const tell = (i: number, type: Aside["type"], value: number | null): void => {
      const { op = "count", key = "" } = parts[i] ?? {};
      const aside = { process: id * 16 + i, type, op: op === "read" ? op : "write" };
      if (op !== "count") this.workload.trigger(new Aside({ ...aside, key, value }));
    };
    for (const [i, { op, value }] of parts.entries())
      tell(i, "invoke", op === "read" ? null : value);
    // Which part a reply belongs to; of a part with several only the last one tells something.
    const whose = parts.flatMap(({ texts }, i) =>
      texts.map((_, j) => (j < texts.length - 1 ? -1 : i)),
    );
    const written = new Map<string, number>();
    let counted = 0;
    let isSure = true;
    const each = (reply: Reply, at: number): void => {
      const i = whose[at] ?? -1;
      const part = parts[i];
      if (part === undefined) {
        if (!(reply instanceof Refusal) && reply !== "OK" && reply !== "QUEUED")
          this.#wrong(`${JSON.stringify(reply)} is no answer within MULTI`);
        return undefined;
      }
      const { op, key, value } = part;
      if (reply instanceof Refusal) {
        const isUnknown = reply.text.startsWith("UNKNOWN");
        isSure = false;
        return tell(i, isUnknown && op !== "read" ? "info" : "fail", op === "read" ? null : value);
      }
      if (op === "count") {
        if (typeof reply !== "number") return this.#strange("INCR", reply);
        if (reply <= counted) this.#wrong(`${key} was ${counted}, and ${reply} in the next answer`);
        counted = reply;
        this.workload.trigger(new Counted({ key, value: reply }));
      } else if (op === "over" && reply === null) {
        if (isSure) this.#wrong(`${key} was absent behind a write of ${written.get(key)}`);
        tell(i, "fail", value);
      } else if (op !== "read") {
        if (reply !== "OK") return this.#strange("SET", reply);
        written.set(key, value);
        tell(i, "ok", value);
      } else {
        const seen = part.found?.(reply);
        if (seen === undefined) return this.#strange("a read", reply);
        if (isSure && seen !== written.get(key))
          this.#wrong(`${key} was read as ${seen} behind a write of ${written.get(key)}`);
        tell(i, "ok", seen);
      }
      return undefined;
    };
    const texts = parts.flatMap((part) => part.texts);
    const then: Then = (replies) => {
      const refused = replies?.some((reply) => reply instanceof Refusal);
      if (replies !== null && refused !== true) this.#met("all of one piece is done");
      end(replies === null || refused === true ? { type: "info", error: "some of it" } : done);
    };
    this.#ask(process, texts, then, each);
  }

  // --- connections -----------------------------------------------------------------------------------

  /** Says one command, and goes on with its reply unless that is an error. */
  #say(
    process: number,
    words: readonly (string | number)[],
    end: End,
    then: (reply: Reply) => void,
  ): void {
    this.#ask(process, [said(...words)], (replies) => {
      const [reply] = replies ?? [];
      if (reply === undefined || reply instanceof Refusal) return end(failed(replies));
      return then(reply);
    });
  }

  /** Has commands done at one instant, with nothing watched. */
  #exec(
    process: number,
    texts: readonly string[],
    end: End,
    then: (results: readonly Reply[]) => void,
  ): void {
    this.#ask(process, [said("MULTI"), ...texts, said("EXEC")], (replies) => {
      const results = replies?.at(-1);
      if (isList(results)) return then(results);
      if (results === null) return this.#wrong("EXEC without WATCH has answered nil");
      return this.#end(replies, "EXEC", end);
    });
  }

  #ask(process: number, texts: readonly string[], then: Then, each: Each | null = null): void {
    this.#connections.ask({ process, now: this.clock.monotonic }, texts, then, each);
    // Of those that count everything is known that can be: what is done twice shows.
    if (texts[0]?.includes("INCR") === true || this.random("hangs up").float() >= hangsUp) return;
    this.#met("a client hangs up in the middle");
    this.#connections.leave(process);
    then(null);
  }

  /** The end of what has not brought what it should: there has to be an error. */
  #end(replies: readonly Reply[] | null, what: string, end: End): void {
    if (replies === null || replies.some((reply) => reply instanceof Refusal))
      return end(failed(replies));
    return this.#strange(what, replies.at(-1) ?? null);
  }

  #strange(what: string, reply: Reply): void {
    this.#wrong(`${what} has answered ${JSON.stringify(reply)}`);
  }

  #wrong(what: string): void {
    this.workload.trigger(new Wrong({ what }));
  }

  #met(what: string): void {
    this.workload.trigger(new Met({ what }));
  }
}

/** What became of commands some of which were refused, or that nobody was told of. */
function failed(replies: readonly Reply[] | null): Ended {
  if (replies === null) return { type: "info", error: "hung up" };
  const errors = replies.flatMap((reply) => (reply instanceof Refusal ? [reply.text] : []));
  // Of several errors the one that may have done something counts.
  const isUnknown = errors.some((text) => text.startsWith("UNKNOWN"));
  return { type: isUnknown ? "info" : "fail", error: errors[0] ?? "no error" };
}

/** What does not change anything certainly has not. */
function certain(ended: Ended): Ended {
  return ended.type === "ok" ? ended : { ...ended, type: "fail" };
}

function listOf(reply: Reply): number[] {
  return typeof reply === "string" ? reply.split(",").slice(0, -1).map(Number) : [];
}

function callsOf(value: unknown): Call[] {
  if (!Array.isArray(value)) return [];
  return value.map((step: unknown): Call => {
    const [kind, key, what]: unknown[] = Array.isArray(step) ? step : [];
    return [kind === "append" ? "append" : "r", String(key), Number(what)];
  });
}
