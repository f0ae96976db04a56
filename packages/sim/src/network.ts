/**
 * The simulated Network of one node: the port's side of an endpoint of the fabric, which holds the
 * connections, so that this component can be swapped without breaking one.
 */

import { by, Component, type Event } from "@kith/core";
import {
  ConnectionDown,
  ConnectionUp,
  Deliver,
  Dropped,
  Message,
  Network,
  NetworkDrained,
  NetworkFull,
} from "@kith/network";
import { lifeOf } from "./node.ts";

/** The Network of one life of a node. */
export class SimNetwork extends Component {
  readonly network = this.provides(
    Network,
    by(Message, (message) => message.to.peerId),
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
        indicate: (event) => this.enterNow(() => this.#indicate(event)),
        answer: (token, delivery) => this.enterNow(() => this.network.reply(token, delivery)),
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
