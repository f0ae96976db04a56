/**
 * The servers that are measured, each started anew on an empty directory and ended with it: a cluster of Kith in one process or in
 * five, redis-server alone, and three members of etcd. All write below the same directory; what they acknowledge is on the
 * disk before, but for redis-server in memory.
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { cliError } from "../errors.ts";
import { freePorts } from "../peers/free-ports.ts";
import type { Up } from "../peers/up.ts";
import { EtcdClient, EtcdCluster, etcdVersion } from "./etcd.ts";
import type { Talker } from "./load.ts";
import { RedisConnection } from "./redis-connection.ts";
import { etcdTalker, redisTalker, type Workload } from "./workloads.ts";

/** A server that runs. */
export interface Server {
  /** Its processes, now. */
  pids(): readonly number[];
  /** Opens a connection, of the clients in turn to each of its members. */
  open(client: number, workload: Workload): Promise<Talker>;
  /** Ends it, however it is, and removes what it has written. Twice does no harm. */
  stop(): Promise<void>;
}

/** How many peers a cluster has. */
export const peerCount = 5;

/** A cluster of Kith. */
export class KithServer implements Server {
  readonly up: Up;
  readonly #child: ChildProcess;
  readonly #data: string;
  /** The processes of its peers; those of one that was started again are others. */
  readonly #pids: number[];

  private constructor(up: Up, child: ChildProcess, data: string) {
    this.up = up;
    this.#child = child;
    this.#data = data;
    this.#pids = up.peers.map(({ pid }) => pid ?? 0);
    if (child.stderr !== null)
      createInterface(child.stderr).on("line", (line) => {
        const [, peer, pid] = /^peer (\d+) is up again, as process (\d+)/.exec(line) ?? [];
        if (peer !== undefined) this.#pids[Number(peer) - 1] = Number(pid);
      });
  }

  /** Starts one. @param command the `kith` command @param isSplit whether each peer has a process of its own */
  static async start(command: readonly string[], isSplit: boolean): Promise<KithServer> {
    const data = mkdtempSync(join(tmpdir(), "kith-bench-"));
    const args = [
      ...["up", "--json", "--any-ports", "--no-http", "--redis", "17000", "--listen", "17500"],
      ...["--peers", `${peerCount}`, "--data", data, ...(isSplit ? ["--processes"] : [])],
    ];
    const child = spawn(process.execPath, [...command, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => {
      said = `${said}${chunk.toString()}`.slice(-2000);
    });
    try {
      const up = await new Promise<Up>((resolve, reject) => {
        createInterface(child.stdout).on("line", (line) => {
          const json: Up = JSON.parse(line);
          resolve(json);
        });
        child.on("error", reject);
        child.on("exit", () =>
          reject(cliError("KITH_CLI_ENDED", `The cluster could not be started. ${said.trim()}`)),
        );
      });
      return new KithServer(up, child, data);
    } catch (cause) {
      rmSync(data, { recursive: true, force: true, maxRetries: 3 });
      throw cause;
    }
  }

  /** The process of a peer. */
  pid(index: number): number {
    return this.#pids[index] ?? 0;
  }

  /** The Redis port of a peer. */
  port(index: number): number {
    return this.up.peers[index % this.up.peers.length]?.redis?.port ?? 0;
  }

  pids(): readonly number[] {
    return this.#pids.includes(0) ? [this.#child.pid ?? 0] : this.#pids;
  }

  async open(client: number, workload: Workload): Promise<Talker> {
    return redisTalker(await RedisConnection.open(this.port(client)), workload);
  }

  async stop(): Promise<void> {
    await ended(this.#child);
    rmSync(this.#data, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** What redis-server says of itself; null where it is not installed. */
export function redisVersion(): string | null {
  const { status, stdout } = spawnSync("redis-server", ["--version"], { encoding: "utf8" });
  return status === 0 ? (/v=(\S+)/.exec(stdout)?.[1] ?? "unknown") : null;
}

/** redis-server alone. */
export class RedisServer implements Server {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #port: number;

  private constructor(child: ChildProcess, folder: string, port: number) {
    this.#child = child;
    this.#folder = folder;
    this.#port = port;
  }

  /** Starts one. @param isFlushed whether a write is on the disk before it is acknowledged; if not, nothing is written there */
  static async start(isFlushed: boolean): Promise<RedisServer> {
    const port = (await freePorts("127.0.0.1", 18_000, 1)) ?? 18_000;
    const folder = mkdtempSync(join(tmpdir(), "kith-bench-redis-"));
    const written = isFlushed
      ? ["--appendonly", "yes", "--appendfsync", "always"]
      : ["--appendonly", "no"];
    const args = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder, "--save", ""];
    const child = spawn("redis-server", [...args, ...written], {
      stdio: "ignore",
    });
    const server = new RedisServer(child, folder, port);
    try {
      for (const end = performance.now() + 30_000; ;) {
        const connection = await RedisConnection.open(port).catch(() => null);
        connection?.close();
        if (connection !== null) return server;
        if (performance.now() > end || child.exitCode !== null)
          throw cliError("KITH_CLI_ENDED", `redis-server does not answer at port ${port}.`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    } catch (cause) {
      await server.stop();
      throw cause;
    }
  }

  pids(): readonly number[] {
    return [this.#child.pid ?? 0];
  }

  async open(_client: number, workload: Workload): Promise<Talker> {
    return redisTalker(await RedisConnection.open(this.#port), workload);
  }

  async stop(): Promise<void> {
    await ended(this.#child);
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

export { etcdVersion };

/** Three members of etcd. */
export class EtcdServer implements Server {
  readonly cluster: EtcdCluster;

  private constructor(cluster: EtcdCluster) {
    this.cluster = cluster;
  }

  /** Starts them, and waits until they have a leader. */
  static async start(): Promise<EtcdServer> {
    const cluster = new EtcdCluster();
    await cluster.start();
    await cluster.leader();
    return new EtcdServer(cluster);
  }

  pids(): readonly number[] {
    return this.cluster.processes.map(({ pid }) => pid ?? 0);
  }

  open(client: number, workload: Workload): Promise<Talker> {
    const { ports } = this.cluster;
    const port = ports[client % ports.length] ?? 0;
    return Promise.resolve(etcdTalker(new EtcdClient(port), workload));
  }

  async stop(): Promise<void> {
    await this.cluster.close();
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  await exit;
}
