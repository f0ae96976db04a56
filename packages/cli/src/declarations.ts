/**
 * The commands as they are written: names, arguments, options. What a command does is loaded when it is run, as
 * `kith get` need not load a simulator.
 */

import type { Command } from "commander";
import type { BenchOptions } from "./bench/bench-cluster.ts";
import type { ClientOptions, ReadOptions, WriteOptions } from "./peers/client-commands.ts";
import type { StartOptions } from "./peers/start.ts";
import type { UpOptions } from "./peers/up.ts";
import type { SimOptions } from "./sim.ts";

/** Declares `kith up`. */
export function declareUp(program: Command, run: (options: UpOptions) => Promise<void>): void {
  program
    .command("up")
    .description("Starts a whole cluster on this machine; peer i listens on port + i.")
    .option("--peers <n>", "how many peers", "5")
    .option("--redis <port>", "the Redis port of the first peer; 0: any", "6379")
    .option("--no-redis", "opens no Redis port")
    .option(
      "--http <port>",
      "the HTTP port of the first peer, with the status page; 0: any",
      "8080",
    )
    .option("--no-http", "opens no HTTP port")
    .option("--listen <[host:]port>", "where peers call each other", "7000")
    .option("--data <dir>", "keeps the data there; without it they end with the cluster")
    .option("--processes", "starts each peer as a process of its own, and again where it dies")
    .option("--restart-after <ms>", "with --processes: how long after it has died", "3000")
    .option("--groups <n>", "into how many groups the keys are divided, at the beginning", "8")
    .option("--replicas <n>", "how many replicas a group has, at the beginning", "3")
    .option("--any-ports", "takes the next free ports where some are taken")
    .option("--verbose", "writes more into the log")
    .option("--json", "tells where it listens as one line of JSON")
    .action((options: UpOptions) => run(options));
}

/** Declares `kith start`. */
export function declareStart(
  program: Command,
  run: (options: StartOptions) => Promise<void>,
): void {
  const command = program
    .command("start")
    .description("Starts one peer of a cluster; run it on each machine.")
    .requiredOption("--listen <host:port>", "where other peers call this one")
    .requiredOption("--data <dir>", "the directory of its data and its identity")
    .option("--join <host:port,…>", "peers of the cluster, as many as are known")
    .option(
      "--create",
      "founds a cluster, on an empty directory only; those to join must have none",
    )
    .option(
      "--founders <n>",
      "with --create: how many peers to wait for; default all that are named",
    )
    .option("--groups <n>", "with --create: into how many groups the keys are divided; default 8")
    .option("--replicas <n>", "with --create: how many replicas a group has; default 3")
    .option("--advertise <host:port>", "the address by which others call, where it is another one")
    .option("--redis <[host:]port>", "opens a port for Redis clients")
    .option("--http <[host:]port>", "opens a port for HTTP")
    .option("--http-host <name,…>", "names by which HTTP may be called, besides addresses")
    .option("--password-file <file>", "what clients of both have to know; or KITH_PASSWORD")
    .option(
      "--clients-tls-cert <file>",
      "encrypts the Redis and HTTP ports: the certificate that clients see, as PEM",
    )
    .option("--clients-tls-key <file>", "its key")
    .option("--domain <name>", "what fails together with this peer: a machine, a zone")
    .option("--verbose", "writes more into the log")
    .option("--json", "tells where it listens as JSON");
  withSecurity(command);
  for (const flags of ["--attached", "--or-join", "--peer-id <n>"])
    command.addOption(command.createOption(flags).hideHelp());
  command.action((options: StartOptions) => run(options));
}

/** What the commands against a running peer do. */
export interface ClientCommands {
  readonly status: (options: ClientOptions) => Promise<void>;
  readonly get: (key: string, options: ReadOptions) => Promise<void>;
  readonly put: (key: string, value: string | undefined, options: WriteOptions) => Promise<void>;
  readonly del: (keys: readonly string[], options: ClientOptions) => Promise<void>;
  readonly txn: (operations: readonly string[], options: ClientOptions) => Promise<void>;
  readonly leave: (options: ClientOptions) => Promise<void>;
}

/** Declares `kith status`, `get`, `put`, `del`, `txn` and `leave`. */
export function declareClient(program: Command, run: ClientCommands): void {
  const client = (name: string, about: string): Command =>
    withSecurity(
      program
        .command(name)
        .description(about)
        .option("--peer <host:port,…>", "peers to ask; or KITH_PEERS; default 127.0.0.1:7000")
        .option("--within <ms>", "how long to try", "10000")
        .option("--json", "the result for programs"),
    );
  client("status", "Shows the cluster: its peers, its groups, and who leads them.").action(
    (options: ClientOptions) => run.status(options),
  );
  client("get", "Prints what is at a key; fails where there is nothing.")
    .argument("<key>")
    .option("--raw", "its bytes alone, as they are: without an end of line")
    .action((key: string, options: ReadOptions) => run.get(key, options));
  client("put", "Writes a key.")
    .argument("<key>")
    .argument("[value]", "default: what comes on the standard input")
    .option("--if-absent", "only where there is nothing")
    .option("--if-version <n>", "only where this version is there")
    .option("--expires <ms>", "how long it lives")
    .action((key: string, value: string | undefined, options: WriteOptions) =>
      run.put(key, value, options),
    );
  client("del", "Deletes keys, all at one instant; tells how many there were.")
    .argument("<keys...>")
    .action((keys: readonly string[], options: ClientOptions) => run.del(keys, options));
  client("txn", "Runs a transaction: all of it at one instant, or nothing.")
    .argument(
      "[operations...]",
      'each in quotes: "get K", "put K V", "del K", "add K N", "expect K V", "absent K"; default: a line each from the standard input',
    )
    .action((operations: readonly string[], options: ClientOptions) =>
      run.txn(operations, options),
    );
  client("leave", "Takes a peer out of the cluster for good.").action((options: ClientOptions) =>
    run.leave(options),
  );
}

/** Declares `kith bench`. */
export function declareBench(
  program: Command,
  run: (name: string, options: BenchOptions) => Promise<void>,
): void {
  program
    .command("bench")
    .description(
      "Measures a cluster through its Redis port, beside redis-server and etcd where they are installed. All of it takes some twenty minutes; keep the machine quiet.",
    )
    .argument("[name]", "what to measure", "cluster")
    .option("--short", "a first impression, in about two minutes: one round, one kill")
    .option("--rounds <n>", "how often each measurement is made; the median is told", "3")
    .option("--seconds <n>", "how long each takes", "2")
    .option(
      "--warm-up <n>",
      "how many seconds each server does all of it before anything is measured",
      "30",
    )
    .option("--operations <n>", "so many operations for each, instead of a time; nothing before")
    .option("--clients <n>", "connections at a time", "50")
    .option("--kills <n>", "how often a peer is killed", "5")
    .option(
      "--only <name,…>",
      "these alone: of the servers one-process, processes, redis, etcd; of what is measured load, idle, kill, size",
    )
    .option("--save <file>", "writes the tables into a file, too")
    .option("--json", "the result for programs")
    .action((name: string, options: BenchOptions) => run(name, options));
}

/** Declares `kith sim`. */
export function declareSim(
  program: Command,
  run: (name: string | undefined, options: SimOptions) => Promise<void>,
): void {
  program
    .command("sim")
    .description("Runs a scenario in the simulator: whether it holds, and what was tried.")
    .argument("[scenario]", "its name, as --list gives it, or the path of a file")
    .option("--seed <seed>", "one seed")
    .option("--seeds <A..B>", "a range of seeds, on all cores; default 1..100")
    .option("--jobs <n>", "how many processes; default one per core")
    .option("--peers <n>", "so many simulated nodes, instead of those that a seed draws")
    .option("--json", "the result for programs")
    .option(
      "--history <file>",
      "writes the history of the failing seed, or of the first, as JSON lines",
    )
    .option("--trace <file>", "writes that run for ShiViz")
    .option("--shrink [file]", "shrinks the failing seed to a scenario file of its own")
    .option("--list", "lists the scenarios, with a paragraph for each")
    .action((name: string | undefined, options: SimOptions) => run(name, options));
}
/** Adds the options to a command. */
function withSecurity(command: Command): Command {
  return command
    .option("--cluster <name>", "the name of the cluster; peers of others are refused", "kith")
    .option("--secret-file <file>", "what all members know, in a file; or KITH_SECRET")
    .option("--secret <text>", "the same, for all on this machine to see")
    .option("--tls-cert <file>", "encrypts all connections: the certificate, as PEM")
    .option("--tls-key <file>", "its key")
    .option("--tls-ca <file>", "its authority, where that is none that the system trusts");
}
