/** A process of the scenario: what `kith up` runs, with clients in the place of sockets. */

import { type Child, type Millis, streamKey } from "@kith/core";
import { PeerManager, type PeerManagerInit, restarting, type VirtualPeer } from "@kith/peer";
import { Perform, Performed, Workload } from "@kith/sim/scenario";
import type { GatewayLimits } from "../src/limits.ts";
import { Person } from "./person.ts";
import { SimulatedPort } from "./port.ts";

/** What a process has to know. Plain data. */
export interface ProcessInit extends PeerManagerInit {
  readonly limits: Partial<GatewayLimits>;
}

/**
 * The limits of all ports in a run: how long they try, how much they read ahead and how much they ask for at a time. They wait for the
 * store for less long than clients do, so that it comes up that nobody knows what has become of something.
 */
export function limitsFor(seed: number | string): Partial<GatewayLimits> {
  const { high, low } = streamKey(seed, "limits");
  const withinMs: Millis = high % 2 === 0 ? 1500 : 500;
  const graceMs: Millis = low % 2 === 0 ? 300 : 1500;
  return {
    withinMs,
    graceMs,
    ...(low % 3 === 0 ? { pendingMax: 3 } : {}),
    ...(low % 5 === 0 ? { requestsMax: 2 } : {}),
  };
}

/** A command waits for one that is under way, and is asked for by itself where it cannot be with others. Where few go at a time, all wait. */
function patienceOf({ withinMs = 0, graceMs = 0, ...others }: Partial<GatewayLimits>): Millis {
  return Object.keys(others).length > 0 ? Infinity : 3 * (withinMs + graceMs) + 4000;
}

/** A peer manager with a Redis port beside each peer, and clients at it. */
export class Process extends PeerManager {
  readonly workload = this.requires(Workload);
  readonly #limits: Partial<GatewayLimits>;

  constructor({ limits, ...init }: ProcessInit) {
    super(init);
    this.#limits = limits;
    this.workload.on(Perform, ({ id }) => {
      if (this.peers.size === 0)
        this.workload.trigger(new Performed({ id, type: "fail", error: "no peer yet" }));
    });
  }

  protected override hosted(peerId: number, peer: Child<VirtualPeer>): void {
    const onFault = restarting({}, () => undefined);
    const options = { name: `Redis-${peerId}`, onFault };
    const redis = this.create(SimulatedPort, { limits: this.#limits }, options);
    const person = this.create(
      Person,
      { patience: patienceOf(this.#limits) },
      { name: `Person-${peerId}` },
    );
    this.connect(peer.ports.store, redis.ports.store);
    this.connect(redis.ports.wire, person.ports.wire);
  }
}
