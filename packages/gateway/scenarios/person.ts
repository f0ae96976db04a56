/**
 * Clients of Redis at one node: each process of the scenario has a connection, on which it says commands as any client would, and
 * judges the replies by what Redis promises. What it cannot know is unknown: an UNKNOWN, and all that was said on a connection that ended.
 */

import { Component } from "@kith/core";
import { type OutcomeType, Perform, Performed, Workload } from "@kith/sim/scenario";
import { Aside, Counted, Met, Wrong } from "./facts.ts";
import { Heard, Left, Said, Wire } from "./port.ts";
import { heard, Refusal, type Reply, said } from "./resp.ts";

interface Connection {
  readonly client: number;
  text: string;
  replies: Reply[];
  due: number;
  /** Null where nobody waits. Given null where the connection has ended. */
  then: ((replies: readonly Reply[] | null) => void) | null;
  /** Told of each reply, as it comes. */
  each: ((reply: Reply, index: number) => void) | null;
}

interface Ended {
  readonly type: OutcomeType;
  readonly value?: unknown;
  readonly error?: string;
}

type End = (ended: Ended) => void;
type Call = readonly [kind: "r" | "append", key: string, value: number];

const done: Ended = { type: "ok" };
const hangsUp = 0.02;
/** Longer than any clock jumps. */
const lifeMs = 30 * 24 * 3_600_000;

/** The clients at a node. */
export class Person extends Component {
  readonly workload = this.requires(Workload);
  readonly wire = this.requires(Wire);
  readonly #connections = new Map<number, Connection>();
  readonly #byClient = new Map<number, Connection>();
  #last = 0;

  constructor() {
    super();
    this.wire.on(Heard, ({ client, text }) => this.#heard(client, text));
    this.workload.on(Perform, (perform) => {
      const { id, process } = perform;
      this.#perform(perform, (ended) => {
        this.workload.trigger(new Performed({ id, ...ended }));
        if (ended.type !== "info") return;
        this.#met("an outcome is unknown");
        this.#leave(process);
      });
    });
  }

  #perform({ id, op, key = "", value, process }: Perform, end: End): void {
    const ask = (
      texts: readonly string[],
      then: (replies: readonly Reply[] | null) => void,
    ): void => this.#ask(process, texts, then);
    switch (op) {
      case "read":
        return ask([said("GET", key)], (replies) => end(certain(readOf(replies))));
      case "write": {
        const text = value === null ? said("DEL", key) : said("SET", key, Number(value));
        return ask([text], (replies) => end(simple(replies)));
      }
      case "add":
        return ask([said("INCR", key)], (replies) => {
          const [reply] = replies ?? [];
          if (typeof reply !== "number") return end(simple(replies));
          this.workload.trigger(new Counted({ key, value: reply }));
          return end(done);
        });
      case "cas": {
        const [from, to]: unknown[] = Array.isArray(value) ? value : [];
        return this.#watched(process, [key], end, ([seen]) =>
          seen === String(from) ? [said("SET", key, String(to))] : null,
        );
      }
      case "txn": {
        const calls = callsOf(value);
        return id % 2 === 0 ? this.#lists(process, calls, end) : this.#apart(process, calls, end);
      }
      case "own":
        return this.#own(process, id, end);
      default:
        return this.#pipe(process, id, key, end);
    }
  }

  // --- transactions ----------------------------------------------------------------------------------

  /** All in one transaction that watches nothing: it is never overtaken. */
  #apart(process: number, calls: readonly Call[], end: End): void {
    const texts = calls.map(([kind, key, value]) =>
      kind === "r" ? said("GET", key) : said("APPEND", key, `${value},`),
    );
    const isRead = calls.every(([kind]) => kind === "r");
    this.#ask(process, [said("MULTI"), ...texts, said("EXEC")], (replies) => {
      const results = replies?.at(-1);
      if (results === null) this.#wrong("EXEC without WATCH has answered nil");
      if (!isList(results)) return end(isRead ? certain(simple(replies)) : simple(replies));
      const value = calls.map(([kind, key, one], i) =>
        kind === "r" ? [kind, key, listOf(results[i] ?? null)] : [kind, key, one],
      );
      return end({ type: "ok", value });
    });
  }

  /** Reads lists that it watches, and writes them where nobody else did. */
  #lists(process: number, calls: readonly Call[], end: End): void {
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
      (ended) => end(ended.type === "ok" ? { ...ended, value } : ended),
      writes,
    );
  }

  /** Watches, reads, and does what follows from that where nobody was faster. */
  #watched(
    process: number,
    keys: readonly string[],
    end: End,
    texts: (seen: readonly (string | null)[]) => readonly string[] | null,
  ): void {
    const looks = [said("WATCH", ...keys), ...keys.map((key) => said("GET", key))];
    this.#ask(process, looks, (replies) => {
      const seen = (replies ?? []).slice(1);
      const values = seen.flatMap((one) => (one === null || typeof one === "string" ? [one] : []));
      if (replies?.[0] !== "OK" || values.length < keys.length)
        return this.#ask(process, [said("UNWATCH")], () => end(certain(simple(replies))));
      const next = texts(values);
      if (next === null)
        return this.#ask(process, [said("UNWATCH")], () => end({ type: "fail", error: "refused" }));
      return this.#ask(process, [said("MULTI"), ...next, said("EXEC")], (told) => {
        const results = told?.at(-1);
        if (results === null) {
          this.#met("a watched key has changed");
          return end({ type: "fail", error: "changed" });
        }
        return end(isList(results) ? done : simple(told));
      });
    });
  }

  // --- keys of one's own -------------------------------------------------------------------------------

  /** A key that nobody else knows has the time to live that it was given, by whatever command. */
  #own(process: number, id: number, end: End): void {
    const key = `own${id}`;
    const steps: readonly (readonly [string[], (reply: Reply) => boolean])[] = [
      [[said("SET", key, "1")], (reply) => reply === "OK"],
      [[said("PTTL", key)], (reply) => reply === -1],
      id % 2 === 0
        ? [[said("PEXPIRE", key, lifeMs)], (reply) => reply === 1]
        : [
            [said("MULTI"), said("APPEND", key, "2"), said("PEXPIRE", key, lifeMs), said("EXEC")],
            (reply) => isList(reply) && reply[0] === 2 && reply[1] === 1,
          ],
      [[said("PTTL", key)], (reply) => typeof reply === "number" && reply > 0],
      // Nobody else has changed it.
      [
        [said("WATCH", key), said("MULTI"), said("APPEND", key, ""), said("EXEC")],
        (reply) => isList(reply),
      ],
      [[said("INCR", key)], (reply) => typeof reply === "number"],
      [[said("PTTL", key)], (reply) => typeof reply === "number" && reply > 0],
      [[said("PERSIST", key)], (reply) => reply === 1],
      [[said("PTTL", key)], (reply) => reply === -1],
      [[said("DEL", key)], (reply) => reply === 1],
      [[said("EXISTS", key)], (reply) => reply === 0],
    ];
    const step = (at: number): void => {
      const [texts, holds] = steps[at] ?? [];
      if (texts === undefined || holds === undefined) return end(done);
      return this.#ask(process, texts, (replies) => {
        const reply = replies?.at(-1);
        if (reply === undefined || reply instanceof Refusal) return end(simple(replies));
        if (!holds(reply))
          this.#wrong(`step ${at} at a key of its own has answered ${JSON.stringify(reply)}`);
        return step(at + 1);
      });
    };
    step(0);
  }

  // --- several in one piece ----------------------------------------------------------------------------

  /** Commands in one piece: those on one key are done in their order. Nobody else writes the key; all add to the counter. */
  #pipe(process: number, id: number, group: string, end: End): void {
    const key = `${group}.${process}`;
    const value = (i: number): number => 1_000_000 + id * 16 + i;
    const counter = `c${group}`;
    // What has a condition or several keys is a request of its own: it does not leave together with those before it.
    const plan: readonly {
      readonly op: "write" | "over" | "read" | "count";
      readonly value: number;
    }[] = [
      { op: "write", value: value(0) },
      { op: "count", value: 0 },
      { op: "read", value: 0 },
      { op: "over", value: value(1) },
      { op: "count", value: 0 },
      { op: "over", value: value(2) },
      { op: "read", value: 0 },
      { op: "count", value: 0 },
    ];
    const tell = (i: number, type: Aside["type"], about: number | null): void => {
      const { op = "count" } = plan[i] ?? {};
      const aside = { process: id * 16 + i, type, op: op === "read" ? op : "write" };
      if (op !== "count") this.workload.trigger(new Aside({ ...aside, key, value: about }));
    };
    const texts = plan.map(({ op, value: one }, i) => {
      tell(i, "invoke", op === "read" ? null : one);
      if (op === "count") return said("INCR", counter);
      if (op === "over") return said("SET", key, one, "XX");
      return op === "write" ? said("SET", key, one) : said("MGET", key, counter);
    });
    let counted = 0;
    let written = -1;
    let isSure = true;
    const each = (reply: Reply, i: number): void => {
      const { op, value: one = 0 } = plan[i] ?? {};
      if (reply instanceof Refusal) {
        const isUnknown = reply.text.startsWith("UNKNOWN");
        isSure = false;
        return tell(i, isUnknown && op !== "read" ? "info" : "fail", op === "read" ? null : one);
      }
      if (op === "count") {
        const now = Number(reply);
        if (now <= counted) this.#wrong(`${counter} was ${counted}, and ${now} in the next answer`);
        counted = now;
        this.workload.trigger(new Counted({ key: counter, value: now }));
      } else if (op === "over" && reply === null) {
        if (isSure) this.#wrong(`${key} was absent behind a write of ${written}`);
        tell(i, "fail", one);
      } else if (op !== "read") {
        written = one;
        tell(i, "ok", one);
      } else {
        const [first = null] = isList(reply) ? reply : [];
        const seen = first === null ? null : Number(first);
        if (isSure && seen !== written)
          this.#wrong(`${key} was read as ${seen} behind a write of ${written}`);
        tell(i, "ok", seen);
      }
    };
    this.#ask(
      process,
      texts,
      (replies) => {
        const refused = replies?.some((reply) => reply instanceof Refusal);
        if (replies !== null && refused !== true) this.#met("all of one piece is done");
        end(replies === null || refused === true ? { type: "info", error: "some of it" } : done);
      },
      each,
    );
  }

  // --- connections -----------------------------------------------------------------------------------

  #ask(
    process: number,
    texts: readonly string[],
    then: (replies: readonly Reply[] | null) => void,
    each: Connection["each"] = null,
  ): void {
    let connection = this.#connections.get(process);
    if (connection === undefined) {
      connection = { client: ++this.#last, text: "", replies: [], due: 0, then: null, each: null };
      this.#connections.set(process, connection);
      this.#byClient.set(connection.client, connection);
    }
    const { client } = connection;
    connection.then = then;
    connection.each = each;
    connection.due = texts.length;
    connection.replies = [];
    this.wire.trigger(new Said({ client, text: texts.join("") }));
    // Of those that count everything is known that can be: what is done twice shows.
    if (texts[0]?.includes("INCR") === true || this.random("hangs up").float() >= hangsUp) return;
    this.#met("a client hangs up in the middle");
    this.#leave(process);
    then(null);
  }

  #leave(process: number): void {
    const connection = this.#connections.get(process);
    if (connection === undefined) return;
    this.#connections.delete(process);
    this.#byClient.delete(connection.client);
    this.wire.trigger(new Left({ client: connection.client }));
  }

  #heard(client: number, text: string | null): void {
    const connection = this.#byClient.get(client);
    if (connection === undefined) return;
    if (text === null) {
      this.#wrong("the port has hung up");
      return;
    }
    connection.text += text;
    for (;;) {
      const next = heard(connection.text, 0);
      if (next === null) return;
      connection.text = connection.text.slice(next.at);
      if (connection.replies.length === connection.due)
        return this.#wrong(
          `there is a reply that nobody has asked for: ${JSON.stringify(next.reply)}`,
        );
      connection.each?.(next.reply, connection.replies.length);
      connection.replies.push(next.reply);
      if (connection.replies.length < connection.due) continue;
      const { then, replies } = connection;
      connection.then = null;
      then?.(replies);
    }
  }

  #wrong(what: string): void {
    this.workload.trigger(new Wrong({ what }));
  }

  #met(what: string): void {
    this.workload.trigger(new Met({ what }));
  }
}

/** What became of commands of which the last one tells. */
function simple(replies: readonly Reply[] | null): Ended {
  if (replies === null) return { type: "info", error: "hung up" };
  const error = replies.find((reply) => reply instanceof Refusal);
  if (error === undefined) return done;
  // Of several errors the one that may have done something counts.
  const isUnknown = replies.some(
    (reply) => reply instanceof Refusal && reply.text.startsWith("UNKNOWN"),
  );
  return { type: isUnknown ? "info" : "fail", error: error.text };
}

/** What does not change anything certainly has not. */
function certain(ended: Ended): Ended {
  return ended.type === "ok" ? ended : { ...ended, type: "fail" };
}

function readOf(replies: readonly Reply[] | null): Ended {
  const [reply] = replies ?? [];
  if (reply === undefined || reply instanceof Refusal) return simple(replies);
  return { type: "ok", value: reply === null ? null : Number(reply) };
}

function isList(reply: Reply | undefined): reply is readonly Reply[] {
  return Array.isArray(reply);
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
