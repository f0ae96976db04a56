/**
 * The simulated Network of one node: the port's side of an endpoint of the fabric, which holds the
 * connections, so that this component can be swapped without breaking one.
 */

import { by, Component, type Event, type ProvidedPort, type ReplyToken } from "@kith/core";
import { ConnectionDown, ConnectionUp, Deliver, type Delivery, Dropped, Message, Network, NetworkDrained, NetworkFull } from "@kith/network";
import type { Endpoint } from "./fabric.ts";

/** Builds the Network's class for one life of a node. */
export function simNetwork(endpoint: Endpoint): new () => Component & { readonly network: ProvidedPort<typeof Network> } {
  const { fabric } = endpoint;

  return class SimNetwork extends Component {
    readonly network = this.provides(
      Network,
      by(Message, (message) => message.to.peerId),
    );

    constructor() {
      super();
      this.network.on(Message, (message) => fabric.send(endpoint, message, null));
      this.network.on(Deliver, ({ message, until }, token) => fabric.send(endpoint, message, { token, until }));
      this.onAcquire(() => {
        endpoint.sink = {
          indicate: (event) => this.enter(() => this.#indicate(event)),
          answer: (token, delivery) => this.enter(() => this.#answer(token, delivery)),
        };
        fabric.listen(endpoint);
      });
    }

    #answer(token: ReplyToken<Delivery>, delivery: Delivery): void {
      this.network.reply(token, delivery);
    }

    #indicate(event: Event): void {
      if (event instanceof Message || event instanceof ConnectionUp || event instanceof ConnectionDown) this.network.trigger(event);
      else if (event instanceof NetworkFull || event instanceof NetworkDrained || event instanceof Dropped) this.network.trigger(event);
    }
  };
}
