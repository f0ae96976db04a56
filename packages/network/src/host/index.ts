/** The Network on WebSockets, in Node: it listens and calls. */

import type { Codec } from "../codec.ts";
import { WebSocketNetwork, type WebSocketInit } from "./network.ts";
import { nodeTransport } from "./node-transport.ts";

export { type FarewellCode, farewell } from "./farewell.ts";
export { defaultLimits, type Limits } from "./limits.ts";
export { type WebSocketInit, WebSocketNetwork } from "./network.ts";
export { bindAddress, type BoundAddress } from "./node-listener.ts";
export type { Certificates, Place, Transport } from "./transport.ts";

/**
 * The class of the networks that speak this codec.
 *
 * ```ts no-run
 * import { Component, launch, RealScheduler } from "@kith/core";
 * import { parsePeer, PlainCodec } from "@kith/network";
 * import { webSocketNetwork } from "@kith/network/host";
 * class Main extends Component {}
 * const init = { self: parsePeer("7@127.0.0.1:7000#1"), secret: "known to the members" };
 * launch(Main, {}, {
 *   scheduler: new RealScheduler(),
 *   install: (root) => {
 *     root.offers(root.create(webSocketNetwork(new PlainCodec()), init).ports.network);
 *   },
 * });
 * ```
 */
export function webSocketNetwork(codec: Codec): new (init: WebSocketInit) => WebSocketNetwork {
  return class WebSocketNetworkOfNode extends WebSocketNetwork {
    protected readonly codec = codec;
    protected readonly transport = nodeTransport;
  };
}
