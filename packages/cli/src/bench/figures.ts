/** What was measured, and the page that tells it to people. */

import { counted, table } from "../page.ts";
import type { InstallSize } from "./install-size.ts";
import type { KillResult } from "./kills.ts";
import { type LoadResult, median } from "./load.ts";
import type { About } from "./machine.ts";
import { workloads } from "./workloads.ts";

/** One thing that was asked of one server, in several rounds. */
export interface LoadRow {
  readonly server: string;
  readonly what: string;
  readonly rounds: readonly LoadResult[];
  /** The same in the warm-up of each round; empty where there was none. */
  readonly before: readonly LoadResult[];
}

/** What a member takes while nobody asks anything; null where the system does not tell. */
export interface IdleRow {
  readonly server: string;
  readonly members: number;
  /** Of one core. */
  readonly cpuPercent: number | null;
  readonly mb: number | null;
  /** After the load. */
  readonly afterMb: number | null;
}

/** All of it. Plain data. */
export interface Figures {
  readonly about: About;
  readonly options: {
    readonly seconds: number;
    /** How long each server does all of it before, in seconds. */
    readonly warmUpSeconds: number;
    readonly rounds: number;
    readonly clients: number;
    readonly operations: number | null;
    readonly keys: number;
  };
  readonly load: LoadRow[];
  readonly idle: IdleRow[];
  readonly kills: KillResult[];
  readonly install: InstallSize | null;
  /** What could not be measured, as it is not installed. */
  readonly missing: string[];
}

/** A page about them. */
export function figuresText(figures: Figures): string {
  const { about, options, load, idle, kills, install, missing } = figures;
  const { rounds, seconds, warmUpSeconds, clients, operations, keys } = options;
  const parts = [
    "# A cluster through its Redis port",
    [
      `Made by \`kith bench cluster\` at ${about.kith}, on ${about.machine}, with ${["no other server", ...about.peers].slice(about.peers.length > 0 ? 1 : 0).join(" and ")}.`,
      ...missing.map((one) => `${one} is not installed here: there is nothing to compare with.`),
    ].join("\n"),
  ];
  if (load.length > 0)
    parts.push(
      "## Operations",
      `${clients} clients in one process, each on a connection of its own and with one request under way, on the same machine as the servers and in turn at each of their members; values of 100 bytes, ${keys.toLocaleString("en")} keys. The median of ${counted(rounds, "round")} of ${operations === null ? counted(seconds, "second") : counted(operations, "operation")}${warmUpSeconds === 0 ? ", of servers that have just started" : `, after every server alike has done all of it for ${counted(warmUpSeconds, "second")}, so that what compiles while it runs has done so`}; time is from a request, or so many at a time, to all of its answers. CPU is that of the servers for one operation, "before" the same in the first seconds of it, before it was measured; the ratio that of operations a second to the first row. "Again" is how often 100 transactions were begun again.

The keys of Kith have three replicas at five peers; etcd has three members. Both have a write on the disks of a majority before they acknowledge it (${about.medium}), and answer reads linearizably. redis-server is one process: in memory it loses all in a crash, flushed it writes one disk. etcd has neither INCR nor WATCH: it reads, and writes if nothing was written since; its clients speak gRPC.`,
      table(
        [
          ...["what", "server", "a second", "ratio", "p50 ms", "p99 ms"],
          ...["CPU µs", "before", "again", "errors"],
        ],
        rowsOf(load),
      ),
    );
  const failures = load.flatMap(({ server, what, rounds: all }) =>
    all.flatMap(({ error }) => (error === "" ? [] : [`- ${what}, ${server}: ${error}`])),
  );
  if (failures.length > 0) parts.push("What errors said:", [...new Set(failures)].join("\n"));
  if (idle.length > 0)
    parts.push(
      "## A member that nobody asks",
      "Processor time in percent of one core, and resident memory: of all processes, divided by the members.",
      table(
        ["server", "CPU %", "MB", "MB after the load"],
        idle.map(({ server, cpuPercent, mb, afterMb }) => [
          server,
          shown(cpuPercent, 2),
          shown(mb, 0),
          shown(afterMb, 0),
        ]),
      ),
    );
  if (kills.length > 0)
    parts.push(
      "## Kill -9",
      "The member that leads most is killed, and each key is written through another one until it succeeds, by a client of its own; one of etcd asks again after half a second, as etcd keeps what it handed to a dead leader for seven. Times are from the kill, in milliseconds.",
      table(
        ["server", "kills", "keys", "all keys, median", "all keys, longest", "a key, median"],
        kills.map((one) => [
          one.server,
          one.kills,
          one.keys,
          shown(one.everyMedianMs, 0),
          shown(one.everyMaxMs, 0),
          shown(one.keyMedianMs, 1),
        ]),
      ),
    );
  if (install !== null)
    parts.push(
      "## Install",
      `\`@kith/cli\` and all that it needs: ${install.packages} packages of ${install.mb.toFixed(1)} MB, of which ${install.own} of ${install.ownMb.toFixed(1)} MB are Kith's own, with their sources.`,
    );
  return parts.join("\n\n");
}

function rowsOf(load: readonly LoadRow[]): (string | number)[][] {
  return workloads.flatMap(({ name }) => {
    const rows = load.filter(({ what }) => what === name);
    const first = rows[0]?.rounds ?? [];
    return rows.map(({ server, rounds, before }) => {
      const of = (get: (one: LoadResult) => number): number => median(rounds.map(get));
      // Rounds are paired, so that a slow moment of the machine drops out of the ratio.
      const ratio = median(rounds.map((one, i) => one.perSecond / (first[i]?.perSecond ?? NaN)));
      const cpuOf = (all: readonly LoadResult[]): string => {
        const cpu = all.flatMap(({ cpuMicros }) => (cpuMicros === null ? [] : [cpuMicros]));
        return shown(cpu.length === 0 ? null : median(cpu), 0);
      };
      return [
        name,
        server,
        Math.round(of((one) => one.perSecond)).toLocaleString("en"),
        shown(ratio, 3),
        of((one) => one.p50Ms).toFixed(2),
        of((one) => one.p99Ms).toFixed(2),
        cpuOf(rounds),
        cpuOf(before),
        shown(
          of((one) => (one.done === 0 ? 0 : (100 * one.again) / one.done)),
          1,
        ),
        rounds.reduce((sum, one) => sum + one.errors, 0),
      ];
    });
  });
}

/** A number with so many places; a line where there is none. */
function shown(value: number | null, places: number): string {
  return value === null || !Number.isFinite(value) ? "–" : value.toFixed(places);
}
