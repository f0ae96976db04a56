/** A process that hosts virtual peers on loopback, as its parent tells it to; it sends their views. */

import { run } from "@kith/core";
import { heartbeat } from "@kith/fd";
import { nearnessPeriod, shufflePeriod } from "@kith/membership";
import { bindAddress, real } from "@kith/node";
import { joinTimeout, mergerProbe, stabilisePeriod } from "@kith/ring";
import type { PeerRef } from "@kith/network";
import { WatchedHost } from "./kit.test.ts";

/** What the parent tells: first where to listen, then whom to host. */
export type Order =
  | { readonly kind: "listen"; readonly port: number }
  | {
      readonly kind: "host";
      readonly peerIds: readonly number[];
      readonly founds: boolean;
      readonly servers: readonly PeerRef[];
    }
  | { readonly kind: "stop" };

/** Quicker than usual: what is tested is that it works on sockets, not how long a heartbeat is. */
const settings = [
  heartbeat.of(300),
  stabilisePeriod.of(500),
  joinTimeout.of(300),
  shufflePeriod.of(1000),
  nearnessPeriod.of(1000),
  mergerProbe.of(1000),
];

let world: ReturnType<typeof real> | null = null;
let stop: () => Promise<void> = () => Promise.resolve();

async function obey(order: Order): Promise<void> {
  if (order.kind === "listen") {
    const listen = await bindAddress("127.0.0.1", order.port);
    world = real({ listen, settings, log: () => undefined });
    process.send?.({ self: world.peer });
  } else if (order.kind === "host" && world !== null) {
    const { peerIds, founds, servers } = order;
    const system = await run(WatchedHost, { peerIds, founds, servers, tell: true }, world);
    stop = () => system.stop();
  } else {
    await stop();
    process.disconnect();
  }
}

process.on("message", (order: Order) => void obey(order));
