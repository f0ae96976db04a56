/**
 * One peer, with everything that it has of its own: the overlay, its part of the store, and a monitor. What all peers of the
 * process share (Timer, Network, Storage, the failure detector, Bootstrap) is offered above it.
 *
 * The store comes later than the peer: groups are placed on a ring, so there has to be one. The port `store` is there from the
 * beginning, and keeps what is asked until then.
 *
 * Invariants: what it sees of the Network is addressed to this peer, what it has in the Storage is in namespaces of its own; a part
 * of it that fails begins anew, and takes the peer down when that is of no use.
 */

import { AskTimeout, ChildStarted, Component, type Fault } from "@kith/core";
import { Network, parsePeer, peerKey, self } from "@kith/network";
import { Consensus } from "@kith/paxos";
import { Store } from "@kith/store";
import type { EntryInit } from "./entry.ts";
import { AskHosting, type Hosting, Hostings, Retire, Retired, Retirement } from "./hosting.ts";
import { HandOver, Leading } from "./leadership.ts";
import { Overlay } from "./overlay.ts";
import { PastLife, pastLives } from "./past-life.ts";
import { Losses } from "./peer-network.ts";
import { Notes, PeerMonitor, PeerNote } from "./peer-monitor.ts";
import { GuestStore, MemberStore, type StoreSettings } from "./peer-store.ts";
import { Front, OpenFront, StoreFront } from "./store-front.ts";
import { faultText, restarting, type RestartRule } from "./supervisor.ts";

/** The init of a peer; who it is stands in the setting `self`. Plain data. */
export interface VirtualPeerInit extends EntryInit {
  readonly store?: StoreSettings;
  readonly restarts?: RestartRule;
}

/** Stands where the store will be. */
class Vacancy extends Component {
  readonly store = this.provides(Store);
  readonly consensus = this.provides(Consensus);
  readonly leading = this.provides(Leading);
}

const storeName = "Store";

/** A virtual peer. */
export class VirtualPeer extends Component {
  readonly hostings = this.requires(Hostings);
  readonly retirement = this.requires(Retirement);
  readonly overlay;
  readonly front;
  readonly monitor;
  readonly ring;
  readonly router;
  readonly sampling;
  readonly nearness;
  readonly merger;
  /** The store. Requests wait until it is founded, up to their time. */
  readonly store;
  protected readonly opening = this.requires(Front);
  protected readonly notes = this.requires(Notes);
  protected readonly leading = this.requires(Leading);
  readonly #vacancy = this.create(Vacancy, {}, { name: "Vacancy" });
  readonly #vacant;
  readonly #peerId: number;
  readonly #settings: StoreSettings;
  readonly #told = (fault: Fault): void => {
    this.log.error("a part of this peer has failed", { fault: faultText(fault) });
    this.#restarts++;
  };
  readonly #policy;
  #restarts = 0;
  /** Whether it has replicas, which may lead. */
  #leads = false;
  readonly #handOver = this.leading.onAnswer(HandOver, () => this.#retired());
  readonly #ask = this.hostings.onAnswer(AskHosting, (answer) => {
    if (!(answer instanceof AskTimeout)) this.#host(answer);
  });

  constructor({ store = {}, restarts = {}, ...entry }: VirtualPeerInit) {
    super();
    this.#settings = store;
    const peer = parsePeer(this.setting(self));
    this.#peerId = peer.peerId;
    this.#policy = restarting(restarts, this.#told);
    this.narrows(Network, peerKey(peer));
    this.narrows(Losses, this.#peerId);
    for (const past of pastLives(peer))
      this.create(PastLife, { peer: past }, { name: `Past-${past.rebirth ?? 0}` });
    this.onFault(this.#policy);
    this.overlay = this.create(Overlay, entry, { name: "Overlay" });
    this.front = this.create(StoreFront, {}, { name: "Front" });
    this.monitor = this.create(PeerMonitor, {}, { name: "Monitor" });
    this.connect(this.front.ports.front, this.opening);
    this.connect(this.front.ports.front, this.monitor.ports.front);
    this.connect(this.monitor.ports.notes, this.notes);
    this.connect(this.overlay.ports.ring, this.monitor.ports.ring);
    this.#vacant = [
      this.connect(this.#vacancy.ports.store, this.front.ports.inner),
      this.connect(this.#vacancy.ports.consensus, this.monitor.ports.consensus),
      this.connect(this.#vacancy.ports.leading, this.leading),
    ] as const;
    // What stands on the overlay in this peer, the store among it, finds it above.
    this.offers(this.overlay.ports.ring);
    this.offers(this.overlay.ports.router);
    this.offers(this.overlay.ports.sampling);
    this.ring = this.exposes(this.overlay.ports.ring);
    this.router = this.exposes(this.overlay.ports.router);
    this.sampling = this.exposes(this.overlay.ports.sampling);
    this.nearness = this.exposes(this.overlay.ports.nearness);
    this.merger = this.exposes(this.overlay.ports.merger);
    this.store = this.exposes(this.front.ports.store);
    this.control.on(ChildStarted, ({ name }) => {
      // It may be there again, after a fault: what it was asked before is lost.
      if (name === storeName) this.opening.trigger(new OpenFront());
      for (; this.#restarts > 0; this.#restarts--)
        this.notes.trigger(new PeerNote({ restarted: true }));
    });
    this.retirement.on(Retire, ({ peerId, within }) => {
      if (peerId !== this.#peerId) return;
      if (this.#leads) this.#handOver(new HandOver({ within }), { timeout: 2 * within });
      else this.#retired();
    });
    this.onStart(() => this.#ask(new AskHosting({ peerId: this.#peerId })));
  }

  #retired(): void {
    this.retirement.trigger(new Retired({ peerId: this.#peerId }));
  }

  #host({ genesis, as }: Hosting): void {
    const settings = this.#settings;
    const options = { name: storeName };
    const [store, consensus, leading] = this.#vacant;
    store.disconnect();
    if (as === "guest") {
      const guest = this.create(GuestStore, { genesis, settings }, options);
      this.connect(guest.ports.store, this.front.ports.inner);
      return;
    }
    const founds = as === "founder";
    consensus.disconnect();
    leading.disconnect();
    const member = this.create(MemberStore, { genesis, founds, settings }, options);
    this.connect(member.ports.store, this.front.ports.inner);
    this.connect(member.ports.consensus, this.monitor.ports.consensus);
    this.connect(member.ports.leading, this.leading);
    this.#leads = true;
    const own = genesis.groups.filter(({ members }) =>
      members.some(({ peerId }) => peerId === this.#peerId),
    );
    this.notes.trigger(new PeerNote({ gids: own.map(({ descriptor }) => descriptor.gid) }));
    this.kill(this.#vacancy);
  }
}
