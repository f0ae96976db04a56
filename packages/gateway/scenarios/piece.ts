/** Several commands in one piece: what they are, and how each reply is judged. */

import { isList, type Reply, said } from "./resp.ts";

/** A part of a piece: one command, or several of which the last one's reply counts. */
export interface Part {
  readonly op: "write" | "over" | "read" | "count";
  /** The register that it is about; the counter, where it counts. */
  readonly key: string;
  /** What is written. */
  readonly value: number;
  readonly texts: readonly string[];
  /** What a read has found; undefined where that is no reply to it. */
  readonly found?: (reply: Reply) => number | null | undefined;
}

/** Nobody else writes the registers `key` and `beside`; all add to the counter. */
export function pieceOf(id: number, key: string, beside: string, counter: string): readonly Part[] {
  const value = (i: number): number => 1_000_000 + id * 16 + i;
  const write = (i: number, at: string): Part => ({
    ...{ op: "write", key: at, value: value(i), texts: [said("SET", at, value(i))] },
  });
  // What has a condition or several keys is a request of its own: it does not leave together with those before it.
  const over = (i: number): Part => ({
    ...{ op: "over", key, value: value(i), texts: [said("SET", key, value(i), "XX")] },
  });
  const count: Part = { op: "count", key: counter, value: 0, texts: [said("INCR", counter)] };
  const read = (at: string, texts: readonly string[], found: NonNullable<Part["found"]>): Part => ({
    ...{ op: "read", key: at, value: 0, texts, found },
  });
  return [
    write(0, key),
    write(1, beside),
    count,
    read(key, [said("MGET", key, counter)], first),
    over(2),
    read(key, [said("MULTI"), said("GET", key), said("EXEC")], first),
    count,
    over(3),
    read(beside, [said("GET", beside)], numberOf),
    read(key, [said("MGET", key, counter)], first),
    count,
  ];
}

function first(reply: Reply): number | null | undefined {
  return isList(reply) ? numberOf(reply[0]) : undefined;
}

/** What a register holds, as a GET tells it; undefined where that is no such reply. */
export function numberOf(reply: Reply | undefined): number | null | undefined {
  if (reply === null) return null;
  return typeof reply === "string" && /^\d+$/.test(reply) ? Number(reply) : undefined;
}
