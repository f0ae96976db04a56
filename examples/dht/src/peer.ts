/**
 * A peer of the hash table: the whole stack, wired. Each part is a component behind a port; any of them can be replaced
 * while it runs.
 */

import { Component } from "@kith/core";
import { AdaptiveDetector } from "@kith/fd";
import { Cyclon, Introduce, PeerSampling, Sample } from "@kith/membership";
import type { PeerRef } from "@kith/network";
import { FoundRing, JoinRing, RelaxedRing, Ring, RingMerger } from "@kith/ring";
import { FlexibleRouter, Learn, Router } from "@kith/router";
import { Dht } from "./dht.ts";

/** One peer; it founds the ring where it is introduced to nobody. */
export class Peer extends Component {
  readonly detector = this.create(AdaptiveDetector, {}, { name: "Detector" });
  readonly cyclon = this.create(Cyclon, {}, { name: "Cyclon" });
  readonly relaxed = this.create(RelaxedRing, {}, { name: "Ring" });
  readonly merger = this.create(RingMerger, {}, { name: "Merger" });
  readonly flexible = this.create(FlexibleRouter, {}, { name: "Router" });
  readonly dht = this.create(Dht, {}, { name: "Dht" });

  readonly ring = this.requires(Ring);
  readonly sampling = this.requires(PeerSampling);
  readonly router = this.requires(Router);
  readonly table = this.exposes(this.dht.ports.table);

  constructor({ introducers }: { readonly introducers: readonly PeerRef[] }) {
    super();
    this.connect(this.detector.ports.detector, this.relaxed.ports.detector);
    this.connect(this.relaxed.ports.ring, this.ring);
    this.connect(this.relaxed.ports.ring, this.merger.ports.ring);
    this.connect(this.relaxed.ports.ring, this.flexible.ports.ring);
    this.connect(this.relaxed.ports.ring, this.dht.ports.ring);
    this.connect(this.cyclon.ports.sampling, this.merger.ports.sampling);
    this.connect(this.cyclon.ports.sampling, this.sampling);
    this.connect(this.flexible.ports.router, this.router);
    this.connect(this.flexible.ports.router, this.dht.ports.router);
    this.sampling.on(Sample, ({ peers }) => this.router.trigger(new Learn({ peers })));
    this.onStart(() => {
      this.ring.trigger(introducers.length === 0 ? new FoundRing() : new JoinRing({ introducers }));
      this.sampling.trigger(new Introduce({ peers: introducers }));
    });
  }
}
