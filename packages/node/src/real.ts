/**
 * The real world as one value: the host's clock, one timer of the host, sockets, and a disk.
 *
 * It offers Timer, Network and Storage to all components, as the simulated world does, so that a program
 * does not know in which of them it runs. A world stands for one life of its peer: its incarnation is
 * taken, and made durable, when the world is made.
 */

import { join } from "node:path";
import {
  type Component,
  type Given,
  type LogSink,
  RealScheduler,
  type Root,
  type World,
} from "@kith/core";
import { addressOf, type Codec, formatPeer, parseAddress, type PeerRef, self } from "@kith/network";
import { type Limits, type WebSocketInit, webSocketNetwork } from "@kith/network/host";
import { MsgpackCodec } from "@kith/network/msgpack";
import { MemoryStorage, Write } from "@kith/storage";
import { DiskStorage } from "@kith/storage/host";
import { HostTimer } from "@kith/timer/host";
import { nodeError } from "./errors.ts";
import { durableIdentity, passingIdentity } from "./identity.ts";

/** What may be said of a real world; all of it may be left out. */
export interface RealOptions {
  /**
   * Where to listen: `127.0.0.1:7000`, `[::1]:7000`, or what `await bindAddress()` gave. Without it the
   * Network calls others and cannot be called.
   */
  readonly listen?: string | { readonly host: string; readonly port: number };
  /** The address by which others call, `host:port`; by default that where it listens. */
  readonly advertise?: string;
  /** The directory of this peer's identity and data. Without it both end with the process. */
  readonly data?: string;
  /** The identity of the peer; by default that of the data directory, or one drawn at random. */
  readonly peerId?: number;
  /** What fails together with this peer: a host, a zone. */
  readonly failureDomain?: string;
  /** The name of the cluster; peers of others are refused. Default `kith`. */
  readonly cluster?: string;
  /** What all members of the cluster know, and nobody else. May be left out on loopback only. */
  readonly secret?: string;
  /** Certificate, key and, where it is none that the host trusts, its authority, each as PEM. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string };
  /** The web pages that may call, as `https://example.org`. */
  readonly origins?: readonly string[];
  /** Bounds of the Network: queues, connections, times. */
  readonly limits?: Partial<Limits>;
  /** How messages become bytes; all members of a cluster use the same. Default `MsgpackCodec`. */
  readonly codec?: Codec;
  /** The name of this node in logs; empty by default. */
  readonly node?: string;
  /** The seed of random draws; by default drawn, as it is not to be the same in two processes. */
  readonly seed?: number | string;
  /** Values of settings for all components. */
  readonly settings?: readonly Given[];
  /** Where log records go; by default warnings and errors go to the console. */
  readonly log?: LogSink;
  /** The default bound of mailboxes, in events. */
  readonly mailboxBound?: number;
  /** The bound of what a held channel keeps, in events. */
  readonly holdBound?: number;
}

/** The real world, for one system. */
export interface RealWorld extends World {
  /** The peer for which its Network speaks, and which the setting `self` names. */
  readonly peer: PeerRef;
  /**
   * What its Network was made of: `system.swap("/Network", cls, init)` with these replaces it and keeps
   * its connections.
   */
  readonly network: {
    readonly cls: new (init: WebSocketInit) => Component;
    readonly init: WebSocketInit;
  };
}

/** Keeps everything in memory, and says so to whoever thinks it would last. */
class PassingStorage extends MemoryStorage {
  constructor() {
    super();
    let told = false;
    this.storage.on(Write, () => {
      if (told) return;
      told = true;
      this.log.warn("What is stored here ends with the process: the world was given no `data`.");
    });
  }
}

/**
 * Makes the real world.
 *
 * ```ts no-run
 * import { Component, run } from "@kith/core";
 * import { real, stopOnSignals } from "@kith/node";
 * class Main extends Component {}
 * const system = await run(Main, {}, real({ listen: "127.0.0.1:7000", data: "data" }));
 * stopOnSignals(system);
 * ```
 *
 * Its providers stand at `/Timer`, `/Network` and `/Storage`, and can be swapped there. That an address is
 * taken or a directory locked is a fault of theirs at the start, with which `run` rejects.
 *
 * @throws KithError `KITH_NODE_ADDRESS`, `KITH_NODE_DATA`, `KITH_NODE_IDENTITY`, `KITH_PEER_INVALID`
 */
export function real(options: RealOptions = {}): RealWorld {
  const { data } = options;
  // Looked at before a life is spent on it.
  const place = placeOf(options);
  const identity =
    data === undefined
      ? passingIdentity(options.peerId)
      : durableIdentity(join(data, "identity"), options.peerId);
  const peer: PeerRef = {
    ...identity,
    ...place.called,
    ...(options.failureDomain === undefined ? {} : { failureDomain: options.failureDomain }),
  };
  const network = {
    cls: webSocketNetwork(options.codec ?? new MsgpackCodec()),
    init: initOf(options, peer, place.listen),
  };
  let used = false;
  const install = (root: Root): void => {
    if (used)
      throw nodeError(
        "KITH_NODE_WORLD_USED",
        `The world of ${formatPeer(peer)} runs a system already.`,
      );
    used = true;
    const storage =
      data === undefined
        ? root.create(PassingStorage, {}, { name: "Storage" })
        : root.create(DiskStorage, { directory: join(data, "storage") }, { name: "Storage" });
    const timer = root.create(HostTimer, {}, { name: "Timer" });
    root.offers(storage.ports.storage);
    root.offers(timer.ports.timer);
    root.offers(root.create(network.cls, network.init, { name: "Network" }).ports.network);
  };
  const { node, log, mailboxBound, holdBound } = options;
  return {
    scheduler: new RealScheduler(),
    peer,
    network,
    install,
    seed: options.seed ?? drawSeed(),
    settings: [self.of(formatPeer(peer)), ...(options.settings ?? [])],
    ...(node === undefined ? {} : { node }),
    ...(log === undefined ? {} : { log }),
    ...(mailboxBound === undefined ? {} : { mailboxBound }),
    ...(holdBound === undefined ? {} : { holdBound }),
  };
}

interface Place {
  readonly listen: { readonly host: string; readonly port: number } | null;
  /** The address in the peer's reference. */
  readonly called: { readonly host: string; readonly port: number };
}

function placeOf({ listen, advertise }: RealOptions): Place {
  if (listen === undefined) {
    if (advertise !== undefined)
      throw nodeError("KITH_NODE_ADDRESS", `It advertises ${advertise} and listens nowhere.`);
    // Nobody calls it there, but its address has to differ from all others.
    return { listen: null, called: { host: `caller-${drawSeed()}`, port: 0 } };
  }
  const { host, port } = typeof listen === "string" ? parseAddress(listen) : listen;
  const shown = addressOf({ host, port, peerId: 0, incarnation: 0 });
  if (port === 0)
    throw nodeError("KITH_NODE_ADDRESS", `Nobody would know which port ${shown} becomes.`);
  if (advertise !== undefined) return { listen: { host, port }, called: parseAddress(advertise) };
  if (host === "0.0.0.0" || host === "::")
    throw nodeError("KITH_NODE_ADDRESS", `Nobody can call ${shown}.`);
  return { listen: { host, port }, called: { host, port } };
}

function initOf(options: RealOptions, peer: PeerRef, listen: Place["listen"]): WebSocketInit {
  const { cluster, secret, tls, origins, limits } = options;
  return {
    self: peer,
    ...(listen === null ? {} : { listen }),
    ...(cluster === undefined ? {} : { cluster }),
    ...(secret === undefined ? {} : { secret }),
    ...(tls === undefined ? {} : { tls }),
    ...(origins === undefined ? {} : { origins }),
    ...(limits === undefined ? {} : { limits }),
  };
}

function drawSeed(): string {
  const words = crypto.getRandomValues(new Uint32Array(2));
  return [...words].map((word) => word.toString(16).padStart(8, "0")).join("");
}
