/**
 * What is measured: the same operations and transactions for all servers, as each of them does them best. A Redis port has INCR,
 * MULTI and WATCH; etcd reads, and writes if nothing was written since.
 *
 * Keys are taken in turn, so that clients meet on one only where that is what is measured. The two keys of a transaction lie in
 * different groups of a store of eight: that is the case that needs two logs to agree.
 */

import { positionOf } from "@kith/store";
import type { EtcdClient } from "./etcd.ts";
import type { Step, Talker } from "./load.ts";
import { command, type RedisConnection } from "./redis-connection.ts";

/** What a client does again and again. */
export interface Workload {
  readonly name: string;
  readonly kind: "get" | "set" | "increment" | "multi" | "watch";
  /** How many of them it sends in one piece. */
  readonly pipelined: number;
  /** Whether all clients meet on the same keys. */
  readonly isHot: boolean;
}

/** How many are sent in one piece, where there are several. */
export const atATime = 16;

/** All of them. */
export const workloads: readonly Workload[] = [
  { name: "GET", kind: "get", pipelined: 1, isHot: false },
  { name: "SET", kind: "set", pipelined: 1, isHot: false },
  { name: "INCR", kind: "increment", pipelined: 1, isHot: false },
  { name: `GET, ${atATime} at a time`, kind: "get", pipelined: atATime, isHot: false },
  { name: `SET, ${atATime} at a time`, kind: "set", pipelined: atATime, isHot: false },
  { name: `INCR, ${atATime} at a time`, kind: "increment", pipelined: atATime, isHot: false },
  { name: "MULTI of 2 keys", kind: "multi", pipelined: 1, isHot: false },
  { name: "WATCH, read, MULTI of 2 keys", kind: "watch", pipelined: 1, isHot: false },
  { name: "INCR of one key", kind: "increment", pipelined: 1, isHot: true },
  { name: "WATCH … of the same 2 keys", kind: "watch", pipelined: 1, isHot: true },
];

/** How many keys there are of each kind. */
export const keyCount = 10_000;
const value = "x".repeat(100);

/** The key of an operation. @param prefix what it is for */
export function keyOf(prefix: string, n: number): string {
  return `${prefix}${(n * 7919) % keyCount}`;
}

/** Two keys in different groups, as a new store of eight groups divides them. */
export function pairOf(n: number): readonly [string, string] {
  const one = keyOf("a", n);
  const eighth = eighthOf(one);
  for (let i = 0; ; i++) {
    const other = `b${(n * 7919) % keyCount}-${i}`;
    if (eighthOf(other) !== eighth) return [one, other];
  }
}

/** In which eighth of all positions a key lies. */
function eighthOf(key: string): number {
  return positionOf(key, false).charCodeAt(0) >> 5;
}

/** How a client of a Redis port does it. */
export function redisTalker(connection: RedisConnection, workload: Workload): Talker {
  const { kind, pipelined, isHot } = workload;
  const single = (n: number): Buffer => {
    if (kind === "get") return command("GET", keyOf("k", n));
    if (kind === "set") return command("SET", keyOf("k", n), value);
    return command("INCR", isHot ? "hot" : keyOf("n", n));
  };
  const transaction = async (n: number, isOver: () => boolean): Promise<Step> => {
    const [a, b] = pairOf(isHot ? 0 : n);
    const watch = Buffer.concat([command("WATCH", a, b), command("GET", a), command("GET", b)]);
    const multi = Buffer.concat([
      command("MULTI"),
      command("SET", a, value),
      command("SET", b, value),
      command("EXEC"),
    ]);
    for (let again = 0; ; again++) {
      if (kind === "watch") {
        const seen = await connection.ask(watch, 3);
        if (seen.errors > 0) return failed(1, seen.error, again);
      }
      const told = await connection.ask(multi, 4);
      if (told.errors > 0) return failed(1, told.error, again);
      if (!told.isNil) return { ...done, again };
      if (isOver()) return { ...none, again: again + 1 };
    }
  };
  const step: Talker["step"] = async (n, isOver) => {
    if (kind === "multi" || kind === "watch") return await transaction(n, isOver);
    const requests = Array.from({ length: pipelined }, (_, i) => single(n + i));
    const { errors, error } = await connection.ask(Buffer.concat(requests), pipelined);
    return { done: pipelined - errors, errors, error, again: 0 };
  };
  return { step, close: () => connection.close() };
}

/** How a client of etcd does it. */
export function etcdTalker(client: EtcdClient, workload: Workload): Talker {
  const { kind, pipelined, isHot } = workload;
  const bytes = (key: string): Buffer => Buffer.from(key, "latin1");
  const written = bytes(value);
  const swap = async (keys: readonly string[], isOver: () => boolean): Promise<Step> => {
    for (let again = 0; ; again++) {
      const seen = await Promise.all(keys.map((key) => client.read(bytes(key))));
      const swaps = seen.flatMap((one) =>
        one === null ? [] : [{ ...one, value: kind === "increment" ? next(one.value) : written }],
      );
      const swapped = swaps.length < keys.length ? null : await client.swap(swaps);
      if (swapped === null) return failed(1, "it did not answer", again);
      if (swapped) return { ...done, again };
      if (isOver()) return { ...none, again: again + 1 };
    }
  };
  const single: Talker["step"] = async (n, isOver) => {
    if (kind === "increment") return await swap([isHot ? "hot" : keyOf("n", n)], isOver);
    if (kind === "watch") return await swap(pairOf(isHot ? 0 : n), isOver);
    const isDone = await new Promise<boolean | null>((resolve) => {
      if (kind === "get") client.get(bytes(keyOf("k", n)), resolve);
      else if (kind === "set") client.put(bytes(keyOf("k", n)), written, resolve);
      else
        void client
          .swap(pairOf(n).map((key) => ({ key: bytes(key), value: written, revision: null })))
          .then(resolve);
    });
    return isDone === true ? done : failed(1, "it did not answer", 0);
  };
  const step: Talker["step"] = async (n, isOver) => {
    if (pipelined === 1) return await single(n, isOver);
    const all = Array.from({ length: pipelined }, (_, i) => single(n + i, isOver));
    const steps = await Promise.all(all);
    return steps.reduce((sum, one) => ({
      done: sum.done + one.done,
      errors: sum.errors + one.errors,
      again: sum.again + one.again,
      error: sum.error === "" ? one.error : sum.error,
    }));
  };
  return { step, close: () => client.close() };
}

const none: Step = { done: 0, errors: 0, again: 0, error: "" };
const done: Step = { ...none, done: 1 };

function failed(errors: number, error: string, again: number): Step {
  return { done: 0, errors, error, again };
}

function next(number: Uint8Array): Buffer {
  return Buffer.from(String(Number(Buffer.from(number).toString("latin1")) + 1), "latin1");
}
