/** The transport in Node: `ws` for both sides. */

import { randomFillSync } from "node:crypto";
import { WebSocket } from "ws";
import { nonceBytes } from "./greeting.ts";
import { listen, path } from "./node-listener.ts";
import { closing, NodeWire } from "./node-wire.ts";
import type { Place, Transport, Wire, WireOptions, WireUser } from "./transport.ts";

function dial({ host, port }: Place, user: WireUser, options: WireOptions): Wire {
  const { tls, frameBytesMax, closeMs } = options;
  const name = host.includes(":") ? `[${host}]` : host;
  const socket = new WebSocket(`${tls === null ? "ws" : "wss"}://${name}:${port}${path}`, {
    perMessageDeflate: false,
    skipUTF8Validation: true,
    // A mask keeps a page's script from choosing the bytes that a proxy sees. Here is no page.
    generateMask: (mask) => void mask.fill(0),
    maxPayload: frameBytesMax,
    ...closing(closeMs),
    ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
  });
  const wire = new NodeWire({ turnAway: () => socket.terminate() });
  wire.user = user;
  socket.on("unexpected-response", (_, { statusCode = 0, statusMessage = "" }) => {
    wire.explain(`it answered ${statusCode} ${statusMessage}`);
    socket.terminate();
  });
  wire.use(socket);
  return wire;
}

/** The transport of Node. */
export const nodeTransport: Transport = {
  now: () => performance.now(),
  nonce: () => randomFillSync(new Uint8Array(nonceBytes)),
  every: (ms, callback) => {
    const timer = setInterval(callback, ms);
    return () => clearInterval(timer);
  },
  soon: (callback) => queueMicrotask(callback),
  dial,
  listen,
};
