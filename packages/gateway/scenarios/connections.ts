/**
 * The connections of the clients at one node, one for each process of the scenario: what is said goes out in one piece, and the replies to
 * it come one after the other. A reply that nobody has asked for is wrong, and so is a port that hangs up by itself.
 */

import type { Millis } from "@kith/core";
import { heard, type Reply } from "./resp.ts";

/** What is done with all replies; given null where nobody will ever know them. */
export type Then = (replies: readonly Reply[] | null) => void;

/** Told of each reply, as it comes. */
export type Each = (reply: Reply, index: number) => void;

/** What connections need of their surroundings. */
export interface Way {
  readonly say: (client: number, text: string) => void;
  readonly leave: (client: number) => void;
  readonly wrong: (what: string) => void;
}

interface Connection {
  readonly client: number;
  readonly process: number;
  text: string;
  replies: Reply[];
  due: number;
  /** When something was said last, in monotonic milliseconds; and whether that was one command about one key. */
  since: Millis;
  single: boolean;
  /** Null where nobody waits. */
  then: Then | null;
  each: Each | null;
}

/** The connections at a node. */
export class Connections {
  readonly #way: Way;
  readonly #byProcess = new Map<number, Connection>();
  readonly #byClient = new Map<number, Connection>();
  #last = 0;

  constructor(way: Way) {
    this.#way = way;
  }

  /** Says commands in one piece, each with one reply. */
  ask(
    { process, now }: { readonly process: number; readonly now: Millis },
    texts: readonly string[],
    then: Then,
    each: Each | null,
  ): void {
    let connection = this.#byProcess.get(process);
    if (connection === undefined) {
      const client = ++this.#last;
      const nothing = {
        text: "",
        replies: [],
        due: 0,
        since: now,
        single: false,
        then: null,
        each: null,
      };
      connection = { client, process, ...nothing };
      this.#byProcess.set(process, connection);
      this.#byClient.set(client, connection);
    }
    connection.then = then;
    connection.each = each;
    connection.due = texts.length;
    connection.replies = [];
    connection.since = now;
    connection.single =
      texts.length === 1 && /^\*\d+\r\n\$\d+\r\n(GET|SET|INCR)\r\n/.test(texts[0] ?? "");
    this.#way.say(connection.client, texts.join(""));
  }

  /** Hangs up. Whoever waits is told nothing. */
  leave(process: number): void {
    const connection = this.#byProcess.get(process);
    if (connection === undefined) return;
    this.#forget(connection);
    this.#way.leave(connection.client);
  }

  /** Something has come for a client; null: it was hung up on. */
  heard(client: number, text: string | null): void {
    const connection = this.#byClient.get(client);
    if (connection === undefined) return;
    if (text === null) return this.#way.wrong("the port has hung up");
    connection.text += text;
    for (;;) {
      const next = heard(connection.text, 0);
      if (next === null) return;
      connection.text = connection.text.slice(next.at);
      const { replies, due } = connection;
      if (replies.length === due)
        return this.#way.wrong(`nobody has asked for the reply ${JSON.stringify(next.reply)}`);
      connection.each?.(next.reply, replies.length);
      replies.push(next.reply);
      if (replies.length < due) continue;
      const { then } = connection;
      connection.then = null;
      then?.(replies);
    }
  }

  /** Nobody who has asked for one thing may wait for longer than since then. What is in one piece, or about several keys, waits for others. */
  check(since: Millis): void {
    for (const { then, since: said, single } of this.#byClient.values())
      if (then !== null && said < since && single)
        return this.#way.wrong("a command is not answered");
  }

  /** The port has begun anew: all connections have ended. */
  lost(): void {
    const all = [...this.#byProcess.values()];
    for (const one of all) this.#forget(one);
    for (const { then } of all) then?.(null);
  }

  #forget({ process, client }: Connection): void {
    this.#byProcess.delete(process);
    this.#byClient.delete(client);
  }
}
