/** From addresses to a client: a guest of its own in the real world. */

import { type Given, type LogSink, run, type System } from "@kith/core";
import { type RealOptions, real } from "@kith/node";
import { Client } from "./client.ts";
import { type Codec, text } from "./codec.ts";
import { ClientError } from "./errors.ts";
import { emitter, tell } from "./events.ts";
import { Finder, type FoundStore } from "./finder.ts";
import { Guest } from "./guest.ts";
import type { StoreUser } from "./user.ts";

/** How to reach a store. */
export interface ConnectOptions extends Pick<RealOptions, "cluster" | "secret" | "tls" | "limits"> {
  /** Where members may be found, `host:port`: one of them has to answer. */
  readonly peers: readonly string[];
  /** How long to look for one, in milliseconds; default 10,000. */
  readonly within?: number;
  /** How long calls are tried that do not say it themselves, in milliseconds; default 10,000. */
  readonly callsWithin?: number;
  /** Gives up looking. */
  readonly signal?: AbortSignal;
  /** Where log records go; by default warnings and errors go to the console. */
  readonly log?: LogSink;
  /** Values of settings for the guest's components. */
  readonly settings?: readonly Given[];
}

const findWithin = 10_000;

/**
 * Connects to a store as a guest. Values are text, unless a codec says otherwise.
 *
 * @throws ClientError `KITH_CLIENT_UNREACHABLE` where no peer answers in time, `KITH_CLIENT_ABORTED`
 */
export function connect(options: ConnectOptions): Promise<Client>;
/** Connects to a store whose values are what the codec says. */
export function connect<V>(
  options: ConnectOptions & { readonly codec: Codec<V> },
): Promise<Client<V>>;
/** Connects. */
export async function connect<V>(
  options: ConnectOptions & { readonly codec?: Codec<V> },
): Promise<Client<V> | Client> {
  const { codec, callsWithin } = options;
  const found = await find(options);
  const system = await run(Guest, found, worldOf(options));
  const events = emitter();
  const user = system.instance;
  user.listen({
    up: (peer) => tell(events, "up", peer),
    down: (peer, reason) => tell(events, "down", peer, reason),
  });
  const parts = {
    user,
    events,
    ordered: found.ordered,
    end: () => system.stop(),
    ...(callsWithin === undefined ? {} : { within: callsWithin }),
  };
  const client =
    codec === undefined ? new Client({ ...parts, codec: text }) : new Client({ ...parts, codec });
  endWith((error) => client.failed(error), system);
  return client;
}

/** Ends a client when its own system fails: what waits, and what is asked later, would wait for ever. */
export function endWith(failed: (error: ClientError) => void, system: System<StoreUser>): void {
  system.done.catch((cause: unknown) => {
    const what = "The client's own system has failed.";
    failed(new ClientError("KITH_CLIENT_CLOSED", what, "unknown", { cause }));
    // What has failed is suspended, and hears of nothing itself.
    system.instance.abandon();
  });
}

/** Asks the addresses, until one answers. */
async function find(options: ConnectOptions): Promise<FoundStore> {
  const { peers, within = findWithin, signal } = options;
  if (peers.length === 0)
    throw new ClientError("KITH_CLIENT_ARGUMENT", "No peers were named.", "not-done");
  const system = await run(Finder, { peers }, worldOf(options));
  try {
    return await new Promise<FoundStore>((resolve, reject) => {
      const end = (): void => {
        clearTimeout(late);
        signal?.removeEventListener("abort", abort);
      };
      const late = setTimeout(() => {
        end();
        reject(unreachable(peers, system.instance.reasons));
      }, within);
      const abort = (): void => {
        end();
        const cause: unknown = signal?.reason;
        const what = "The search for a peer was given up.";
        reject(new ClientError("KITH_CLIENT_ABORTED", what, "not-done", { cause }));
      };
      if (signal?.aborted === true) return abort();
      signal?.addEventListener("abort", abort, { once: true });
      return system.instance.whenFound((found) => {
        end();
        resolve(found);
      });
    });
  } finally {
    await system.stop();
  }
}

function unreachable(peers: readonly string[], reasons: ReadonlyMap<string, string>): ClientError {
  const each = peers.map((peer) => `${peer}: ${reasons.get(peer) ?? "no answer"}`).join(", ");
  return new ClientError("KITH_CLIENT_UNREACHABLE", `No peer has answered (${each}).`, "not-done");
}

function worldOf({ cluster, secret, tls, limits, log, settings }: ConnectOptions) {
  return real({
    ...(cluster === undefined ? {} : { cluster }),
    ...(secret === undefined ? {} : { secret }),
    ...(tls === undefined ? {} : { tls }),
    ...(limits === undefined ? {} : { limits }),
    ...(log === undefined ? {} : { log }),
    ...(settings === undefined ? {} : { settings }),
  });
}
