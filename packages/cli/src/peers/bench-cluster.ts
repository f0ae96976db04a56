/**
 * `kith bench cluster`: operations and transactions through the Redis port, beside redis-server alone (what consistency costs) and
 * etcd, where they are installed; what an idle peer costs; how long a kill is felt; how large the install is.
 *
 * Everything runs on this machine, one after the other, each on a directory of its own. A cluster's data are on the disk before an
 * answer is given; so are those of etcd, and of redis-server with `appendfsync always`.
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { wholeNumber } from "../arguments.ts";
import { cliError } from "../errors.ts";
import { table } from "../page.ts";
import type { Terminal } from "../progress.ts";
import { waitingFor } from "../waiting.ts";
import { freePorts } from "./free-ports.ts";
import { command, exchange, load, type LoadResult, opened, replies } from "./load.ts";
import type { Up } from "./up.ts";

/** The options of the command, as they are given. */
export interface BenchOptions {
  readonly seconds: string;
  readonly clients: string;
  readonly only?: string;
  readonly json?: boolean;
}

interface Row {
  readonly server: string;
  readonly what: string;
  readonly result: LoadResult;
}

interface Results {
  readonly rows: Row[];
  readonly facts: Record<string, string | number>;
}

interface Work {
  readonly seconds: number;
  readonly clients: number;
  readonly results: Results;
}

const parts = ["one-process", "processes", "redis", "etcd", "idle", "kill", "size"] as const;
const keys = 1000;

/** Runs the command. @throws KithError `KITH_CLI_ARGUMENT` */
export async function bench(
  name: string,
  options: BenchOptions,
  terminal: Terminal,
  out: (text: string) => void,
): Promise<void> {
  if (name !== "cluster")
    throw cliError("KITH_CLI_ARGUMENT", `There is no benchmark ${name}; there is cluster.`);
  const only = options.only?.split(",") ?? [...parts];
  const stranger = only.find((one) => !parts.some((part) => part === one));
  if (stranger !== undefined)
    throw cliError("KITH_CLI_ARGUMENT", `${stranger} is none of ${parts.join(", ")}.`);
  const results: Results = { rows: [], facts: {} };
  const work = {
    seconds: wholeNumber(options.seconds, "a number of seconds", 1, 600),
    clients: wholeNumber(options.clients, "a number of clients", 1, 1000),
    results,
  };
  const has = (part: (typeof parts)[number]): boolean => only.includes(part);
  const step = async (part: (typeof parts)[number], body: () => Promise<void>): Promise<void> => {
    if (has(part)) await waitingFor(terminal, `Measuring ${part}`, body());
  };
  await step("one-process", () =>
    inCluster([], (cluster) =>
      throughRedis("kith, 5 peers in one process", portsOf(cluster), work),
    ),
  );
  if (has("processes") || has("idle") || has("kill"))
    await inCluster(["--processes"], async (cluster) => {
      await step("idle", () => idle(cluster, results));
      await step("processes", () =>
        throughRedis("kith, 5 peers in 5 processes", portsOf(cluster), work),
      );
      await step("kill", () => kills(cluster, results));
    });
  await step("redis", () => besideRedis(work));
  await step("etcd", () => besideEtcd(work));
  await step("size", () => Promise.resolve(sizeOfInstall(results)));
  if (options.json === true) return out(JSON.stringify(results, null, 2));
  if (results.rows.length > 0)
    out(
      table(
        ["server", "what", "a second", "p50 ms", "p99 ms", "errors"],
        results.rows.map(({ server, what, result }) => [
          server,
          what,
          Math.round(result.perSecond),
          result.p50Ms.toFixed(2),
          result.p99Ms.toFixed(2),
          result.errors,
        ]),
      ),
    );
  for (const [fact, value] of Object.entries(results.facts)) out(`${fact}: ${value}`);
}

function portsOf({ peers }: Up): number[] {
  return peers.flatMap(({ redis }) => (redis === null ? [] : [redis.port]));
}

/** Runs something with a cluster of five, and ends that. */
async function inCluster(
  more: readonly string[],
  body: (cluster: Up) => Promise<void>,
): Promise<void> {
  const data = mkdtempSync(join(tmpdir(), "kith-bench-"));
  const args = [
    "up",
    "--json",
    "--any-ports",
    "--no-http",
    "--redis",
    "17000",
    "--listen",
    "17500",
  ];
  const child = spawn(
    process.execPath,
    [...process.execArgv, process.argv[1] ?? "", ...args, "--data", data, ...more],
    { stdio: ["ignore", "pipe", "ignore"] },
  );
  try {
    const cluster = await new Promise<Up>((resolve, reject) => {
      createInterface(child.stdout).on("line", (line) => {
        const json: Up = JSON.parse(line);
        resolve(json);
      });
      child.on("exit", () =>
        reject(cliError("KITH_CLI_ENDED", "The cluster could not be started.")),
      );
    });
    await body(cluster);
  } finally {
    await ended(child);
    rmSync(data, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  await once(child, "exit");
}

async function throughRedis(server: string, ports: readonly number[], work: Work): Promise<void> {
  const { seconds, clients, results } = work;
  const key = (client: number, count: number): string => `k${(client * 7919 + count * 31) % keys}`;
  const measure = async (
    what: string,
    request: (client: number, count: number) => Buffer,
    count = 1,
  ): Promise<void> => {
    const answer = replies(count);
    const result = await load({ ports, clients, seconds, request, answer });
    results.rows.push({ server, what, result });
  };
  await measure("SET, 100 bytes", (client, count) =>
    command("SET", key(client, count), "x".repeat(100)),
  );
  await measure("GET", (client, count) => command("GET", key(client, count)));
  await measure("INCR", (client, count) =>
    command("INCR", `n${(client * 7919 + count * 31) % keys}`),
  );
  await measure(
    "transaction: two INCRs in MULTI",
    (client, count) =>
      Buffer.concat([
        command("MULTI"),
        command("INCRBY", `a${(client * 7919 + count * 31) % keys}`, "-1"),
        command("INCRBY", `b${(client * 104_729 + count * 37) % keys}`, "1"),
        command("EXEC"),
      ]),
    4,
  );
}

async function besideRedis(work: Work): Promise<void> {
  if (spawnSync("redis-server", ["--version"]).status !== 0) {
    work.results.facts["redis-server"] = "not installed";
    return;
  }
  for (const [name, more] of [
    ["redis-server alone, in memory", ["--save", "", "--appendonly", "no"]],
    [
      "redis-server alone, flushed",
      ["--save", "", "--appendonly", "yes", "--appendfsync", "always"],
    ],
  ] as const) {
    const port = (await freePorts("127.0.0.1", 18_000, 1)) ?? 18_000;
    const folder = mkdtempSync(join(tmpdir(), "kith-bench-redis-"));
    const child = spawn("redis-server", ["--port", `${port}`, "--dir", folder, ...more], {
      stdio: "ignore",
    });
    try {
      await listening(port);
      await throughRedis(name, [port], work);
    } finally {
      await ended(child);
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

async function besideEtcd({ seconds, clients, results }: Work): Promise<void> {
  if (spawnSync("etcd", ["--version"]).status !== 0) {
    results.facts["etcd"] = "not installed";
    return;
  }
  const first = (await freePorts("127.0.0.1", 18_100, 6)) ?? 18_100;
  const folder = mkdtempSync(join(tmpdir(), "kith-bench-etcd-"));
  const at = (i: number): string => `http://127.0.0.1:${first + i}`;
  const cluster = [0, 1, 2].map((i) => `m${i}=${at(3 + i)}`).join(",");
  const children = [0, 1, 2].map((i) =>
    spawn(
      "etcd",
      [
        ...["--name", `m${i}`, "--data-dir", join(folder, `${i}`), "--log-level", "error"],
        ...["--listen-client-urls", at(i), "--advertise-client-urls", at(i)],
        ...["--listen-peer-urls", at(3 + i), "--initial-advertise-peer-urls", at(3 + i)],
        ...["--initial-cluster", cluster],
      ],
      { stdio: "ignore" },
    ),
  );
  const ports = [first, first + 1, first + 2];
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  const post = (path: string, json: object): Buffer => {
    const body = JSON.stringify(json);
    return Buffer.from(
      `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
  };
  const answer = (text: string) => {
    const head = text.indexOf("\r\n\r\n");
    if (head < 0) return "not-yet";
    const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
    if (text.length < head + 4 + length) return "not-yet";
    return text.startsWith("HTTP/1.1 200") ? "ok" : "error";
  };
  try {
    for (const port of ports) await listening(port);
    const socket = await opened(first);
    const hello = post("/v3/kv/put", { key: base64("hello"), value: "" });
    while ((await exchange(socket, hello, answer)) !== "ok");
    socket.destroy();
    const server = "etcd, 3 members, JSON";
    const key = (client: number, count: number): string =>
      base64(`k${(client * 7919 + count * 31) % keys}`);
    const value = base64("x".repeat(100));
    const asks = [
      ["put, 100 bytes", (c: number, n: number) => post("/v3/kv/put", { key: key(c, n), value })],
      ["linearizable read", (c: number, n: number) => post("/v3/kv/range", { key: key(c, n) })],
    ] as const;
    for (const [what, request] of asks)
      results.rows.push({
        server,
        what,
        result: await load({ ports, clients, seconds, request, answer }),
      });
  } finally {
    await Promise.all(children.map(ended));
    rmSync(folder, { recursive: true, force: true });
  }
}

async function listening(port: number): Promise<void> {
  for (const end = performance.now() + 30_000; ;) {
    try {
      (await opened(port)).destroy();
      return;
    } catch (cause) {
      if (performance.now() > end) throw cause;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** CPU and memory of a peer that nobody asks anything, from what the system says of its process. */
async function idle({ peers }: Up, { facts }: Results): Promise<void> {
  const pids = peers.flatMap(({ pid }) => (pid === null ? [] : [pid]));
  if (!existsSync(`/proc/${pids[0] ?? 0}/stat`)) {
    facts["idle peer"] = "not known here: there is no /proc";
    return;
  }
  const ticks = (): number =>
    pids.reduce((sum, pid) => {
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
        .replace(/^.*\) /, "")
        .split(" ");
      return sum + Number(fields[11]) + Number(fields[12]);
    }, 0);
  await new Promise((resolve) => setTimeout(resolve, 5000));
  const [before, begin] = [ticks(), performance.now()];
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  const seconds = (performance.now() - begin) / 1000;
  // A hundred ticks a second, on every Linux.
  const share = (ticks() - before) / 100 / seconds / pids.length;
  const memory = pids.map((pid) =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0),
  );
  facts["idle peer, CPU % of a core"] = (share * 100).toFixed(2);
  facts["idle peer, resident MB"] = Math.round(Math.max(...memory) / 1024);
}

/** From kill -9 to the next success on every key, through another peer. */
async function kills({ peers }: Up, { facts }: Results): Promise<void> {
  const took: number[] = [];
  const many = Array.from({ length: 200 }, (_, i) => `k${i}`);
  const answer = replies(1);
  for (const victim of [1, 2, 3]) {
    const pid = peers[victim]?.pid ?? null;
    const port = peers[0]?.redis?.port ?? 0;
    if (pid === null) return;
    const sockets = await Promise.all(many.map(() => opened(port)));
    const begin = performance.now();
    process.kill(pid, "SIGKILL");
    await Promise.all(
      many.map(async (key, i) => {
        const socket = sockets[i];
        if (socket === undefined) return;
        while ((await exchange(socket, command("SET", key, "1"), answer)) !== "ok");
      }),
    );
    took.push(performance.now() - begin);
    for (const socket of sockets) socket.destroy();
    // Until it is back, and has caught up.
    await new Promise((resolve) => setTimeout(resolve, 10_000));
  }
  facts["from kill -9 to success on every key, ms"] = took.map(Math.round).join(", ");
}

/** What `npm install @kith/cli` brings: its packages and theirs. */
function sizeOfInstall({ facts }: Results): void {
  const seen = new Set<string>();
  const visit = (folder: string): void => {
    if (seen.has(folder)) return;
    seen.add(folder);
    const manifest = join(folder, "package.json");
    const json: unknown = JSON.parse(readFileSync(manifest, "utf8"));
    for (const field of ["dependencies", "optionalDependencies"]) {
      const names = Object.getOwnPropertyDescriptor(json, field)?.value ?? {};
      for (const name of Object.keys(names))
        for (const place of createRequire(manifest).resolve.paths(name) ?? [])
          if (existsSync(join(place, name, "package.json"))) {
            visit(join(place, name));
            break;
          }
    }
  };
  visit(dirname(fileURLToPath(new URL("../../package.json", import.meta.url))));
  const bytes = [...seen].reduce((sum, folder) => sum + sizeOf(folder), 0);
  facts["install, packages"] = seen.size;
  facts["install, MB"] = (bytes / 1e6).toFixed(1);
}

function sizeOf(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === "node_modules") continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += sizeOf(path);
    else if (entry.isFile()) bytes += statSync(path).size;
  }
  return bytes;
}
