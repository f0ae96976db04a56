/** Real processes of one test: systems in this process that talk over sockets on loopback. */

import { run, type System } from "@kith/core";
import { heartbeat } from "@kith/fd";
import { bindAddress, real, type RealWorld } from "@kith/node";
import { joinTimeout, stabilisePeriod } from "@kith/ring";
import {
  type RoutedPeer,
  routedPeer,
  type RouterClass,
  type RouterHarness,
} from "./compliance/index.ts";
import { attemptTimeout, hopTimeout } from "./index.ts";

const count = 5;

/** A harness whose processes are systems on sockets; they begin when they are first used. */
export function onSockets(router: RouterClass, other: RouterClass = router): RouterHarness {
  const settings = [
    heartbeat.of(200),
    stabilisePeriod.of(300),
    joinTimeout.of(300),
    attemptTimeout.of(600),
    hopTimeout.of(150),
  ];
  const worlds: RealWorld[] = [];
  const systems: (System<RoutedPeer> | null)[] = [];
  const waiting: [number, (user: RoutedPeer) => void][] = [];
  let begun: Promise<void> | null = null;
  let swaps = 0;
  let closed = false;

  async function begin(): Promise<void> {
    for (let index = 0; index < count; index++) {
      const listen = await bindAddress();
      // Spread over the ring, in rising order.
      const peerId = (index + 1) * 2 ** 47;
      worlds.push(real({ listen, peerId, settings, log: () => undefined }));
    }
    const started = await Promise.all(worlds.map((world) => run(routedPeer(router), {}, world)));
    systems.push(...started);
    if (closed) await Promise.all(started.map((system) => system.stop()));
    for (const [index, action] of waiting.splice(0)) enter(index, action);
  }

  function enter(index: number, action: (user: RoutedPeer) => void): void {
    const system = systems[index];
    if (system === undefined) waiting.push([index, action]);
    else system?.enter(() => action(system.instance));
  }

  return {
    count,
    patience: 4,
    wait: (condition, within, done) => {
      begun ??= begin();
      const deadline = performance.now() + within;
      const look = (): void => {
        const held = condition();
        if (held || performance.now() > deadline) done(held);
        else setTimeout(look, 10);
      };
      void begun.then(look);
    },
    self: (index) => (worlds[index] as RealWorld).peer,
    enter,
    crash: (index) => {
      const system = systems[index];
      systems[index] = null;
      void system?.stop();
    },
    swap: (index) => {
      const cls = swaps++ % 2 === 0 ? other : router;
      systems[index]?.swapThen("/RoutedPeer-1/Router", { cls }, (result) => {
        if ("cause" in result) throw result.cause;
      });
    },
    close: () => {
      closed = true;
      for (const system of systems) void system?.stop();
    },
  };
}
