/**
 * The loopback provider of Network: for peers of one process, in one system or in several. It needs no
 * host, so it runs in a browser and under a simulator too. All that is to know of connections and queues is
 * in its hub; a swap of the component leaves them untouched.
 */

import { by, Component } from "@kith/core";
import {
  type Arrival,
  type Asked,
  dropped,
  type LoopbackHub,
  type Station,
} from "./loopback-hub.ts";
import { Message } from "./message.ts";
import { peerKey, type PeerRef } from "./peer-ref.ts";
import { Deliver, Delivery, Network } from "./port.ts";

/** How many items of its inbox a network handles in one go. */
const itemsPerTurn = 64;

/** What a loopback network has to know. */
export interface LoopbackInit {
  /** The peer for which the network speaks, with address and incarnation of its process. */
  readonly self: PeerRef;
}

/** A network at a hub. Made by `loopback(hub)`. */
export abstract class LoopbackNetwork extends Component {
  readonly network = this.provides(
    Network,
    by(Message, ({ to }) => peerKey(to)),
  );
  protected abstract readonly hub: LoopbackHub;
  readonly #self: PeerRef;
  #station: Station | null = null;

  constructor({ self }: LoopbackInit) {
    super();
    this.#self = self;
    this.network.on(Message, (message) => this.#send(message, null));
    this.network.on(Deliver, ({ message, until }, token) => this.#send(message, { token, until }));
    this.onAcquire(() => {
      this.#station = this.hub.add(self, () => this.enter(() => this.#receive()));
    });
    this.onRelease(() => {
      // A replacement goes on where this one has ended.
      if (this.#station !== null) this.#station.wake = null;
    });
    this.onStop(() => {
      if (this.#station !== null) this.hub.remove(this.#station, "closed");
    });
  }

  #send(message: Message, asked: Asked | null): void {
    if (this.#station === null) return;
    const loss = this.hub.send(this.#station, message, asked);
    if (loss === null) return;
    if (loss.reason === "not-encodable")
      this.log.error(`${message.constructor.name} was not sent`, loss.detail);
    if (asked === null) this.network.trigger(dropped(message, loss, this.#self));
    else this.network.reply(asked.token, new Delivery({ status: "failed", reason: loss.reason }));
  }

  #receive(): void {
    const station = this.#station;
    if (station === null) return;
    this.hub.connect(station);
    for (const item of this.hub.take(station, itemsPerTurn)) {
      if (item.kind === "news") this.network.trigger(item.event);
      else if (item.kind === "answer") this.network.reply(item.token, item.delivery);
      else this.#arrive(item);
    }
  }

  #arrive(item: Arrival): void {
    const { message } = item.parcel;
    if (message.to.incarnation === this.#self.incarnation) {
      this.network.trigger(message);
      this.hub.acknowledge(item);
    } else {
      const reason = "wrong-incarnation";
      this.hub.acknowledge(item, reason);
      this.network.trigger(dropped(message, { reason, detail: "" }));
    }
  }
}

/**
 * The class of the networks at a hub.
 *
 * ```ts no-run
 * import { Component, launch, ManualWorld } from "@kith/core";
 * import { loopback, LoopbackHub, parsePeer } from "@kith/network";
 * class Main extends Component {}
 * const hub = new LoopbackHub();
 * const { scheduler } = new ManualWorld();
 * launch(Main, {}, {
 *   scheduler,
 *   install: (root) => {
 *     const self = parsePeer("7@node-7:7000#0");
 *     root.offers(root.create(loopback(hub), { self }).ports.network);
 *   },
 * });
 * ```
 */
export function loopback(hub: LoopbackHub): new (init: LoopbackInit) => LoopbackNetwork {
  return class Loopback extends LoopbackNetwork {
    protected readonly hub = hub;
  };
}
