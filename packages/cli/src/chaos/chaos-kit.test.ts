/**
 * Chaos for real: ioredis clients of `kith up --processes` while one of its peers after the other is killed with -9 and comes back on
 * its disk. What the clients saw is a history: counters, registers that have to be linearizable, and lists to which
 * transactions append, which have to be strictly serializable.
 *
 * - No command is sent twice by the client: what is lost with a connection is unknown.
 * - A person retires after an unknown outcome, and another one takes its place. Each value is written once.
 * - The history ends with a read of everything that was used last, after all peers are back.
 */

import { Redis } from "ioredis";
import { checkAppends, checkRegisters, complaint, type HistoryEvent } from "@kith/testing/history";
import { portsInRow, Running, until } from "../kith-kit.test.ts";

/** How much chaos. Times in milliseconds. */
export interface ChaosOptions {
  /** The command before its arguments: Node's arguments and the program. */
  readonly command: readonly string[];
  readonly duration: number;
  readonly acknowledged: number;
  /** Between two kills. */
  readonly every: number;
  /** From the kill to the start. */
  readonly restartAfter: number;
  readonly people: number;
  readonly told?: (what: string) => void;
}

/** What happened. */
export interface ChaosResult {
  readonly history: readonly HistoryEvent[];
  readonly kills: number;
  readonly acknowledged: number;
  readonly unknown: number;
  readonly counters: readonly {
    readonly acknowledged: number;
    readonly unknown: number;
    readonly final: number;
  }[];
  /** From each kill to the first success on every key, at another peer. */
  readonly recoveries: readonly number[];
}

/** What is wrong with what was seen, in words. */
export function judge({ history, counters }: ChaosResult): string[] {
  const transactions = history.filter(({ op }) => op === "txn");
  const single = history.filter(({ op }) => op !== "txn");
  const found = [complaint(checkAppends(transactions)), complaint(checkRegisters(single))];
  const miscounted = counters.flatMap(({ acknowledged, unknown, final }, i) =>
    acknowledged <= final && final <= acknowledged + unknown
      ? []
      : [`Counter ${i} is ${final}: ${acknowledged} acknowledged, ${unknown} unknown.`],
  );
  return [...found.flatMap((one) => one ?? []), ...miscounted];
}

type Outcome = "ok" | "fail" | "info";

const registers = Array.from({ length: 8 }, (_, i) => `r${i}`);
const lists = Array.from({ length: 6 }, (_, i) => `l${i}`);
const counterNames = Array.from({ length: 8 }, (_, i) => `c${i}`);
const listTransactions = 300;

/** Runs clients and faults. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { command, told = () => undefined } = options;
  const ports = await portsInRow(15);
  const up = new Running([
    ...command,
    ...["up", "--processes", "--json", "--no-http", "--listen", `${ports}`],
    ...["--redis", `${ports + 5}`, "--restart-after", `${options.restartAfter}`],
  ]);
  try {
    const [line] = await up.says(/^\{.*\}$/m, 120_000);
    const { peers }: { peers: { pid: number; redis: { port: number } }[] } = JSON.parse(line);
    const pids = peers.map(({ pid }) => pid);
    const chronicle = new Chronicle(peers.map(({ redis }) => redis.port));
    const begin = performance.now();
    const crowd = Array.from({ length: options.people }, (_, i) => chronicle.person(i));
    const recoveries: number[] = [];
    let kills = 0;
    const isOver = (): boolean =>
      performance.now() >= begin + options.duration &&
      chronicle.acknowledged >= options.acknowledged;
    while (!isOver()) {
      const next = performance.now() + options.every;
      const victim = kills % pids.length;
      const pid = pids[victim];
      if (pid === undefined) throw new Error("no such process");
      told(`peer ${victim + 1} is killed: ${chronicle.acknowledged} acknowledged so far`);
      const before = up.error.length;
      process.kill(pid, "SIGKILL");
      kills++;
      recoveries.push(await chronicle.goesOn((victim + 1) % pids.length));
      const again = new RegExp(`peer ${victim + 1} is up again, as process (\\d+)`);
      pids[victim] = await until(() => {
        const found = again.exec(up.error.slice(before));
        return found === null ? null : Number(found[1]);
      });
      told(
        `peer ${victim + 1} is up again; every key was served after ${Math.round(recoveries.at(-1) ?? 0)} ms`,
      );
      while (performance.now() < next && !isOver())
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
    chronicle.over = true;
    await Promise.all(crowd);
    const counters = await chronicle.last();
    const { events: history, acknowledged, unknown } = chronicle;
    chronicle.close();
    return { history, kills, acknowledged, unknown, counters, recoveries };
  } finally {
    await up.stop();
  }
}

/** Asks, and writes down what was asked and what came of it. */
class Chronicle {
  readonly events: HistoryEvent[] = [];
  over = false;
  acknowledged = 0;
  unknown = 0;
  readonly #clients: Redis[];
  readonly #ports: readonly number[];
  readonly #counts = counterNames.map(() => ({ acknowledged: 0, unknown: 0 }));
  readonly #begin = performance.now();
  #processes = 0;
  #values = 0;
  #transactions = 0;

  /** @param ports the Redis ports of the peers */
  constructor(ports: readonly number[]) {
    this.#clients = ports.map(clientOf);
    this.#ports = ports;
  }

  close(): void {
    for (const client of this.#clients) client.disconnect();
  }

  /** One after the other, until the end. Each has a connection of its own, as WATCH belongs to one. */
  async person(seed: number): Promise<void> {
    let draw = seed + 1;
    const pick = (count: number): number => {
      draw = (Math.imul(draw, 1103515245) + 12345) & 0x7fffffff;
      return (draw >> 8) % count;
    };
    const client = clientOf(this.#ports[seed % this.#ports.length] ?? 0);
    let process = this.#processes++;
    while (!this.over) {
      if (client.status !== "ready") {
        await new Promise((resolve) => setTimeout(resolve, 10));
        continue;
      }
      const outcome = await this.#one(client, process, pick);
      if (outcome === "info") process = this.#processes++;
      // What failed at once would fail as fast again.
      if (outcome !== "ok") await new Promise((resolve) => setTimeout(resolve, 20));
    }
    client.disconnect();
  }

  /** How long it takes until every key can be written and read through a peer. */
  async goesOn(peer: number): Promise<number> {
    const begin = performance.now();
    const client = clientOf(this.#ports[peer] ?? 0);
    try {
      for (const key of [...registers, ...counterNames, ...lists])
        await until(async () => {
          const touched = await client.set(`touched/${key}`, "1").catch(() => null);
          return touched === null ? null : true;
        });
      for (const key of registers)
        await until(async () => {
          const seen = await client.get(key).catch(() => undefined);
          return seen === undefined ? null : true;
        });
    } finally {
      client.disconnect();
    }
    return performance.now() - begin;
  }

  /** Reads everything. @returns the counters */
  async last(): Promise<ChaosResult["counters"]> {
    const [client] = this.#clients;
    if (client === undefined) throw new Error("no client");
    await until(() => (client.status === "ready" ? true : null));
    const sure = (ask: () => Promise<Outcome>): Promise<true> =>
      until(async () => ((await ask()) === "ok" ? true : null));
    for (const key of registers) await sure(() => this.#look(client, this.#processes++, key));
    await sure(() => this.#readLists(client, this.#processes++, lists));
    const finals = await until(() => client.mget(counterNames).catch(() => null));
    return this.#counts.map((count, i) => ({ ...count, final: Number(finals[i] ?? 0) }));
  }

  #one(client: Redis, process: number, pick: (count: number) => number): Promise<Outcome> {
    const key = registers[pick(registers.length)] ?? "r0";
    const what = pick(100);
    if (what < 25) return this.#look(client, process, key);
    if (what < 45) return this.#write(client, process, key);
    if (what < 75) return this.#count(client, pick(counterNames.length));
    const count = 1 + pick(3);
    const some = Array.from({ length: count }, () => lists[pick(lists.length)] ?? "l0");
    const chosen = [...new Set(some)];
    return what < 82
      ? this.#readLists(client, process, chosen)
      : this.#append(client, process, chosen);
  }

  async #look(client: Redis, process: number, key: string): Promise<Outcome> {
    const note = this.#asks(process, "read", { key, value: null });
    try {
      const value = await client.get(key);
      return note("ok", value === null ? null : Number(value));
    } catch {
      return note("fail");
    }
  }

  async #write(client: Redis, process: number, key: string): Promise<Outcome> {
    const value = ++this.#values;
    const note = this.#asks(process, "write", { key, value });
    try {
      await client.set(key, `${value}`);
      return note("ok", value);
    } catch (error) {
      return note(outcomeOf(error), value);
    }
  }

  async #count(client: Redis, at: number): Promise<Outcome> {
    const count = this.#counts[at];
    if (count === undefined) throw new Error("no counter");
    let outcome: Outcome = "ok";
    try {
      await client.incr(counterNames[at] ?? "c0");
      count.acknowledged++;
    } catch (error) {
      outcome = outcomeOf(error);
      if (outcome === "info") count.unknown++;
    }
    if (outcome === "info") this.unknown++;
    else if (outcome === "ok") this.acknowledged++;
    return outcome;
  }

  async #readLists(client: Redis, process: number, chosen: readonly string[]): Promise<Outcome> {
    const keys = this.#age(chosen);
    const note = this.#asks(process, "txn", { value: keys.map((key) => ["r", key, null]) });
    try {
      const values = await client.mget([...keys]);
      return note(
        "ok",
        keys.map((key, i) => ["r", key, listOf(values[i] ?? null)]),
      );
    } catch {
      return note("fail");
    }
  }

  /** Appends to all of some lists, and tells what was there before. */
  async #append(client: Redis, process: number, chosen: readonly string[]): Promise<Outcome> {
    const keys = this.#age(chosen);
    const values = keys.map(() => ++this.#values);
    this.#transactions++;
    const steps = (read: (key: string) => unknown): unknown[] =>
      keys.flatMap((key, i) => [
        ["r", key, read(key)],
        ["append", key, values[i]],
      ]);
    const note = this.#asks(process, "txn", { value: steps(() => null) });
    for (let attempt = 0; attempt < 6; attempt++) {
      let before: Map<string, number[]>;
      try {
        await client.watch([...keys]);
        const seen = await client.mget([...keys]);
        before = new Map(keys.map((key, i) => [key, listOf(seen[i] ?? null)]));
      } catch {
        return note("fail");
      }
      try {
        const multi = client.multi();
        for (const [i, key] of keys.entries())
          multi.set(key, [...(before.get(key) ?? []), values[i]].join(" "));
        const replies = await multi.exec();
        if (replies !== null)
          return note(
            "ok",
            steps((key) => before.get(key)),
          );
      } catch (error) {
        return note(outcomeOf(error));
      }
      await new Promise((resolve) => setTimeout(resolve, 2 ** attempt));
    }
    return note("fail");
  }

  /** Lists by the names that they have now: what a transaction reads would grow without end. */
  #age(chosen: readonly string[]): string[] {
    const age = Math.floor(this.#transactions / listTransactions);
    return chosen.map((key) => `${key}.${age}`);
  }

  #asks(
    process: number,
    op: string,
    what: { readonly key?: string; readonly value: unknown },
  ): (outcome: Outcome, value?: unknown) => Outcome {
    this.#note({ process, type: "invoke", op, ...what });
    return (type, value) => {
      this.#note({ process, type, op, ...what, ...(value === undefined ? {} : { value }) });
      if (type === "info") this.unknown++;
      else if (type === "ok") this.acknowledged++;
      return type;
    };
  }

  #note(event: Omit<HistoryEvent, "time">): void {
    this.events.push({ ...event, time: Math.round((performance.now() - this.#begin) * 1e6) });
  }
}

function clientOf(port: number): Redis {
  const client = new Redis({
    host: "127.0.0.1",
    port,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    retryStrategy: () => 50,
  });
  client.on("error", () => undefined);
  return client;
}

/** What an error says: the server's own word, or that the connection is gone, and with it what was under way. */
function outcomeOf(error: unknown): Outcome {
  const text = error instanceof Error ? error.message : String(error);
  // Not sent at all.
  if (/enableOfflineQueue/.test(text)) return "fail";
  return /^(BUSY|TRYAGAIN|ERR|EXECABORT|LOADING)\b/.test(text) ? "fail" : "info";
}

function listOf(value: string | null): number[] {
  return value === null || value === "" ? [] : value.split(" ").map(Number);
}
