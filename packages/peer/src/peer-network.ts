/**
 * The Network as the store of one virtual peer sees it: its own messages, and what is known about the ways to others.
 *
 * Messages come under the peer's identity as the key, as everywhere in a peer. What has no key, because it concerns the process as
 * a whole, would not come that way: the `Switchboard` of the process hears it once and hands it on, connections to all peers, lost
 * messages to the peer that they are from or were for. Whoever stands below `PeerNetwork` needs not know that there are others.
 *
 * Invariant: a message that leaves names its sender.
 */

import { AskTimeout, by, Component, event, port, type ReplyToken } from "@kith/core";
import {
  ConnectionDown,
  ConnectionUp,
  Deliver,
  type Delivery,
  Dropped,
  Message,
  Network,
  NetworkDrained,
  NetworkFull,
  parsePeer,
  peerKey,
  self,
  withSender,
} from "@kith/network";
import { storeMessages } from "@kith/store";

/** A message of one peer of this process, or for it, is lost. */
export class PeerLoss extends event("peer/Loss")<{
  readonly peerId: number;
  readonly dropped: Dropped;
}> {}

/** What is lost of one peer, under its identity as the key; whoever else finds that something is lost says so here. Provider: `Switchboard`. */
export const Losses = port("Losses", { requests: [PeerLoss], indications: [PeerLoss] });

/** What happens to the connections of the process. Provider: `Switchboard`. */
export const Connections = port("Connections", {
  indications: [ConnectionUp, ConnectionDown, NetworkFull, NetworkDrained],
});

/** Hears for a whole process what its Network says that is no message. */
export class Switchboard extends Component {
  readonly losses = this.provides(
    Losses,
    by(PeerLoss, ({ peerId }) => peerId),
  );
  readonly connections = this.provides(Connections);
  readonly network = this.requires(Network);

  constructor() {
    super();
    for (const cls of [ConnectionUp, ConnectionDown, NetworkFull, NetworkDrained] as const)
      this.network.on(cls, (what) => this.connections.trigger(what));
    this.losses.on(PeerLoss, (loss) => this.losses.trigger(loss));
    this.network.on(Dropped, (dropped) => {
      const { reason, to, from } = dropped;
      const arrived = reason === "wrong-incarnation" || reason === "unknown-tag";
      const { peerId } = arrived ? to : from;
      this.losses.trigger(new PeerLoss({ peerId, dropped }));
    });
  }
}

/** Provides Network to what one virtual peer has of the store. */
export class PeerNetwork extends Component {
  readonly network = this.provides(
    Network,
    by(Message, ({ to }) => peerKey(to)),
  );
  readonly shared = this.requires(Network);
  readonly losses = this.requires(Losses);
  readonly connections = this.requires(Connections);
  readonly #self = parsePeer(this.setting(self));
  readonly #deliver = this.shared.onAnswer(Deliver, (answer, _, token: ReplyToken<Delivery>) => {
    if (!(answer instanceof AskTimeout)) this.network.reply(token, answer);
  });

  constructor() {
    super();
    // The overlay beside it hears its messages itself.
    for (const cls of storeMessages)
      this.shared.on(cls, (message) => this.network.trigger(message));
    this.network.on(Message, (message) => this.shared.trigger(withSender(message, this.#self)));
    this.network.on(Deliver, ({ message, until }, token) => {
      const own = withSender(message, this.#self);
      this.#deliver(new Deliver({ message: own, until }), { context: token });
    });
    this.losses.on(PeerLoss, ({ dropped }) => this.network.trigger(dropped));
    for (const cls of [ConnectionUp, ConnectionDown, NetworkFull, NetworkDrained] as const)
      this.connections.on(cls, (what) => this.network.trigger(what));
  }
}
