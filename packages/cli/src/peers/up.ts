/** `kith up`: a whole cluster on this machine, in one process or one for each peer. */

import { stopOnSignals } from "@kith/node";
import { place, wholeNumber } from "../arguments.ts";
import { type Paint, paintFor } from "../colours.ts";
import { cliError } from "../errors.ts";
import type { Terminal } from "../progress.ts";
import { checkFree, freePorts, type Wanted } from "./free-ports.ts";
import { ended, launch } from "./launch.ts";
import { logTo } from "./log.ts";
import type { Place } from "./peer-process.ts";
import { PeerProcesses } from "./peer-processes.ts";
import { Waits } from "./waits.ts";

/** The options of the command, as they are given. */
export interface UpOptions {
  readonly peers: string;
  readonly listen: string;
  readonly redis: string | false;
  readonly http: string | false;
  readonly data?: string;
  readonly processes?: boolean;
  readonly restartAfter: string;
  readonly groups: string;
  readonly replicas: string;
  readonly anyPorts?: boolean;
  readonly verbose?: boolean;
  readonly json?: boolean;
}

/** A cluster that is up: for programs (`--json`), and for what is printed. */
export interface Up {
  readonly clusterId: string;
  readonly seconds: number;
  readonly data: string | null;
  readonly peers: readonly UpPeer[];
}

/** One of its peers. */
export interface UpPeer {
  /** Where other peers and `kith status` call it. */
  readonly address: string;
  readonly redis: Place | null;
  readonly http: Place | null;
  /** Of a process of its own. */
  readonly pid: number | null;
  readonly data: string | null;
}

interface Plan {
  readonly count: number;
  readonly listen: readonly Place[];
  readonly redis: readonly Place[];
  readonly http: readonly Place[];
  readonly groups: number;
  readonly replicas: number;
}

/** Runs the command, until the cluster has stopped. */
export async function up(
  options: UpOptions,
  terminal: Terminal,
  out: (text: string) => void,
): Promise<void> {
  const begin = performance.now();
  const plan = await planOf(options, (text) => terminal.write(`${text}\n`));
  const paint = paintFor(terminal);
  const log = logTo(terminal, paint, options.verbose === true ? "info" : "warn");
  const waits = new Waits(terminal);
  const tell = (what: Omit<Up, "seconds">): void => {
    const cluster = { ...what, seconds: (performance.now() - begin) / 1000 };
    out(
      options.json === true
        ? JSON.stringify(cluster)
        : linesOf(cluster, paintFor(process.stdout)).join("\n"),
    );
  };
  const signals = {
    togetherMs: 500,
    log: (text: string) => void terminal.write(`${text}\n`),
  };
  const { count, listen, redis, http, groups, replicas } = plan;
  const founders = { peers: count, groups, replicas };
  if (options.processes === true) {
    const processes = new PeerProcesses({
      listen,
      redis,
      http,
      data: options.data ?? null,
      founders,
      restartAfterMs: wholeNumber(options.restartAfter, "a number of milliseconds", 0, 3_600_000),
      verbose: options.verbose === true,
      line: (text) => terminal.write(`${text}\n`),
      waits: (text) => waits.say(text),
    });
    stopOnSignals(processes, signals);
    try {
      const started = await processes.start();
      waits.end();
      tell(started);
      await processes.done;
    } finally {
      waits.end();
      await processes.stop();
    }
    return;
  }
  const [first] = listen;
  if (first === undefined) throw cliError("KITH_CLI_ARGUMENT", "There are no peers.");
  try {
    const { system, clusterId, ...at } = await launch({
      listen: first,
      data: options.data ?? null,
      count,
      join: [],
      create: founders,
      orElseJoin: true,
      redis,
      http,
      log: ({ path, level, ...record }) => {
        // It was said already, in better words.
        if (path === "/Storage" && level === "warn" && options.data === undefined) return;
        log({ path, level, ...record });
      },
      progress: (phase, detail) => waits.tell(phase, detail),
      stops: (one) => stopOnSignals(one, signals),
    });
    waits.end();
    const address = `${first.host}:${first.port}`;
    tell({
      clusterId,
      data: options.data ?? null,
      peers: at.peers.map((_, i) => ({
        address,
        redis: at.redis[i] ?? null,
        http: at.http[i] ?? null,
        pid: null,
        data: options.data ?? null,
      })),
    });
    await ended(system);
  } finally {
    waits.end();
  }
}

async function planOf(options: UpOptions, note: (text: string) => void): Promise<Plan> {
  const count = wholeNumber(options.peers, "a number of peers", 1, 64);
  const groups = wholeNumber(options.groups, "a number of groups", 1, 1024);
  const replicas = wholeNumber(options.replicas, "a number of replicas", 1, 4);
  const listeners = options.processes === true ? count : 1;
  const wishes = [
    { name: "listen", text: options.listen, count: listeners, what: "where peers call" },
    { name: "redis", text: options.redis, count, what: "the Redis port" },
    { name: "http", text: options.http, count, what: "the HTTP port" },
  ] as const;
  const places: Record<(typeof wishes)[number]["name"], Place[]> = {
    listen: [],
    redis: [],
    http: [],
  };
  for (const { name, text, count: many, what } of wishes) {
    if (text === false) continue;
    const asked = place(text, what);
    const { host } = asked;
    if (name === "listen" && asked.port === 0)
      throw cliError("KITH_CLI_ARGUMENT", "--listen needs a port: nobody could join at 0.");
    let { port } = asked;
    if (options.anyPorts === true) {
      port = (await freePorts(host, port, many)) ?? port;
      if (port !== asked.port)
        note(`Port ${asked.port} is taken: ${what} of the first peer is ${port} instead.`);
    }
    if (port + many > 65_536)
      throw cliError("KITH_CLI_ARGUMENT", `--${name} ${port} leaves no ports for ${many} peers.`);
    places[name] = Array.from({ length: many }, (_, i) => ({
      host,
      port: port === 0 ? 0 : port + i,
    }));
  }
  const wanted: Wanted[] = wishes.flatMap(({ name, what }) =>
    places[name].map((at, i) => ({ at, what: `${what} of peer ${i + 1}`, option: `--${name}` })),
  );
  const taken = new Set<string>();
  for (const { at, what } of wanted) {
    const key = `${at.host}:${at.port}`;
    if (at.port !== 0 && taken.has(key))
      throw cliError("KITH_CLI_ARGUMENT", `${key} is wanted twice, the second time as ${what}.`);
    taken.add(key);
  }
  await checkFree(wanted);
  return { count, ...places, groups, replicas };
}

function linesOf({ clusterId, seconds, peers, data }: Up, paint: Paint): string[] {
  const [first] = peers;
  const last = peers.at(-1);
  const lines = [
    paint.bold(
      `${peers.length} peers of cluster ${clusterId.slice(0, 8)} are up, after ${seconds.toFixed(1)} s.`,
    ),
    "",
  ];
  const host = (at: Place): string => (at.host === "127.0.0.1" ? "" : ` -h ${at.host}`);
  for (const [i, { redis, http, pid, address }] of peers.entries()) {
    const parts = [
      ...(redis === null ? [] : [`redis-cli${host(redis)} -p ${redis.port}`]),
      ...(http === null ? [] : [`http://${http.host}:${http.port}/`]),
      ...(pid === null ? [] : [`${address}, process ${pid}`]),
    ];
    lines.push(`  peer ${i + 1}   ${parts.join("   ")}`);
  }
  lines.push("", "Try it, from another terminal:", "");
  if (first?.redis && last?.redis)
    lines.push(
      `  redis-cli${host(first.redis)} -p ${first.redis.port} set greeting hello`,
      `  redis-cli${host(last.redis)} -p ${last.redis.port} get greeting`,
    );
  if (first?.http && last?.http)
    lines.push(
      `  curl -X PUT -d hello http://${first.http.host}:${first.http.port}/keys/greeting`,
      `  curl http://${last.http.host}:${last.http.port}/keys/greeting`,
    );
  if (first !== undefined) lines.push(`  npx kith status --peer ${first.address}`);
  if (last?.pid) lines.push(`  kill -9 ${last.pid}   # it comes back on its data`);
  lines.push("");
  if (first?.http)
    lines.push(`The ring, in a browser: http://${first.http.host}:${first.http.port}/`);
  lines.push(
    data === null
      ? "The data end with it; --data DIR keeps them. Ctrl-C stops it."
      : `The data are in ${data}. Ctrl-C stops it.`,
  );
  return lines;
}
