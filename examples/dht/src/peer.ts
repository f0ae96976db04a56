/**
 * A peer of the hash table: the overlay's stack, and the table on it. Each part is a component behind a port; any of
 * them can be replaced while it runs.
 */

import { Component } from "@kith/core";
import { AdaptiveDetector } from "@kith/fd";
import { BootstrapClient, BootstrapServer } from "@kith/membership";
import type { PeerRef } from "@kith/network";
import { Overlay } from "@kith/peer";
import { Dht } from "./dht.ts";

/** One peer; it founds the ring where it is introduced to nobody. Every peer introduces others. */
export class Peer extends Component {
  readonly dht = this.create(Dht, {}, { name: "Dht" });
  readonly table = this.exposes(this.dht.ports.table);

  constructor({ introducers }: { readonly introducers: readonly PeerRef[] }) {
    super();
    const detector = this.create(AdaptiveDetector, {}, { name: "Detector" });
    const bootstrap = this.create(BootstrapClient, { servers: introducers }, { name: "Bootstrap" });
    this.create(BootstrapServer, {}, { name: "BootstrapServer" });
    // Whoever is created below and requires one of these ports is connected to it.
    this.offers(detector.ports.detector);
    this.offers(bootstrap.ports.bootstrap);
    const entry = { founds: introducers.length === 0, known: introducers };
    const overlay = this.create(Overlay, entry, { name: "Overlay" });
    this.connect(overlay.ports.ring, this.dht.ports.ring);
    this.connect(overlay.ports.router, this.dht.ports.router);
  }
}
