/**
 * The Redis port in front of a store in memory, beside redis-server: what the port itself costs, and the client and the
 * machine of the store behind it. What consensus adds is measured where there are peers.
 *
 * The clients are 50 connections in the process that is measured, so their CPU time is counted in all cases alike.
 */

import type { Case } from "../harness.ts";
import { Clients, type Load } from "./load.ts";
import { gateway, hasRedis, redisServer, type Server } from "./servers.ts";

const keyCount = 10_000;
const value = "x".repeat(100);

const keyOf = (n: number): string => `key-${(n * 7919) % keyCount}`;

const kinds: Readonly<Record<string, Pick<Load, "command" | "lines">>> = {
  PING: { command: () => ["PING"], lines: 1 },
  GET: { command: (n) => ["GET", keyOf(n)], lines: 2 },
  SET: { command: (n) => ["SET", keyOf(n), value], lines: 1 },
  INCR: { command: (n) => ["INCR", `count-${(n * 7919) % keyCount}`], lines: 1 },
  "INCR of one key": { command: () => ["INCR", "count"], lines: 1 },
};

function caseOf(start: () => Promise<Server>, load: Load, count: number): Case {
  let server: Server | undefined;
  let clients: Clients | undefined;
  return {
    unit: "command",
    count,
    prepare: async () => {
      server = await start();
      const fill = { clients: 1, pipelined: 100, lines: 1 };
      const filling = await Clients.open(server.port, {
        ...fill,
        command: (n) => ["SET", keyOf(n), value],
      });
      await filling.run(keyCount);
      filling.close();
      clients = await Clients.open(server.port, load);
    },
    run: async (commands) => await clients?.run(commands),
    others: () => server?.cpuNs() ?? 0,
    facts: () => {
      // The last that is asked of a case: what is open would keep its process.
      clients?.close();
      server?.close();
      return {};
    },
  };
}

function suite(pipelined: number, count: number): Readonly<Record<string, Case>> {
  const cases: Record<string, Case> = {};
  for (const [name, kind] of Object.entries(kinds)) {
    const load = { clients: 50, pipelined, ...kind };
    if (hasRedis) cases[`redis-server: ${name}`] = caseOf(redisServer, load, count);
    cases[`Kith's gateway: ${name}`] = caseOf(gateway, load, count);
  }
  return cases;
}

/** The suites of the gateway: one command at a time, and sixteen. */
export const gatewaySuites: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  gateway: suite(1, 5000),
  "gateway-pipelined": suite(16, 20_000),
};
