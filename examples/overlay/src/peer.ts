/**
 * One node of the overlay's scenarios: a peer, what is asked of it, and what it says of itself. It also
 * watches two other peers, so that the failure detector is judged by what it tells (FD1 to FD4).
 */

import {
  AskTimeout,
  type Child,
  Component,
  event,
  SchedulePeriodic,
  timeout,
  Timer,
} from "@kith/core";
import {
  Absent,
  AdaptiveDetector,
  FailureDetector,
  PhiDetector,
  Restore,
  Returned,
  Suspect,
  Unwatched,
  Verdict,
  Verdicts,
  Watch,
} from "@kith/fd";
import { BootstrapClient, BootstrapServer, ringSize } from "@kith/membership";
import type { PeerRef } from "@kith/network";
import { Overlay } from "@kith/peer";
import { FoundRing, LeaveRing, Ring, RingLeft, RingView } from "@kith/ring";
import { Lookup, Router } from "@kith/router";
import { Fact, Perform, Performed, Workload } from "@kith/sim/scenario";

/** The neighbours as a peer sees them; the identifiers and lives alone. */
export class Viewed extends event("overlay/Viewed", Fact)<{
  readonly status: string;
  readonly predecessor: string | null;
  readonly successors: readonly string[];
}> {}

/** It has left the ring, in this life. */
export class Left extends event("overlay/Left", Fact) {}

/** A lookup has begun. */
export class Asked extends event("overlay/Asked", Fact)<{
  readonly id: number;
  readonly key: number;
}> {}

/** A lookup has ended: with an owner, or without. */
export class Answered extends event("overlay/Answered", Fact)<{
  readonly id: number;
  readonly owner: string | null;
}> {}

/** What the failure detector believes of a peer now. */
export class Believed extends event("overlay/Believed", Fact)<{
  readonly peer: string;
  readonly alive: boolean;
}> {}

/** The failure detector gives up a peer for good: the slow verdict. */
export class Declared extends event("overlay/Declared", Fact)<{ readonly peer: string }> {}

/** The failure detector has told what must not be told. */
export class Contradicted extends event("overlay/Contradicted", Fact)<{ readonly what: string }> {}

/** What a node has to know. */
export interface PeerInit {
  /** Peers whose bootstrap servers are asked. */
  readonly servers: readonly PeerRef[];
  /** Whether it founds the ring: at once, or where nobody has taken it in for long, as an operator would have it. */
  readonly founds: "at once" | "at last" | "never";
  readonly detector: "adaptive" | "phi";
  readonly watched: readonly PeerRef[];
  /** How many points the ring has. */
  readonly size: number;
}

/** A reference for people and invariants: `17#2` is the second life of 17. */
export function nameOf({ peerId, incarnation }: Pick<PeerRef, "peerId" | "incarnation">): string {
  return `${peerId}#${incarnation}`;
}

const watcher = "judge";

class Look extends timeout("overlay/Look") {}

/** How often it is looked whether a founder has a place, in milliseconds. */
const lookMillis = 1000;
/** After so many looks, or up to twice as many, it founds a ring again: others may do so too, and all are merged. */
const despair = 5;

/** A peer and its users. */
export class Peer extends Component {
  readonly workload = this.requires(Workload);
  readonly timer = this.requires(Timer);
  readonly ring = this.requires(Ring);
  readonly router = this.requires(Router);
  readonly detector = this.requires(FailureDetector);
  readonly #overlay: Child<Overlay>;
  readonly #verdicts = new Verdicts();
  readonly #patience = despair + this.random("despair").below(despair);
  readonly #lookup = this.router.onAnswer(Lookup, (answer, _lookup, { id }: { id: number }) => {
    const owner = answer instanceof AskTimeout || answer.peer === null ? null : answer.peer;
    const name = owner === null ? null : nameOf(owner);
    this.workload.trigger(new Answered({ id, owner: name }));
    this.workload.trigger(
      new Performed({ id, type: name === null ? "fail" : "ok", value: name ?? undefined }),
    );
  });
  #leaving: number | null = null;
  #status = "out";
  #looks = 0;

  constructor({ servers, founds, detector, watched, size }: PeerInit) {
    super();
    const settings = [ringSize.of(size)];
    const detecting =
      detector === "phi"
        ? this.create(PhiDetector, {}, { name: "Detector" })
        : this.create(AdaptiveDetector, {}, { name: "Detector" });
    const client = this.create(BootstrapClient, { servers }, { name: "Bootstrap" });
    this.create(BootstrapServer, {}, { name: "BootstrapServer" });
    this.offers(detecting.ports.detector);
    this.offers(client.ports.bootstrap);
    const entry = { founds: founds === "at once", known: [] };
    this.#overlay = this.create(Overlay, entry, { name: "Overlay", settings });
    this.connect(this.#overlay.ports.ring, this.ring);
    this.connect(this.#overlay.ports.router, this.router);
    this.connect(detecting.ports.detector, this.detector);
    this.workload.on(Perform, (perform) => this.#perform(perform));
    this.ring.on(RingView, ({ status, predecessor, successors }) => {
      this.#status = status;
      const before = predecessor === null ? null : nameOf(predecessor);
      this.workload.trigger(
        new Viewed({ status, predecessor: before, successors: successors.map(nameOf) }),
      );
    });
    this.ring.on(RingLeft, () => this.#left());
    this.detector.on(Verdict, (verdict) => {
      if (verdict.watcher === watcher) this.#judge(verdict);
    });
    this.timer.on(Look, () => {
      this.#looks = this.#status === "in" ? 0 : this.#looks + 1;
      if (this.#looks === this.#patience) this.ring.trigger(new FoundRing());
    });
    this.onStart(() => {
      for (const peer of watched) this.#watch(peer);
      if (founds !== "never")
        this.timer.trigger(new SchedulePeriodic({ period: lookMillis, timeout: new Look() }));
    });
  }

  /** It has said farewell, and is no more; its process lives on. */
  #left(): void {
    if (this.#leaving !== null)
      this.workload.trigger(new Performed({ id: this.#leaving, type: "ok" }));
    this.#leaving = null;
    this.kill(this.#overlay);
  }

  #perform({ id, op, key }: Perform): void {
    if (this.#status !== "in") {
      this.workload.trigger(new Performed({ id, type: "fail", error: "of no ring" }));
    } else if (op === "leave") {
      this.#leaving = id;
      this.workload.trigger(new Left());
      this.ring.trigger(new LeaveRing());
    } else {
      this.workload.trigger(new Asked({ id, key: Number(key) }));
      this.#lookup(new Lookup({ key: Number(key) }), { context: { id } });
    }
  }

  #watch(peer: PeerRef): void {
    this.#verdicts.watch(peer);
    // Until told otherwise.
    this.workload.trigger(new Believed({ peer: nameOf(peer), alive: true }));
    this.detector.trigger(new Watch({ watcher, peer }));
  }

  #judge(verdict: Verdict): void {
    this.#verdicts.hear(verdict);
    const { complaint } = this.#verdicts;
    if (complaint !== null) this.workload.trigger(new Contradicted({ what: complaint }));
    const { peer } = verdict;
    if (verdict instanceof Absent) this.workload.trigger(new Declared({ peer: nameOf(peer) }));
    if (verdict instanceof Returned) this.#watch(verdict.successor);
    if (verdict instanceof Suspect || verdict instanceof Restore || verdict instanceof Unwatched) {
      const alive = verdict instanceof Restore;
      this.workload.trigger(new Believed({ peer: nameOf(peer), alive }));
    }
  }
}
