/** What is measured: a redis-server in a process of its own, and this gateway in this process on a store in memory. */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Component, run } from "@kith/core";
import { Listener, Listening, RedisGateway } from "@kith/gateway";
import { MemoryStore } from "@kith/gateway/memory";
import { bindAddress, real } from "@kith/node";

/** A server that can be called. */
export interface Server {
  readonly port: number;
  /** The CPU time that it has taken in another process, in ns. */
  cpuNs(): number;
  close(): void;
}

class Main extends Component {
  readonly listener = this.requires(Listener);
  readonly memory = this.create(MemoryStore, { bounds: ["", "\u0040", "\u0080", "\u00c0"] });
  readonly redis = this.create(RedisGateway, { port: 0 });
  readonly port = new Promise<number>((resolve) => {
    this.listener.on(Listening, ({ port }) => resolve(port));
  });

  constructor() {
    super();
    this.connect(this.memory.ports.store, this.redis.ports.store);
    this.connect(this.redis.ports.listener, this.listener);
  }
}

/** Whether there is a redis-server on this machine. */
export const hasRedis = spawnSync("redis-server", ["--version"]).status === 0;

/** The gateway. */
export async function gateway(): Promise<Server> {
  const system = await run(Main, {}, real({ log: () => undefined }));
  return {
    port: await system.instance.port,
    cpuNs: () => 0,
    close: () => void system.stop(),
  };
}

/** A redis-server that writes nothing to its disk. */
export async function redisServer(): Promise<Server> {
  const bound = await bindAddress();
  const { port } = bound;
  bound.close();
  const folder = mkdtempSync(path.join(tmpdir(), "kith-redis-"));
  const options = ["--port", `${port}`, "--save", "", "--dir", folder];
  const child: ChildProcess = spawn("redis-server", options, {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const end = (): void => {
    child.removeAllListeners("exit");
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  };
  process.once("exit", end);
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on("data", (chunk: Buffer) => {
      if (chunk.toString().includes("Ready to accept")) resolve();
    });
    child.once("exit", () => reject(new Error("redis-server has ended.")));
  });
  return { port, cpuNs: () => cpuNs(child.pid ?? 0), close: end };
}

const ticksPerSecond = 100;

function cpuNs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.split(" ") ?? [];
  return ((Number(fields[11]) + Number(fields[12])) * 1e9) / ticksPerSecond;
}
