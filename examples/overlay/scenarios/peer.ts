/**
 * One node of the overlay's scenarios: a peer, what is asked of it, and what it says of itself. It also
 * watches two other peers, so that the failure detector is judged by what it tells (FD1 to FD4).
 */

import { Component, event } from "@kith/core";
import {
  FailureDetector,
  Restore,
  Returned,
  Suspect,
  Unwatched,
  Verdict,
  Verdicts,
  Watch,
} from "@kith/fd";
import { ringSize } from "@kith/membership";
import type { PeerRef } from "@kith/network";
import { LeaveRing, Ring, RingLeft, RingView } from "@kith/ring";
import { Fact, Perform, Performed, Workload } from "@kith/sim/scenario";
import { Find, Found, Overlay, type OverlayInit, Owners } from "../src/index.ts";

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

/** The failure detector has told what must not be told. */
export class Contradicted extends event("overlay/Contradicted", Fact)<{ readonly what: string }> {}

/** What a node has to know. */
export interface PeerInit extends OverlayInit {
  readonly watched: readonly PeerRef[];
  /** How many points the ring has. */
  readonly size: number;
}

/** A reference for people and invariants: `17#2` is the second life of 17. */
export function nameOf({ peerId, incarnation }: Pick<PeerRef, "peerId" | "incarnation">): string {
  return `${peerId}#${incarnation}`;
}

const watcher = "judge";

/** A peer and its users. */
export class Peer extends Component {
  readonly workload = this.requires(Workload);
  readonly ring = this.requires(Ring);
  readonly owners = this.requires(Owners);
  readonly detector = this.requires(FailureDetector);
  readonly #verdicts = new Verdicts();
  #leaving: number | null = null;
  #status = "out";

  constructor({ watched, size, ...init }: PeerInit) {
    super();
    const overlay = this.create(Overlay, init, { name: "Overlay", settings: [ringSize.of(size)] });
    this.connect(overlay.ports.ring, this.ring);
    this.connect(overlay.ports.finder, this.owners);
    this.connect(overlay.ports.detector, this.detector);
    this.workload.on(Perform, (perform) => this.#perform(perform));
    this.owners.on(Found, ({ id, owner }) => {
      const name = owner === null ? null : nameOf(owner);
      this.workload.trigger(new Answered({ id, owner: name }));
      this.workload.trigger(
        new Performed({ id, type: name === null ? "fail" : "ok", value: name ?? undefined }),
      );
    });
    this.ring.on(RingView, ({ status, predecessor, successors }) => {
      this.#status = status;
      const before = predecessor === null ? null : nameOf(predecessor);
      this.workload.trigger(
        new Viewed({ status, predecessor: before, successors: successors.map(nameOf) }),
      );
    });
    this.ring.on(RingLeft, () => {
      if (this.#leaving !== null)
        this.workload.trigger(new Performed({ id: this.#leaving, type: "ok" }));
      this.#leaving = null;
    });
    this.detector.on(Verdict, (verdict) => {
      if (verdict.watcher === watcher) this.#judge(verdict);
    });
    this.onStart(() => {
      for (const peer of watched) this.#watch(peer);
    });
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
      this.owners.trigger(new Find({ id, key: Number(key) }));
    }
  }

  #watch(peer: PeerRef): void {
    this.#verdicts.watch(peer);
    this.detector.trigger(new Watch({ watcher, peer }));
  }

  #judge(verdict: Verdict): void {
    this.#verdicts.hear(verdict);
    const { complaint } = this.#verdicts;
    if (complaint !== null) this.workload.trigger(new Contradicted({ what: complaint }));
    const { peer } = verdict;
    if (verdict instanceof Returned) this.#watch(verdict.successor);
    if (verdict instanceof Suspect || verdict instanceof Restore || verdict instanceof Unwatched) {
      const alive = verdict instanceof Restore;
      this.workload.trigger(new Believed({ peer: nameOf(peer), alive }));
    }
  }
}
