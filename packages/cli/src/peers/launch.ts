/**
 * Starts a process of peers, in this process: its world, its peers, and the ports in front of them. Resolves when the store is
 * founded and served, or rejects with what is wrong.
 */

import { KithError, type LogSink, run, type System } from "@kith/core";
import type { ServerCertificate } from "@kith/gateway";
import { type RealOptions, real, type Stoppable } from "@kith/node";
import { type ClusterPhase, type Founders, nextStepOf } from "@kith/peer";
import { cliError } from "../errors.ts";
import { drawnIds, peersOf } from "./data-directory.ts";
import { type Place, PeerProcess } from "./peer-process.ts";
import { Reasons } from "./reasons.ts";

/** How to start it. */
export interface LaunchOptions extends Pick<
  RealOptions,
  "advertise" | "secret" | "tls" | "cluster" | "failureDomain"
> {
  readonly listen: Place;
  /** Null: what is stored ends with the process. */
  readonly data: string | null;
  /** How many peers it hosts. */
  readonly count: number;
  /** Their identities, where the directory does not say; default drawn. */
  readonly ids?: readonly number[];
  /** `host:port` of others. */
  readonly join: readonly string[];
  /** Founds a cluster. */
  readonly create: Founders | null;
  /** Whether it goes on with the cluster that there is, where one was founded before. */
  readonly orElseJoin?: boolean;
  readonly redis: readonly Place[];
  readonly http: readonly Place[];
  readonly password?: string;
  readonly clientsTls?: ServerCertificate;
  readonly hosts?: readonly string[];
  readonly log: LogSink;
  /** Given what stops the system as soon as there is one, so that signals can stop it while it is not ready yet. */
  readonly stops?: (system: Stoppable) => void;
  /** Told what it waits for. */
  readonly progress?: (phase: ClusterPhase, detail: string) => void;
}

/** A process that runs. */
export interface Launched {
  readonly system: System<PeerProcess>;
  readonly peers: readonly number[];
  readonly clusterId: string;
  /** Where servers listen, one for each peer. */
  readonly redis: readonly Place[];
  readonly http: readonly Place[];
}

/** Starts it. @throws KithError whatever is wrong with the directory, the ports or the cluster */
export async function launch(options: LaunchOptions): Promise<Launched> {
  try {
    return await launchOnce(options);
  } catch (cause) {
    const isThere = cause instanceof KithError && cause.code === "KITH_PEER_EXISTS";
    // It has lost its disk, say, and the others have not.
    if (options.create === null || options.orElseJoin !== true || !isThere) throw cause;
    return await launchOnce({ ...options, create: null });
  }
}

async function launchOnce(options: LaunchOptions): Promise<Launched> {
  const { listen, data, count, join, create, redis, http, password, hosts, clientsTls } = options;
  const peers =
    data === null ? [...(options.ids ?? drawnIds(count))] : peersOf(data, count, options.ids);
  const reasons = new Reasons(join);
  let onRefused: (error: KithError) => void = () => undefined;
  const { advertise, secret, tls, cluster, failureDomain } = options;
  const world = real({
    listen,
    ...(peers[0] === undefined ? {} : { peerId: peers[0] }),
    ...(data === null ? {} : { data }),
    ...(advertise === undefined ? {} : { advertise }),
    ...(secret === undefined ? {} : { secret }),
    ...(tls === undefined ? {} : { tls }),
    ...(cluster === undefined ? {} : { cluster }),
    ...(failureDomain === undefined ? {} : { failureDomain }),
    log: (record) => {
      // Why there is no cluster is what this function throws.
      if (record.level !== "error" || !record.path.endsWith("/Cluster")) options.log(record);
      const refused = reasons.note(record);
      if (refused !== null)
        onRefused(
          cliError("KITH_CLI_REFUSED", `${refused.peer} refuses this peer: ${refused.why}.`),
        );
    },
  });
  const system = await run(
    PeerProcess,
    {
      peers,
      join,
      redis,
      http,
      ...(create === null ? {} : { create, resume: options.orElseJoin === true }),
      ...(password === undefined ? {} : { password }),
      ...(clientsTls === undefined ? {} : { clientsTls }),
      ...(hosts === undefined ? {} : { hosts }),
    },
    world,
  );
  options.stops?.(gently(system));
  try {
    return await new Promise<Launched>((resolve, reject) => {
      const up = { redis: new Array<Place>(), http: new Array<Place>() };
      let clusterId = "";
      let phase: ClusterPhase = "reading";
      const look = (): void => {
        if (phase !== "ready" || up.redis.length < redis.length || up.http.length < http.length)
          return;
        resolve({ system, peers, clusterId, ...up });
      };
      onRefused = (error) => {
        // Who belongs to a cluster goes on: it may be the other one that is wrong.
        if (phase === "reading" || phase === "asking") reject(error);
      };
      system.done.catch(reject);
      system.events.on("stopped", () => reject(stopped()));
      system.instance.listen({
        state: (state) => {
          ({ phase, clusterId } = state);
          options.progress?.(phase, state.detail);
          look();
        },
        failed: ({ code, detail }) =>
          reject(new KithError(code, sentence(detail), nextStepOf(code))),
        up: (server, at) => {
          up[server].push(at);
          look();
        },
        ended: (peerId, reason, left) => {
          // Whoever has taken out the last one has nothing left to do here.
          if (left === 0 && reason === "") void system.stop();
          if (peers.length === 1 && reason !== "")
            reject(cliError("KITH_CLI_ENDED", `Peer ${peerId} has stopped: ${reason}`));
        },
      });
    });
  } catch (cause) {
    await system.stop();
    throw cause;
  }
}

/** Stops a system when others lead the groups that it leads, or when the time for that is over. */
export function gently(system: System<PeerProcess>): Stoppable {
  return {
    events: system.events,
    stop: async () => {
      let late: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        // One that has failed does not come to it.
        late = setTimeout(resolve, gentleMs);
        system.events.on("stopped", resolve);
        system.enter(() => system.instance.retire(resolve));
      });
      clearTimeout(late);
      await system.stop();
    },
  };
}

/** Waits until a system has ended, however that may be, and sees to it that nothing of it keeps the process. */
export async function ended(system: System<PeerProcess>): Promise<void> {
  try {
    await system.done;
  } finally {
    // What cannot be let go of, a disk that does not answer, shall not keep a process that has failed.
    setTimeout(() => process.kill(process.pid, "SIGKILL"), endsWithinMs).unref();
    await system.stop();
  }
}

const endsWithinMs = 10_000;
/** Longer than peers take for it at most. */
const gentleMs = 3000;

function stopped(): KithError {
  return cliError("KITH_CLI_ENDED", "The peer was stopped before it was ready.");
}

/** A detail of another package as a sentence. */
function sentence(detail: string): string {
  const text = detail.charAt(0).toUpperCase() + detail.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
