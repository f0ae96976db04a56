/**
 * A peer of a self-organising overlay: it finds others, takes its place in the ring, notices who fails, and
 * finds its way back after a partition. Nothing here but the wiring: each part is a component behind a port,
 * and may be replaced while it runs.
 *
 * Who founds the ring has to be told so; all others ask until somebody names a peer. A founder that comes back
 * joins as the others do, and founds again only after it has waited for long: then its ring of one is merged.
 */

import { Component, SchedulePeriodic, timeout, Timer } from "@kith/core";
import { AdaptiveDetector, Arrived, Departed, FailureDetector, PhiDetector } from "@kith/fd";
import {
  Bootstrap,
  BootstrapClient,
  BootstrapServer,
  Cyclon,
  FindPeers,
  Introduce,
  PeerSampling,
  PeersFound,
  Register,
  TMan,
  Unregister,
} from "@kith/membership";
import { parsePeer, type PeerRef, self } from "@kith/network";
import {
  ChordRing,
  FoundRing,
  JoinRefused,
  JoinRing,
  RelaxedRing,
  Remember,
  Merger,
  Ring,
  RingGossip,
  RingLeft,
  RingMerger,
  type RingStatus,
  RingView,
} from "@kith/ring";
import { Finder } from "./finder.ts";

/** What a peer has to know. */
export interface OverlayInit {
  /** Peers whose bootstrap servers are asked, in any incarnation. */
  readonly servers: readonly PeerRef[];
  /** Whether it founds the ring: at once, or where nobody has taken it in for long. */
  readonly founds: "at once" | "at last" | "never";
  /** Which providers it begins with. */
  readonly ring: "relaxed" | "chord";
  readonly detector: "adaptive" | "phi";
}

class Tend extends timeout("overlay/Tend") {}

/** How often it looks whether it gets on, in milliseconds. */
const tendMillis = 5000;
/** After so many looks without a place it asks for other introducers. */
const patience = 2;
/** After so many looks, or up to twice as many, a founder founds again. */
const despair = 6;

/** All parts of a peer, wired. */
export class Overlay extends Component {
  readonly timer = this.requires(Timer);
  readonly bootstrap = this.requires(Bootstrap);
  readonly sampling = this.requires(PeerSampling);
  readonly watching = this.requires(FailureDetector);
  readonly own = this.requires(Ring);
  readonly merger = this.requires(Merger);
  readonly ring;
  readonly detector;
  readonly finder;
  readonly state = this.declareState<{ status: RingStatus; looks: number; left: boolean }>({
    status: "out",
    looks: 0,
    left: false,
  });
  readonly #self = parsePeer(this.setting(self));
  readonly #founds: OverlayInit["founds"];
  readonly #draw = this.random("overlay");
  readonly #find = this.bootstrap.onAnswer(FindPeers, (answer) => {
    if (answer instanceof PeersFound) this.#introduced(answer.peers);
  });

  constructor({ servers, founds, ring, detector }: OverlayInit) {
    super();
    this.#founds = founds;
    this.create(BootstrapServer, {}, { name: "Server" });
    const client = this.create(BootstrapClient, { servers }, { name: "Client" });
    const detecting =
      detector === "phi"
        ? this.create(PhiDetector, {}, { name: "Detector" })
        : this.create(AdaptiveDetector, {}, { name: "Detector" });
    const node =
      ring === "chord"
        ? this.create(ChordRing, {}, { name: "Ring" })
        : this.create(RelaxedRing, {}, { name: "Ring" });
    const cyclon = this.create(Cyclon, {}, { name: "Cyclon" });
    const tman = this.create(TMan, {}, { name: "TMan" });
    const gossip = this.create(RingGossip, {}, { name: "Gossip" });
    const merging = this.create(RingMerger, {}, { name: "Merger" });
    const finder = this.create(Finder, {}, { name: "Finder" });
    this.ring = this.exposes(node.ports.ring);
    this.detector = this.exposes(detecting.ports.detector);
    this.finder = this.exposes(finder.ports.finder);
    this.connect(client.ports.bootstrap, this.bootstrap);
    this.connect(detecting.ports.detector, this.watching);
    this.connect(detecting.ports.detector, node.ports.detector);
    this.connect(node.ports.ring, this.own);
    this.connect(node.ports.ring, merging.ports.ring);
    this.connect(node.ports.ring, gossip.ports.ring);
    this.connect(node.ports.ring, finder.ports.ring);
    this.connect(cyclon.ports.sampling, this.sampling);
    this.connect(cyclon.ports.sampling, merging.ports.sampling);
    this.connect(cyclon.ports.sampling, tman.ports.sampling);
    this.connect(tman.ports.nearness, gossip.ports.nearness);
    this.connect(merging.ports.merger, this.merger);

    this.own.on(RingView, ({ status }) => this.#viewed(status));
    this.own.on(RingLeft, () => {
      this.state.left = true;
      // Its process lives on: nobody would notice.
      this.watching.trigger(new Departed({ peer: this.#self }));
      this.bootstrap.trigger(new Unregister({ peer: this.#self }));
    });
    // The identifier may be that of an earlier life, which the others will forget.
    this.own.on(JoinRefused, () => {
      this.state.status = "out";
    });
    this.timer.on(Tend, () => this.#tend());
    this.onStart(() => {
      this.timer.trigger(new SchedulePeriodic({ period: tendMillis, timeout: new Tend() }));
      this.watching.trigger(new Arrived({ peer: this.#self }));
      if (founds === "at once") this.own.trigger(new FoundRing());
      else this.#find(new FindPeers());
    });
  }

  #introduced(peers: readonly PeerRef[]): void {
    this.sampling.trigger(new Introduce({ peers }));
    this.merger.trigger(new Remember({ peers: peers.slice(0, 3) }));
    if (this.state.status !== "in") this.own.trigger(new JoinRing({ introducers: peers }));
  }

  #viewed(status: RingStatus): void {
    const before = this.state.status;
    this.state.status = status;
    if (status !== "in") return;
    this.state.looks = 0;
    if (before !== "in") this.bootstrap.trigger(new Register({ peer: this.#self }));
  }

  #tend(): void {
    const { state } = this;
    if (state.left || state.status === "in") return;
    state.looks++;
    if (this.#founds !== "never" && state.looks >= despair + this.#draw.below(despair)) {
      this.own.trigger(new FoundRing());
      // It may well be that nobody could be reached: the others are asked again, and the rings merged.
      this.#find(new FindPeers());
    } else if (state.looks % patience === 0) this.#find(new FindPeers());
  }
}
