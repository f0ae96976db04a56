/**
 * The provider of Network on WebSockets. The component is the port's side; what it holds of the outside (the
 * listening socket, connections, what waits for them) is a switchboard, which a swap hands over to the
 * replacement as it is where the two are alike, and resets where they are not.
 *
 * State: what users have been told and not yet seen the end of, so that a replacement that begins anew can
 * tell the end of it.
 */

import { by, Component, type ReplyToken } from "@kith/core";
import type { Codec } from "../codec.ts";
import { networkError } from "../errors.ts";
import { Message } from "../message.ts";
import { isPeer, peerKey, type PeerRef, processOf } from "../peer-ref.ts";
import { ConnectionDown, Deliver, Delivery, Dropped, Network, NetworkDrained } from "../port.ts";
import { Board } from "./board.ts";
import { describeThrown } from "./failure.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import { fetchParked, park } from "./parking.ts";
import type { News, Sink } from "./traffic.ts";
import type { Certificates, Place, Transport } from "./transport.ts";

/** What a network on sockets has to know. */
export interface WebSocketInit {
  /** The peer for which it speaks, with the address that others call; with port 0 it only calls. */
  readonly self: PeerRef;
  /** Where to listen; default: the port of `self` on 127.0.0.1. */
  readonly listen?: Place;
  /** The name of the cluster; others are refused. Default `kith`. */
  readonly cluster?: string;
  /** What the members of the cluster know, and nobody else. May be left out on loopback only. */
  readonly secret?: string;
  /** With certificates all connections are encrypted, and others are refused. */
  readonly tls?: Certificates;
  /** The web pages that may call, as `https://example.org`; default: all where there is a secret, else none. */
  readonly origins?: readonly string[];
  readonly limits?: Partial<Limits>;
}

/** What a replacement has to know that cannot go on with the connections. */
interface Handover {
  readonly connections: readonly PeerRef[];
  readonly full: readonly PeerRef[];
  readonly open: readonly { readonly token: ReplyToken<Delivery>; readonly left: boolean }[];
  readonly waiting: readonly { readonly tag: string; readonly to: PeerRef }[];
}

const noHandover: Handover = { connections: [], full: [], open: [], waiting: [] };

/** A network on WebSockets. Made by `webSocketNetwork(codec)`. */
export abstract class WebSocketNetwork extends Component {
  readonly network = this.provides(
    Network,
    by(Message, ({ to }) => peerKey(to)),
  );
  protected abstract readonly codec: Codec;
  protected abstract readonly transport: Transport;
  readonly #init: WebSocketInit;
  #board: Board | null = null;
  #handover: Handover | null = null;
  #stopped = false;

  constructor(init: WebSocketInit) {
    super();
    this.#init = init;
    check(init);
    this.network.on(Message, (message) => this.#board?.traffic.send(message, null));
    this.network.on(Deliver, ({ message, until }, token) =>
      this.#board?.traffic.send(message, { token, until }),
    );
    this.onAcquire(() => this.#acquire());
    this.onStop(() => {
      this.#stopped = true;
      this.#board?.stop();
    });
    this.onRelease(() => this.#release());
  }

  /** What users were told and have not seen the end of. */
  exportState(): Handover {
    const links = [...(this.#board?.links ?? [])];
    return {
      connections: links.flatMap(({ call }) => (call?.met ? [call.met.peer] : [])),
      full: links.flatMap(({ peer, queue }) => (queue.full ? [peer] : [])),
      open: links.flatMap(({ queue }) => queue.open()),
      waiting: links.flatMap(({ queue }) => queue.lost()),
    };
  }

  importState(state: Handover): void {
    this.#handover = state;
  }

  #acquire(): void {
    const { transport } = this;
    this.#stopped = false;
    const before =
      this.#handover === null && this.#board === null
        ? null
        : fetchParked(processOf(this.#init.self), this.#likeness());
    if (before instanceof Board) this.#board = before;
    else {
      this.#board = this.#open(transport);
      this.#tellEnds(this.#handover ?? noHandover);
    }
    this.#handover = null;
    this.#board.traffic.sink = this.#sink(this.#board);
  }

  #release(): void {
    const board = this.#board;
    if (board === null) return;
    board.traffic.sink = null;
    if (this.#stopped) this.#board = null;
    else
      park(processOf(this.#init.self), board, this.#likeness(), (callback) =>
        this.transport.soon(callback),
      );
  }

  /** Two instances that agree in this can hold the same connections. */
  #likeness(): string {
    return JSON.stringify([this.codec.name, this.#init]);
  }

  #open(transport: Transport): Board {
    const { self, cluster = "kith", secret = "", tls, origins, listen } = this.#init;
    const limits = { ...defaultLimits, ...this.#init.limits };
    const board = new Board({
      identity: { self, cluster, secret },
      codec: this.codec,
      transport,
      limits,
      listen: self.port === 0 ? null : (listen ?? { host: "127.0.0.1", port: self.port }),
      wire: {
        tls: tls ?? null,
        frameBytesMax: limits.frameBytesMax,
        callerBytesMax: limits.callerBytesMax,
        closeMs: limits.closeMs,
        origins: origins ?? (secret === "" ? [] : null),
      },
      failed: (cause) => this.enter(() => this.#failed(cause)),
    });
    board.open();
    return board;
  }

  #failed(cause: unknown): void {
    const { self, listen } = this.#init;
    const { host, port } = listen ?? { host: "127.0.0.1", port: self.port };
    throw networkError(
      "KITH_NETWORK_LISTEN",
      `The network cannot listen on ${host}, port ${port}: ${describeThrown(cause)}.`,
      cause,
    );
  }

  #sink(board: Board): Sink {
    // Every process draws its own: all have the same path and, in the real world, the same seed.
    const draws = this.random(`back-off of ${processOf(this.#init.self)}`);
    return {
      indicate: (event) => this.#indicate(event),
      answer: (token, delivery) => this.network.reply(token, delivery),
      wake: () => this.enter(() => board.work()),
      draw: () => draws.float(),
      log: this.log,
    };
  }

  #indicate(event: Message | News): void {
    if (event instanceof Message) this.network.trigger(event);
    else this.network.trigger(event);
  }

  /** Tells the end of what the predecessor has begun and this one cannot go on with. */
  #tellEnds({ connections, full, open, waiting }: Handover): void {
    const { self } = this.#init;
    if (connections.length + full.length + open.length + waiting.length === 0) return;
    this.enter(() => {
      for (const peer of connections)
        this.network.trigger(new ConnectionDown({ peer, reason: "closed" }));
      for (const { token, left } of open) {
        const status = left ? "unknown" : "failed";
        this.network.reply(token, new Delivery({ status, reason: "disconnected" }));
      }
      for (const { tag, to } of waiting)
        this.network.trigger(
          new Dropped({ reason: "disconnected", tag, to, from: self, detail: "" }),
        );
      for (const peer of full) this.network.trigger(new NetworkDrained({ peer }));
    });
  }
}

function check({ self, listen, secret = "", tls }: WebSocketInit): void {
  if (!isPeer(self))
    throw networkError("KITH_PEER_INVALID", "A network was given no valid peer as `self`.");
  const host = listen?.host ?? "127.0.0.1";
  const loopback = host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
  if (secret === "" && self.port !== 0 && !loopback)
    throw networkError(
      "KITH_NETWORK_SECRET_MISSING",
      `The network would listen on ${host}, for everybody, without a secret.`,
    );
  if (tls !== undefined && self.port !== 0 && (tls.cert === undefined || tls.key === undefined))
    throw networkError(
      "KITH_NETWORK_CERTIFICATE_MISSING",
      "The network would listen with TLS and has no certificate of its own, or no key to it.",
    );
}
