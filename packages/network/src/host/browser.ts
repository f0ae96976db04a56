/** The Network on WebSockets, in a browser: it calls, and is called by nobody. */

import type { Codec } from "../codec.ts";
import { browserTransport } from "./browser-transport.ts";
import { WebSocketNetwork, type WebSocketInit } from "./network.ts";

export { type FarewellCode, farewell } from "./farewell.ts";
export { defaultLimits, type Limits } from "./limits.ts";
export { type WebSocketInit, WebSocketNetwork } from "./network.ts";
export type { Certificates, Place, Transport } from "./transport.ts";

/** The class of the networks that speak this codec. Give `self` port 0, and a host that no other page has. */
export function webSocketNetwork(codec: Codec): new (init: WebSocketInit) => WebSocketNetwork {
  return class WebSocketNetworkOfBrowsers extends WebSocketNetwork {
    protected readonly codec = codec;
    protected readonly transport = browserTransport;
  };
}
