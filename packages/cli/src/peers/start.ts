/** `kith start`: one peer, on a machine of its own or beside others. */

import { stopOnSignals } from "@kith/node";
import { place, wholeNumber } from "../arguments.ts";
import { paintFor } from "../colours.ts";
import { cliError } from "../errors.ts";
import { failureOf } from "../failing.ts";
import type { Terminal } from "../progress.ts";
import { addressesOf } from "./addresses.ts";
import { checkFree, type Wanted } from "./free-ports.ts";
import { ended, gently, launch, type Launched } from "./launch.ts";
import { logTo } from "./log.ts";
import type { Place } from "./peer-process.ts";
import { readClientsTls, readPassword, readSecurity, type SecurityOptions } from "./security.ts";
import { Waits } from "./waits.ts";

/** The options of the command, as they are given. */
export interface StartOptions extends SecurityOptions {
  readonly listen: string;
  readonly advertise?: string;
  readonly join?: string;
  readonly data: string;
  readonly redis?: string;
  readonly http?: string;
  readonly httpHost?: string;
  readonly passwordFile?: string;
  readonly clientsTlsCert?: string;
  readonly clientsTlsKey?: string;
  readonly create?: boolean;
  readonly founders?: string;
  readonly groups?: string;
  readonly replicas?: string;
  readonly domain?: string;
  readonly verbose?: boolean;
  readonly json?: boolean;
  /** Of `kith up --processes` only. */
  readonly attached?: boolean;
  readonly orJoin?: boolean;
  readonly peerId?: string;
}

/** What a process that was started by `kith up` says to it. */
export type FromPeer =
  | {
      readonly kind: "up";
      readonly clusterId: string;
      readonly redis: Place | null;
      readonly http: Place | null;
    }
  | { readonly kind: "waits"; readonly detail: string }
  | { readonly kind: "failed"; readonly text: string };

/** Runs the command, until the peer has stopped. */
export async function start(
  options: StartOptions,
  terminal: Terminal,
  out: (text: string) => void,
): Promise<void> {
  if (options.attached !== true) {
    const { system, ...up } = await started(options, terminal);
    out(options.json === true ? JSON.stringify(up) : told(options, up));
    return await ended(system);
  }
  try {
    const { system, clusterId, redis, http } = await started(options, terminal);
    say({ kind: "up", clusterId, redis: redis[0] ?? null, http: http[0] ?? null });
    // It ends with whoever has started it.
    const end = (): void => void gently(system).stop();
    if (process.connected) process.once("disconnect", end);
    else end();
    await ended(system);
  } catch (cause) {
    say({ kind: "failed", text: failureOf(cause, paintFor({})) });
    throw cause;
  } finally {
    if (process.connected) process.disconnect();
  }
}

async function started(options: StartOptions, terminal: Terminal): Promise<Launched> {
  const listen = place(options.listen, "an address to listen on");
  const join = addressesOf(options.join ?? "", "an address to join");
  const redis = options.redis === undefined ? [] : [place(options.redis, "a Redis port")];
  const http = options.http === undefined ? [] : [place(options.http, "an HTTP port")];
  const wanted: Wanted[] = [{ at: listen, what: "where peers call", option: "--listen" }];
  for (const at of redis) wanted.push({ at, what: "the Redis port", option: "--redis" });
  for (const at of http) wanted.push({ at, what: "the HTTP port", option: "--http" });
  const password = readPassword(options.passwordFile);
  for (const at of [...redis, ...http]) guard(at, password);
  const clientsTls = readClientsTls(options);
  const { create: creates, founders, groups, replicas } = options;
  if (creates !== true && (founders ?? groups ?? replicas) !== undefined)
    throw cliError("KITH_CLI_ARGUMENT", "--founders, --groups and --replicas belong to --create.");
  const create =
    creates === true
      ? {
          peers: numberOr(founders, 1 + join.length, "a number of peers", 4096),
          ...(groups === undefined
            ? {}
            : { groups: numberOr(groups, 8, "a number of groups", 1024) }),
          ...(replicas === undefined
            ? {}
            : { replicas: numberOr(replicas, 3, "a number of replicas", 4) }),
        }
      : null;
  const { peerId, advertise, domain } = options;
  if (advertise === undefined && /^(0\.0\.0\.0|::)$/.test(listen.host))
    throw cliError(
      "KITH_CLI_ARGUMENT",
      `Nobody can call ${listen.host}: name with --advertise the address by which others call this peer.`,
    );
  await checkFree(wanted);
  const paint = paintFor(terminal);
  const isAttached = options.attached === true;
  const waits = new Waits(isAttached ? { write: () => undefined } : terminal, (detail) => {
    if (isAttached) say({ kind: "waits", detail });
  });
  try {
    const launched = await launch({
      ...readSecurity(options),
      listen,
      data: options.data,
      count: 1,
      ...(peerId === undefined ? {} : { ids: [numberOr(peerId, 0, "an identity", 2 ** 50, 0)] }),
      join,
      create,
      orElseJoin: options.orJoin === true,
      redis,
      http,
      hosts: options.httpHost?.split(",") ?? [],
      ...(password === undefined ? {} : { password }),
      ...(clientsTls === undefined ? {} : { clientsTls }),
      ...(advertise === undefined ? {} : { advertise }),
      ...(domain === undefined ? {} : { failureDomain: domain }),
      log: logTo(terminal, paint, options.verbose === true ? "info" : "warn"),
      progress: (phase, detail) => waits.tell(phase, detail),
      stops: (system) =>
        stopOnSignals(system, { togetherMs: 500, log: (text) => terminal.write(`${text}\n`) }),
    });
    return launched;
  } finally {
    waits.end();
  }
}

/** A port beyond loopback that wants no password is open to everybody who can reach it. */
function guard({ host, port }: Place, password: string | undefined): void {
  const isLoopback = host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
  if (password !== undefined || isLoopback) return;
  throw cliError(
    "KITH_CLI_ARGUMENT",
    `${host}:${port} is open to others, and asks for no password: give one with --password-file.`,
  );
}

function numberOr(
  text: string | undefined,
  or: number,
  what: string,
  max: number,
  min = 1,
): number {
  return text === undefined ? or : wholeNumber(text, what, min, max);
}

function told(options: StartOptions, { clusterId, redis, http }: Omit<Launched, "system">): string {
  const lines = [
    `A peer of cluster ${clusterId.slice(0, 8)} is up; others join it at ${options.advertise ?? options.listen}.`,
  ];
  const isTls = options.clientsTlsCert !== undefined;
  for (const { host, port } of redis)
    lines.push(`  Redis   redis-cli${isTls ? " --tls" : ""} -h ${host} -p ${port}`);
  for (const { host, port } of http)
    lines.push(`  HTTP    curl http${isTls ? "s" : ""}://${host}:${port}/status`);
  lines.push("Ctrl-C stops it; its membership stays.");
  return lines.join("\n");
}

function say(message: FromPeer): void {
  if (process.connected) process.send?.(message);
}
