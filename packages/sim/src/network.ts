/**
 * The simulated Network of one node: the port's side of an endpoint of the fabric, which holds the
 * connections, so that this component can be swapped without breaking one.
 */

import { by, Component, type Event, type ReplyToken } from "@kith/core";
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
  peerKey,
} from "@kith/network";
import { lifeOf } from "./node.ts";

/** What became of a message, for who asked. */
interface Answer {
  readonly token: ReplyToken<Delivery>;
  readonly delivery: Delivery;
}

/** One for all nodes: what is known of it is then known for all of them. */
const byPeer = by(Message, ({ to }) => peerKey(to));

/** The Network of one life of a node. */
export class SimNetwork extends Component {
  readonly network = this.provides(Network, byPeer);

  readonly #indicated = this.entrance((event: Event) => this.#indicate(event));
  readonly #answered = this.entrance(({ token, delivery }: Answer) =>
    this.network.reply(token, delivery),
  );

  constructor() {
    super();
    const { endpoint } = lifeOf(this.host);
    const { fabric } = endpoint;
    this.network.on(Message, (message) => fabric.send(endpoint, message, null));
    this.network.on(Deliver, ({ message, until }, token) =>
      fabric.send(endpoint, message, { token, until }),
    );
    this.onAcquire(() => {
      endpoint.sink = {
        indicate: this.#indicated,
        answer: (token, delivery) => this.#answered({ token, delivery }),
      };
      fabric.listen(endpoint);
    });
    this.onRelease(() => {
      endpoint.sink = null;
    });
  }

  #indicate(event: Event): void {
    if (event instanceof Message) this.network.trigger(event);
    else if (event instanceof ConnectionUp || event instanceof ConnectionDown)
      this.network.trigger(event);
    else if (
      event instanceof NetworkFull ||
      event instanceof NetworkDrained ||
      event instanceof Dropped
    )
      this.network.trigger(event);
  }
}
