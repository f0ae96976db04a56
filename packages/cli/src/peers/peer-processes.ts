/**
 * A cluster of processes on this machine, each with one peer: started, watched, and started again where one dies. They end with
 * whoever has started them, however that ends: each of them listens to it.
 *
 * A peer that dies again and again before it is ready is given up after some tries; the others go on.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Founders } from "@kith/peer";
import { cliError } from "../errors.ts";
import { addressText } from "./addresses.ts";
import { checkProcesses, drawnIds } from "./data-directory.ts";
import type { Place } from "./peer-process.ts";
import type { FromPeer } from "./start.ts";
import type { Up, UpPeer } from "./up.ts";

/** How to start them. */
export interface PeerProcessesInit {
  readonly listen: readonly Place[];
  readonly redis: readonly Place[];
  readonly http: readonly Place[];
  /** Null: a directory that is removed at the end. */
  readonly data: string | null;
  readonly founders: Founders;
  readonly restartAfterMs: number;
  readonly verbose: boolean;
  /** Told what happens, and what the processes write, a line at a time. */
  readonly line: (text: string) => void;
  /** Told what they wait for. */
  readonly waits: (text: string) => void;
}

interface Peer {
  readonly index: number;
  child: ChildProcess | null;
  /** Whether this life of it has been ready. */
  isUp: boolean;
  redis: Place | null;
  http: Place | null;
  /** How often it has died in a row before it was ready. */
  failures: number;
  /** How often it was started. */
  lives: number;
  again: NodeJS.Timeout | null;
}

const failuresMax = 5;
/** The processes. */
export class PeerProcesses {
  readonly events = new EventEmitter();
  /** Resolves when all have ended, after `stop`; rejects where none is left. */
  readonly done: Promise<void>;
  readonly #init: PeerProcessesInit;
  readonly #directory: string;
  readonly #peers: readonly Peer[];
  readonly #ids: readonly number[];
  #clusterId = "";
  #stopping: Promise<void> | null = null;
  #resolve: () => void = () => undefined;
  #reject: (cause: Error) => void = () => undefined;
  #looked: () => void = () => undefined;
  #refused: (cause: Error) => void = () => undefined;

  /** @throws KithError `KITH_CLI_DATA` */
  constructor(init: PeerProcessesInit) {
    this.#init = init;
    if (init.data !== null) checkProcesses(init.data, init.listen.length);
    this.#directory = init.data ?? mkdtempSync(join(tmpdir(), "kith-up-"));
    this.#peers = init.listen.map((_, index) => ({
      index,
      child: null,
      isUp: false,
      redis: null,
      http: null,
      failures: 0,
      lives: 0,
      again: null,
    }));
    this.#ids = drawnIds(init.listen.length);
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever does not wait for it hears of it by `stop`.
    this.done.catch(() => undefined);
  }

  /** Starts all, and waits until they are up. @throws KithError `KITH_CLI_ENDED` where one cannot */
  async start(): Promise<Omit<Up, "seconds">> {
    await new Promise<void>((resolve, reject) => {
      this.#looked = () => {
        if (this.#peers.every(({ isUp }) => isUp)) resolve();
      };
      this.#refused = reject;
      for (const peer of this.#peers) this.#spawn(peer);
    });
    this.#refused = () => undefined;
    return { clusterId: this.#clusterId, data: this.#init.data, peers: this.#told() };
  }

  /** Ends all in order, and removes data that nobody wanted. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** The process of a peer; null where it is dead. */
  pid(index: number): number | null {
    return this.#peers[index]?.child?.pid ?? null;
  }

  #told(): UpPeer[] {
    return this.#peers.map(({ index, redis, http, child }) => {
      const { host = "", port = 0 } = this.#init.listen[index] ?? {};
      const data = this.#dataOf(index);
      return { address: `${host}:${port}`, redis, http, pid: child?.pid ?? null, data };
    });
  }

  async #stop(): Promise<void> {
    await Promise.all(
      this.#peers.map(async (peer) => {
        if (peer.again !== null) clearTimeout(peer.again);
        const { child } = peer;
        if (child === null) return;
        const ended = once(child, "exit");
        child.kill("SIGTERM");
        await ended;
      }),
    );
    if (this.#init.data === null)
      rmSync(this.#directory, { recursive: true, force: true, maxRetries: 3 });
    this.events.emit("stopped");
    this.#refused(cliError("KITH_CLI_ENDED", "It was stopped before all peers were ready."));
    this.#resolve();
  }

  #dataOf(index: number): string {
    return join(this.#directory, `peer-${index + 1}`);
  }

  #spawn(peer: Peer): void {
    const { index } = peer;
    const { line, verbose } = this.#init;
    // In a group of its own: Ctrl-C is for whoever has started it, who ends it in order.
    const command = [...process.execArgv, process.argv[1] ?? "", ...this.#arguments(peer)];
    const child = spawn(process.execPath, command, {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      detached: true,
    });
    peer.child = child;
    peer.lives++;
    peer.isUp = false;
    const name = `peer ${index + 1}`;
    let failure = "";
    for (const stream of [child.stdout, child.stderr])
      if (stream !== null)
        createInterface(stream).on("line", (text) => {
          if (verbose || !text.includes(" warn ")) line(`${name}: ${text}`);
        });
    child.on("message", (message: FromPeer) => {
      if (message.kind === "waits") this.#init.waits(`${name}: ${message.detail}`);
      else if (message.kind === "failed") failure = message.text;
      else {
        if (peer.lives > 1) line(`${name} is up again, as process ${child.pid ?? 0}.`);
        Object.assign(peer, { isUp: true, redis: message.redis, http: message.http, failures: 0 });
        this.#clusterId = message.clusterId;
        this.#looked();
      }
    });
    child.on("error", (cause) => line(`${name}: ${cause.message}`));
    child.on("exit", (code, signal) => {
      if (peer.child !== child) return;
      peer.child = null;
      if (this.#stopping === null) this.#died(peer, failure, code, signal);
    });
  }

  #died(peer: Peer, failure: string, code: number | null, signal: NodeJS.Signals | null): void {
    const { restartAfterMs, line } = this.#init;
    const name = `peer ${peer.index + 1}`;
    const how = signal === null ? `has ended with code ${code}` : `was killed by ${signal}`;
    if (!peer.isUp) {
      const text = failure === "" ? `It ${how} before it was ready.` : failure;
      this.#refused(
        cliError("KITH_CLI_ENDED", `Peer ${peer.index + 1} cannot be started. ${text}`),
      );
      peer.failures++;
    }
    if (peer.failures >= failuresMax) {
      line(`${name} ${how} ${failuresMax} times before it was ready, and is not started again.`);
      if (this.#peers.every(({ child, again }) => child === null && again === null))
        this.#reject(cliError("KITH_CLI_ENDED", "No peer is left."));
      return;
    }
    line(`${name} ${how}; it is started again in ${restartAfterMs / 1000} s.`);
    peer.isUp = false;
    peer.again = setTimeout(() => {
      peer.again = null;
      this.#spawn(peer);
    }, restartAfterMs);
  }

  #arguments({ index }: Peer): string[] {
    const { listen, redis, http, founders, verbose } = this.#init;
    const others = listen.filter((_, i) => i !== index).map(addressText);
    const { peers, groups, replicas } = founders;
    const [at, redisAt, httpAt] = [listen[index], redis[index], http[index]];
    return [
      ...[
        "start",
        "--attached",
        "--data",
        this.#dataOf(index),
        "--peer-id",
        `${this.#ids[index] ?? 0}`,
      ],
      ...(at === undefined ? [] : ["--listen", addressText(at)]),
      ...(redisAt === undefined ? [] : ["--redis", addressText(redisAt)]),
      ...(httpAt === undefined ? [] : ["--http", addressText(httpAt)]),
      ...(others.length === 0 ? [] : ["--join", others.join(",")]),
      ...(index === 0 ? ["--create", "--or-join", "--founders", `${peers}`] : []),
      ...(index === 0 && groups !== undefined ? ["--groups", `${groups}`] : []),
      ...(index === 0 && replicas !== undefined ? ["--replicas", `${replicas}`] : []),
      ...(verbose ? ["--verbose"] : []),
    ];
  }
}
