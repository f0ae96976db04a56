/**
 * `kith bench cluster`: operations and transactions through the Redis port of five peers in one process and in five, beside
 * redis-server alone (what consistency costs) and etcd, where they are installed; what idle peers cost; how long a kill is felt;
 * how large the install is.
 *
 * Each server is started anew in each round and has the machine for itself; the rounds go through all of them, so that a slow
 * moment of the machine hits them alike. What is told is the median of the rounds. In the repository the packages are built
 * first, and what is measured is what would be installed.
 */

import { execFileSync } from "node:child_process";
import { EventEmitter, setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { stopOnSignals } from "@kith/node";
import { wholeNumber } from "../arguments.ts";
import { cliError } from "../errors.ts";
import { counted } from "../page.ts";
import { checkPlace, writeText } from "../files.ts";
import type { Terminal } from "../progress.ts";
import { Waits } from "../peers/waits.ts";
import { type Figures, figuresText } from "./figures.ts";
import { installSize } from "./install-size.ts";
import { killEtcd, killPeers } from "./kills.ts";
import { load, type LoadOptions, type LoadResult } from "./load.ts";
import { about } from "./machine.ts";
import { cpuMsOf, residentMbOf } from "./processes.ts";
import {
  EtcdServer,
  etcdVersion,
  KithServer,
  peerCount,
  RedisServer,
  redisVersion,
  type Server,
} from "./servers.ts";
import { keyCount, type Workload, workloads } from "./workloads.ts";

/** The options of the command, as they are given. */
export interface BenchOptions {
  readonly seconds: string;
  readonly warmUp: string;
  readonly rounds: string;
  readonly clients: string;
  readonly kills: string;
  readonly operations?: string;
  readonly short?: boolean;
  readonly only?: string;
  readonly save?: string;
  readonly json?: boolean;
}

interface Plan extends Omit<LoadOptions, "cpuMs" | "pipelined" | "signal"> {
  readonly rounds: number;
  /** How long a server does all of it before anything is measured. */
  readonly warmUpSeconds: number;
  readonly kills: number;
  readonly keysOfKills: number;
  readonly idleMs: number;
  readonly has: (part: Part) => boolean;
}

/** What came of the loads, by server and workload, in the order of the rounds: of those that count, and of those of the warm-up. */
interface Results {
  readonly measured: Map<string, LoadResult[]>;
  readonly before: Map<string, LoadResult[]>;
}

interface Kind {
  readonly part: Part;
  readonly name: string;
  /** Among how many what an idle one takes is divided. */
  readonly members: number;
  readonly start: () => Promise<Server>;
}

const serverParts = ["one-process", "processes", "redis", "etcd"] as const;
const measureParts = ["load", "idle", "kill", "size"] as const;
type Part = (typeof serverParts)[number] | (typeof measureParts)[number];
const allParts: readonly Part[] = [...serverParts, ...measureParts];
/** How long the warm-up takes in a short run, in seconds. */
const shortWarmUp = 5;

/** Runs the command. @throws KithError `KITH_CLI_ARGUMENT`, `KITH_CLI_ENDED`, `KITH_CLI_FILE` */
export async function bench(
  name: string,
  options: BenchOptions,
  terminal: Terminal,
  out: (text: string) => void,
): Promise<void> {
  if (name !== "cluster")
    throw cliError("KITH_CLI_ARGUMENT", `There is no benchmark ${name}; there is cluster.`);
  const plan = planOf(options);
  if (options.save !== undefined) checkPlace(options.save);
  const waits = new Waits(terminal);
  const run = new Run(plan, (text) => waits.say(text));
  const letGo = stopOnSignals(run, { log: (text) => void terminal.write(`${text}\n`) });
  try {
    const figures = await run.figures();
    waits.end();
    out(options.json === true ? JSON.stringify(figures, null, 2) : figuresText(figures));
    if (options.save !== undefined) writeText(options.save, `${figuresText(figures)}\n`);
  } finally {
    waits.end();
    letGo();
    await run.stop();
  }
}

function planOf(options: BenchOptions): Plan {
  const only = options.only?.split(",") ?? [];
  const isPart = (text: string): text is Part => allParts.some((part) => part === text);
  const stranger = only.find((one) => !isPart(one));
  if (stranger !== undefined)
    throw cliError("KITH_CLI_ARGUMENT", `${stranger} is none of ${allParts.join(", ")}.`);
  const isShort = options.short === true;
  const among = (part: Part, parts: readonly Part[]): boolean =>
    parts.includes(part) && (!parts.some((one) => only.includes(one)) || only.includes(part));
  const { operations } = options;
  return {
    seconds: isShort ? 1 : wholeNumber(options.seconds, "a number of seconds", 1, 600),
    rounds: isShort ? 1 : wholeNumber(options.rounds, "a number of rounds", 1, 100),
    clients: wholeNumber(options.clients, "a number of clients", 1, 1000),
    kills: isShort ? 1 : wholeNumber(options.kills, "a number of kills", 1, 1000),
    operations:
      operations === undefined
        ? null
        : wholeNumber(operations, "a number of operations", 1, 1_000_000_000),
    warmUpSeconds:
      operations !== undefined
        ? 0
        : isShort
          ? shortWarmUp
          : wholeNumber(options.warmUp, "a number of seconds", 0, 3600),
    warmUpMs: isShort ? 200 : 500,
    idleMs: isShort ? 500 : 6000,
    keysOfKills: isShort ? 20 : 200,
    has: (part) => among(part, serverParts) || among(part, measureParts),
  };
}

/** One run of all that is wanted. */
class Run {
  readonly events = new EventEmitter();
  readonly #plan: Plan;
  readonly #say: (text: string) => void;
  readonly #abort = new AbortController();
  readonly #servers = new Set<Server>();
  readonly #figures: Figures;

  constructor(plan: Plan, say: (text: string) => void) {
    this.#plan = plan;
    this.#say = say;
    // As many wait for it as there are keys to be tried.
    setMaxListeners(0, this.#abort.signal);
    this.#figures = {
      about: about(),
      options: { ...plan, keys: keyCount },
      load: [],
      idle: [],
      kills: [],
      install: null,
      missing: [],
    };
  }

  /** Measures all of it. */
  async figures(): Promise<Figures> {
    const { rounds, has, kills, keysOfKills } = this.#plan;
    const command = this.#command();
    const kinds = this.#kinds(command);
    const results: Results = { measured: new Map(), before: new Map() };
    if (has("load") || has("idle"))
      for (let round = 1; round <= (has("load") ? rounds : 1); round++)
        for (const kind of kinds)
          await this.#with(`round ${round} of ${rounds}, ${kind.name}`, kind, (server, say) =>
            this.#round(kind, server, round, say, results),
          );
    for (const kind of kinds)
      for (const workload of workloads) {
        const key = `${kind.name}/${workload.name}`;
        const measured = results.measured.get(key) ?? [];
        const before = results.before.get(key) ?? [];
        if (measured.length > 0)
          this.#figures.load.push({
            server: kind.name,
            what: workload.name,
            rounds: measured,
            before,
          });
      }
    const { signal } = this.#abort;
    if (has("kill"))
      for (const kind of kinds)
        await (kind.part === "processes" || kind.part === "etcd"
          ? this.#with(`${counted(kills, "kill")}, ${kind.name}`, kind, async (server) => {
              if (server instanceof KithServer)
                this.#figures.kills.push(
                  await killPeers(kind.name, server, kills, keysOfKills, signal),
                );
              if (server instanceof EtcdServer)
                this.#figures.kills.push(
                  await killEtcd(kind.name, server, kills, keysOfKills, signal),
                );
            })
          : undefined);
    return { ...this.#figures, install: has("size") ? installSize() : null };
  }

  /** Ends all that runs. What is measured ends with it. */
  async stop(): Promise<void> {
    this.#abort.abort(cliError("KITH_CLI_ENDED", "The benchmark was stopped."));
    await Promise.all([...this.#servers].map((server) => server.stop()));
    this.events.emit("stopped");
  }

  #kinds(command: readonly string[]): Kind[] {
    const kinds: Kind[] = [];
    const { has } = this.#plan;
    const kith = (part: Part, name: string, isSplit: boolean): void => {
      const start = (): Promise<Server> => KithServer.start(command, isSplit);
      if (has(part)) kinds.push({ part, name, members: peerCount, start });
    };
    const redis = redisVersion();
    if (has("redis") && redis === null) this.#figures.missing.push("redis-server");
    if (has("redis") && redis !== null)
      for (const isFlushed of [false, true])
        kinds.push({
          part: "redis",
          name: `redis-server, ${isFlushed ? "each write flushed" : "in memory"}`,
          members: 1,
          start: () => RedisServer.start(isFlushed),
        });
    kith("one-process", "kith, 5 peers in 1 process", false);
    kith("processes", "kith, 5 peers in 5 processes", true);
    const etcd = etcdVersion();
    if (has("etcd") && etcd === null) this.#figures.missing.push("etcd");
    if (has("etcd") && etcd !== null)
      kinds.push({
        part: "etcd",
        name: "etcd, 3 members",
        members: 3,
        start: () => EtcdServer.start(),
      });
    return kinds;
  }

  /** The `kith` command as it would be installed. */
  #command(): string[] {
    const isSource = import.meta.url.endsWith(".ts");
    const needsKith = this.#plan.has("one-process") || this.#plan.has("processes");
    if (!isSource) return [process.argv[1] ?? ""];
    if (needsKith || this.#plan.has("size")) {
      this.#say("building the packages");
      const project = fileURLToPath(new URL("../../tsconfig.build.json", import.meta.url));
      execFileSync("npx", ["tsc", "-b", project], { stdio: ["ignore", 2, 2] });
    }
    return [fileURLToPath(new URL("../../dist/main.js", import.meta.url))];
  }

  /** Runs something with a server of its own. */
  async #with(
    what: string,
    { start }: Kind,
    body: (server: Server, say: (text: string) => void) => Promise<void>,
  ): Promise<void> {
    this.#say(`${what}: starting`);
    this.#abort.signal.throwIfAborted();
    const server = await start();
    this.#servers.add(server);
    try {
      this.#abort.signal.throwIfAborted();
      await body(server, (text) => this.#say(`${what}: ${text}`));
    } finally {
      await server.stop();
      this.#servers.delete(server);
    }
  }

  async #round(
    kind: Kind,
    server: Server,
    round: number,
    say: (text: string) => void,
    results: Results,
  ): Promise<void> {
    const { has } = this.#plan;
    const { signal } = this.#abort;
    const idle = has("idle") && round === 1 ? await this.#idle(kind, server, say) : null;
    if (has("load")) {
      say("filling");
      await fill(server, signal);
      say("warming up");
      await this.#warmUp(kind, server, results.before);
      for (const workload of workloads) {
        say(workload.name);
        const result = await load((client) => server.open(client, workload), {
          ...this.#plan,
          pipelined: workload.pipelined,
          cpuMs: () => cpuMsOf(server.pids()),
          signal,
        });
        note(results.measured, kind, workload, result);
      }
    }
    if (idle === null) return;
    const after = has("load") ? residentMbOf(server.pids()) : null;
    this.#figures.idle.push({ ...idle, afterMb: after === null ? null : after / kind.members });
  }

  /** Does all of it for a while: of a server that compiles while it runs, the first seconds are those of its compiler. */
  async #warmUp(kind: Kind, server: Server, before: Results["before"]): Promise<void> {
    const { warmUpSeconds, clients } = this.#plan;
    if (warmUpSeconds === 0) return;
    const seconds = warmUpSeconds / workloads.length;
    for (const workload of workloads) {
      const result = await load((client) => server.open(client, workload), {
        ...{ clients, seconds, pipelined: workload.pipelined, warmUpMs: 0, operations: null },
        cpuMs: () => cpuMsOf(server.pids()),
        signal: this.#abort.signal,
      });
      note(before, kind, workload, result);
    }
  }

  /** What a member takes that nobody asks anything. */
  async #idle({ name, members }: Kind, server: Server, say: (text: string) => void) {
    say("idle");
    const { signal } = this.#abort;
    const { idleMs } = this.#plan;
    // What it does after its start is no idleness.
    await sleep(idleMs / 2, undefined, { signal });
    const [before, begin] = [cpuMsOf(server.pids()), performance.now()];
    await sleep(idleMs, undefined, { signal });
    const after = cpuMsOf(server.pids());
    const share =
      before === null || after === null ? null : (after - before) / (performance.now() - begin);
    const mb = residentMbOf(server.pids());
    return {
      server: name,
      members,
      cpuPercent: share === null ? null : (share * 100) / members,
      mb: mb === null ? null : mb / members,
    };
  }
}

function note(
  results: Map<string, LoadResult[]>,
  { name }: Kind,
  workload: Workload,
  result: LoadResult,
): void {
  const key = `${name}/${workload.name}`;
  results.set(key, [...(results.get(key) ?? []), result]);
}

/** Writes all keys that are read later. */
async function fill(server: Server, signal: AbortSignal): Promise<void> {
  const filling: Workload = { name: "", kind: "set", pipelined: 100, isHot: false };
  const options = { clients: 8, pipelined: 100, seconds: 0, warmUpMs: 0, operations: keyCount };
  const { errors, error } = await load((client) => server.open(client, filling), {
    ...options,
    cpuMs: () => null,
    signal,
  });
  if (errors > 0)
    throw cliError(
      "KITH_CLI_ENDED",
      `A server that was just started could not be filled: ${error}.`,
    );
}
