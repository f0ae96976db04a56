/** The settings of the detectors, each with what raising it costs. */

import { setting } from "@kith/core";

/**
 * How long a process may be silent until it is pinged, in milliseconds, and up to 20 % more. Raise it: fewer
 * messages, later verdicts.
 */
export const heartbeat = setting.duration("fd.heartbeat", 1000, { min: 10 });

/**
 * How many pings in a row have to stay unanswered before the adaptive detector suspects. Raise it: fewer
 * mistakes under loss, one heartbeat more per step until a crash is noticed.
 */
export const missesMax = setting.integer("fd.misses", 3, { min: 1, max: 100 });

/** How long a suspicion has to last without a break until `Absent`, in milliseconds. */
export const absentAfter = setting.duration("fd.absentAfter", 30_000, { min: 1 });

/**
 * How late a timer of the detector may be before it is taken for a stall of this process, in milliseconds.
 * Raise it: shorter stalls count as silence of the others. Lower it: a busy process takes longer to suspect.
 */
export const stallMin = setting.duration("fd.stall", 250, { min: 1 });

/**
 * Whether every message of a process counts as a sign of life, not only those of its detector. It costs a
 * turn of the detector for each message that arrives.
 */
export const overhear = setting.boolean("fd.overhear", true);

/** The φ at which `PhiDetector` suspects: 8 in a local network, 12 across the world. */
export const phiThreshold = setting.number("fd.phi.threshold", 8, { min: 1, max: 15 });

/** The silence that `PhiDetector` accepts beyond what is usual, in milliseconds: a collection, a busy peer. */
export const phiPause = setting.duration("fd.phi.pause", 2500);

/**
 * The longest silence that `PhiDetector` bears, whatever the usual gaps, in milliseconds: many heartbeats. Raise it: fewer mistakes where
 * most messages are lost, later verdicts after outages.
 */
export const phiSilenceMax = setting.duration("fd.phi.silence", 10_000, { min: 1 });

/** How often `Swim` probes one member, in milliseconds. Raise it: fewer messages, later verdicts. */
export const swimPeriod = setting.duration("fd.swim.period", 1000, { min: 10 });
