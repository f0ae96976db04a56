/** What the suite of FailureDetector needs of a world, and the component that watches in it. */

import { Component, type ComponentClass } from "@kith/core";
import { formatLife, type PeerRef, samePeer } from "@kith/network";
import type { Harness } from "@kith/testing/compliance";
import type { NodeDetector } from "../detector.ts";
import type { Estimate } from "../estimate.ts";
import {
  Absent,
  Arrived,
  Departed,
  FailureDetector,
  Restore,
  Returned,
  RoundTrip,
  Suspect,
  Unwatch,
  Unwatched,
  Verdict,
  Watch,
} from "../port.ts";
import { Verdicts } from "../verdicts.ts";

/** A class of detectors. */
export type DetectorClass = new () => NodeDetector<Estimate>;

/** How a provider of FailureDetector is put to the test: up to four processes, numbered from 0. */
export interface DetectorHarness extends Harness {
  /** Starts a process whose main component is a `Monitor` of the detector under test. */
  start(index: number): void;
  /** The reference to a process's present life, or to its next one where it is down. */
  self(index: number): PeerRef;
  /** Lets something happen in the turn of a process's monitor, now or soon. */
  enter(index: number, action: (monitor: Monitor) => void): void;
  /** Ends a process without a word. */
  readonly crash?: (index: number) => void;
  /** Starts one that has crashed, at the same address in its next incarnation. */
  readonly restart?: (index: number) => void;
  /** Lets nothing happen in a process for a while, while messages to it wait. */
  readonly freeze?: (index: number) => void;
  /** Ends that. */
  readonly thaw?: (index: number) => void;
  /** Cuts two processes off from each other; the second way may stay open. */
  readonly cut?: (from: number, to: number, way: "both" | "one") => void;
  /** Ends all cuts. */
  readonly mend?: () => void;
  /** Replaces the detector of a process: `/Monitor-1/Detector`. */
  readonly swap?: (index: number) => void;
}

/** What a watcher has been told, in order, as `Suspect 3#1 silent`. */
export interface Told {
  readonly watcher: string;
  readonly what: string;
  readonly peer: PeerRef;
}

/** Watches whom it is told to, and notes what comes. */
export abstract class Monitor extends Component {
  readonly detector = this.requires(FailureDetector);
  readonly told: Told[] = [];
  readonly verdicts = new Map<string, Verdicts>();

  constructor() {
    super();
    this.detector.on(Verdict, (verdict) => {
      this.of(verdict.watcher).hear(verdict);
      if (verdict instanceof RoundTrip) return;
      const { watcher, peer } = verdict;
      this.told.push({ watcher, what: nameOf(verdict), peer });
    });
  }

  /** The verdicts of one watcher. */
  of(watcher: string): Verdicts {
    let verdicts = this.verdicts.get(watcher);
    if (verdicts === undefined) this.verdicts.set(watcher, (verdicts = new Verdicts()));
    return verdicts;
  }

  /** What was told about a peer, in order. */
  about(about: PeerRef, watcher = "w"): string[] {
    return this.told
      .filter((one) => one.watcher === watcher)
      .filter(({ peer }) => samePeer(peer, about))
      .map(({ what }) => what);
  }

  watch(peer: PeerRef, watcher = "w"): void {
    this.of(watcher).watch(peer);
    this.detector.trigger(new Watch({ watcher, peer }));
  }

  unwatch(peer: PeerRef, watcher = "w"): void {
    this.detector.trigger(new Unwatch({ watcher, peer }));
  }

  arrived(peer: PeerRef): void {
    this.detector.trigger(new Arrived({ peer }));
  }

  departed(peer: PeerRef): void {
    this.detector.trigger(new Departed({ peer }));
  }

  /** The first complaint of any watcher. */
  get complaint(): string | null {
    for (const { complaint } of this.verdicts.values()) if (complaint !== null) return complaint;
    return null;
  }
}

/** The main component of a process under test: a monitor above a detector of this class. */
export function monitorOf(detector: ComponentClass & DetectorClass): new () => Monitor {
  return {
    Monitor: class extends Monitor {
      readonly child = this.create(detector, {}, { name: "Detector" });

      constructor() {
        super();
        this.connect(this.child.ports.detector, this.detector);
      }
    },
  }.Monitor;
}

function nameOf(verdict: Verdict): string {
  if (verdict instanceof Suspect) return `Suspect ${verdict.reason}`;
  if (verdict instanceof Returned) return `Returned ${formatLife(verdict.successor)}`;
  if (verdict instanceof Restore) return "Restore";
  if (verdict instanceof Absent) return "Absent";
  return verdict instanceof Unwatched ? "Unwatched" : "?";
}
