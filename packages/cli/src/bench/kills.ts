/**
 * How long a kill is felt: the member that leads most is killed with -9, and each of many keys is written through another member
 * until it succeeds, by a client of its own. What counts is the time until every key has succeeded once.
 *
 * It is started again as whoever watches over it does, and has caught up before the next one is killed. Clients of the member
 * that is killed have to go to another one by themselves; that is no part of it.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterView } from "@kith/peer";
import { cliError } from "../errors.ts";
import { viewOf } from "../peers/look.ts";
import { median } from "./load.ts";
import { EtcdClient } from "./etcd.ts";
import { command, RedisConnection } from "./redis-connection.ts";
import { type EtcdServer, type KithServer, peerCount } from "./servers.ts";

/** What came of several kills, in ms. */
export interface KillResult {
  readonly server: string;
  readonly kills: number;
  readonly keys: number;
  /** Until every key has succeeded: the median of the kills, and the longest. */
  readonly everyMedianMs: number;
  readonly everyMaxMs: number;
  /** Until a key has succeeded, the median of all keys of all kills. */
  readonly keyMedianMs: number;
}

const againAfterMs = 3000;
/** etcd keeps a request for 7 s that it has handed to a leader that is gone: its clients give up sooner and ask again. */
const patienceMs = 500;
const wellWithinMs = 60_000;

/** Tries to write a key. @returns whether it succeeded */
type Write = () => Promise<boolean>;

/** Kills peers of a cluster, each a process of its own. */
export async function killPeers(
  name: string,
  server: KithServer,
  kills: number,
  keys: number,
  signal: AbortSignal,
): Promise<KillResult> {
  return await killed(name, kills, keys, signal, async () => {
    const view = await well(server, signal);
    const leads = server.up.peers.map(({ address }) => {
      const here = view.processes.find(({ process }) => addressOf(process) === address);
      const groups = here?.peers.flatMap((peer) => peer.groups) ?? [];
      return groups.filter(({ role }) => role === "leader").length;
    });
    const victim = leads.indexOf(Math.max(...leads));
    const connections = await Promise.all(
      Array.from({ length: keys }, () => RedisConnection.open(server.port(victim + 1))),
    );
    const writes = connections.map((connection, i): Write => {
      const request = command("SET", `kill-${i}`, "1");
      return async () => (await connection.ask(request, 1)).errors === 0;
    });
    return {
      writes,
      kill: () => process.kill(server.pid(victim), "SIGKILL"),
      // Whoever has started it starts it again.
      revive: () => Promise.resolve(),
      close: () => connections.forEach((connection) => connection.close()),
    };
  });
}

/** Kills the leader of three members of etcd. */
export async function killEtcd(
  name: string,
  { cluster }: EtcdServer,
  kills: number,
  keys: number,
  signal: AbortSignal,
): Promise<KillResult> {
  return await killed(name, kills, keys, signal, async () => {
    const leader = await cluster.leader();
    const client = new EtcdClient(cluster.ports[(leader + 1) % cluster.ports.length] ?? 0);
    const value = Buffer.from("1");
    const writes = Array.from({ length: keys }, (_, i): Write => {
      const key = Buffer.from(`kill-${i}`);
      const put = (): Promise<boolean> => new Promise((resolve) => client.put(key, value, resolve));
      return () => Promise.race([put(), sleep(patienceMs, false, { signal })]);
    });
    return {
      writes,
      kill: () => cluster.processes[leader]?.kill("SIGKILL"),
      revive: async () => {
        await sleep(againAfterMs, undefined, { signal });
        cluster.begin(leader);
        await until(() => cluster.answers(leader), signal);
      },
      close: () => client.close(),
    };
  });
}

interface Prepared {
  readonly writes: readonly Write[];
  readonly kill: () => void;
  readonly revive: () => Promise<void>;
  readonly close: () => void;
}

async function killed(
  server: string,
  kills: number,
  keys: number,
  signal: AbortSignal,
  prepare: () => Promise<Prepared>,
): Promise<KillResult> {
  const every: number[] = [];
  const all: number[] = [];
  for (let i = 0; i < kills; i++) {
    const { writes, kill, revive, close } = await prepare();
    try {
      // What is done for the first time is slower: it is no part of what is measured.
      for (const write of writes) await until(write, signal);
      const begin = performance.now();
      kill();
      const times = await Promise.all(
        writes.map(async (write) => {
          await until(write, signal);
          return performance.now() - begin;
        }),
      );
      all.push(...times);
      every.push(Math.max(...times));
    } finally {
      close();
    }
    if (i + 1 < kills) await revive();
  }
  return {
    ...{ server, kills, keys, everyMedianMs: median(every) },
    ...{ everyMaxMs: Math.max(...every), keyMedianMs: median(all) },
  };
}

/** Waits until a cluster is whole: all peers are there, each group has a leader, and its replicas are as far as each other. */
async function well({ up }: KithServer, signal: AbortSignal): Promise<ClusterView> {
  const peers = up.peers.map(({ address }) => address);
  let view: ClusterView | null = null;
  await until(async () => {
    view = await viewOf({ peers, within: 5000, security: {} });
    return isWell(view);
  }, signal);
  if (view === null) throw cliError("KITH_CLI_ENDED", "Nobody has looked at the cluster.");
  return view;
}

function isWell({ processes }: ClusterView): boolean {
  const peers = processes.flatMap(({ silent, peers: here }) => (silent ? [] : here));
  const replicas = new Map<
    string,
    { lead: boolean; members: number; applied: Set<number>; count: number }
  >();
  for (const { gid, role, members, applied } of peers.flatMap(({ groups }) => groups)) {
    const seen = replicas.get(gid) ?? {
      lead: false,
      members: members.length,
      applied: new Set(),
      count: 0,
    };
    seen.lead ||= role === "leader";
    seen.applied.add(applied);
    seen.count++;
    replicas.set(gid, seen);
  }
  return (
    peers.length === peerCount &&
    peers.every(({ state }) => state === "up") &&
    [...replicas.values()].every(
      ({ lead, members, applied, count }) => lead && count === members && applied.size === 1,
    )
  );
}

function addressOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host}:${port}`;
}

/** Tries until it succeeds. @throws KithError `KITH_CLI_ENDED` where it does not within a minute */
async function until(attempt: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  const end = performance.now() + wellWithinMs;
  while (!(await attempt())) {
    signal.throwIfAborted();
    if (performance.now() > end)
      throw cliError(
        "KITH_CLI_ENDED",
        `A cluster has not come back within ${wellWithinMs / 1000} s.`,
      );
    await sleep(5, undefined, { signal });
  }
}
