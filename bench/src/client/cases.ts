/**
 * The client library: operations through it, from a process that is none of the three durable ones of the store. What it costs is told
 * apart from what the members do for it; both are in the CPU time of an operation.
 */

import { cpuUsage } from "node:process";
import { type Client, connect } from "@kith/client";
import type { Processes } from "@kith/example-group";
import { startStore } from "@kith/example-store";
import type { Case } from "../harness.ts";
import { cpuOfAll } from "../paxos/processes.ts";
import { Times } from "../times.ts";

const keyCount = 1000;
const value = "x".repeat(100);

function keyOf(n: number): string {
  return `key-${(n * 7919) % keyCount}`;
}

type Deed = (client: Client, n: number) => Promise<unknown>;

const deeds: Readonly<Record<string, Deed>> = {
  get: (client, n) => client.get(keyOf(n)),
  put: (client, n) => client.put(keyOf(n), value),
  increment: (client, n) => client.increment(`count-${n % keyCount}`),
  "read of 4 keys at one instant": (client, n) =>
    client.getAll([0, 1, 2, 3].map((i) => keyOf(n + i))),
  transaction: (client, n) =>
    client.transact(async (tx) => {
      const key = `sum-${(n * 7919) % keyCount}`;
      tx.put(key, String(Number((await tx.get(key)) ?? "0") + 1));
    }),
  "transfer between 2 keys": (client, n) =>
    client.transact(async (tx) => {
      const [from, to] = [`sum-${(n * 7919) % keyCount}`, `sum-${((n + 1) * 7919) % keyCount}`];
      const [had, has] = await Promise.all([tx.get(from), tx.get(to)]);
      tx.put(from, String(Number(had ?? "0") - 1));
      tx.put(to, String(Number(has ?? "0") + 1));
    }),
};

function clientCase(deed: Deed, callers: number, count: number): Case {
  let processes: Processes | null = null;
  let client: Client | null = null;
  let number = 0;
  let ownMicros = 0;
  let memberNanos = 0;
  const times = new Times();
  return {
    unit: "operation",
    count,
    rounds: 3,
    prepare: async () => {
      processes = await startStore();
      const peers = processes.members.map(({ host, port }) => `${host}:${port}`);
      client = await connect({ peers, within: 60_000, callsWithin: 30_000, log: () => undefined });
      for (let n = 0; n < keyCount; n++) await client.put(keyOf(n), value);
    },
    others: () => (processes === null ? 0 : cpuOfAll(processes)),
    run: async (total) => {
      const [one, others] = [client, processes];
      if (one === null || others === null) return;
      const counts = times.begin();
      const before = { own: cpuUsage(), members: cpuOfAll(others), at: performance.now() };
      let left = total;
      const caller = async (): Promise<void> => {
        while (left-- > 0) {
          const asked = performance.now();
          await deed(one, number++);
          if (counts) times.all.push(performance.now() - asked);
        }
      };
      await Promise.all(Array.from({ length: callers }, caller));
      if (!counts) return;
      const { user, system } = cpuUsage(before.own);
      times.wallMs += performance.now() - before.at;
      ownMicros += user + system;
      memberNanos += cpuOfAll(others) - before.members;
    },
    facts: () => {
      void client?.close();
      void processes?.close();
      return {
        ...times.facts("operations/s"),
        "client's CPU µs": Math.round(ownMicros / times.all.length),
        "members' CPU µs": Math.round(memberNanos / times.all.length / 1000),
      };
    },
  };
}

function suite(): Readonly<Record<string, Case>> {
  const cases: Record<string, Case> = {};
  for (const [name, deed] of Object.entries(deeds)) {
    cases[`${name}, 50 callers`] = clientCase(deed, 50, 5000);
    cases[`${name}, 1 caller`] = clientCase(deed, 1, 1000);
  }
  return cases;
}

/** The suite of the client library. */
export const clientSuites: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  client: suite(),
};
