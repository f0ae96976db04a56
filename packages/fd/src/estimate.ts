/**
 * How long the silence of one process is borne: the part in which the detectors differ. All functions are
 * pure; an estimate is plain data that travels with the detector's state, also to a detector of the other
 * kind, which begins anew from the round trips known so far.
 *
 * Only additions, multiplications, divisions and square roots are used, whose results every engine
 * agrees on: a simulated run is the same everywhere.
 */

import type { Millis } from "@kith/core";

/** Round trips, smoothed as TCP does (Jacobson 1988, RFC 6298). */
export interface RoundTrips {
  /** The smoothed round trip in milliseconds; null before the first. */
  readonly mean: Millis | null;
  /** Its smoothed deviation. */
  readonly deviation: Millis;
}

/** What the adaptive detector knows of a process. */
export interface AdaptiveEstimate extends RoundTrips {
  readonly kind: "adaptive";
  /** What is waited beyond the round trip: grows with each suspicion that was wrong, and never shrinks. */
  readonly extra: Millis;
}

/** What the φ-accrual detector knows of a process. */
export interface PhiEstimate extends RoundTrips {
  readonly kind: "phi";
  /** The last gaps between signs of life, in milliseconds, oldest first. */
  readonly gaps: readonly Millis[];
  /** What is borne beyond the longest silence: grows with each suspicion that was wrong, and never shrinks. */
  readonly extra: Millis;
}

/** What a detector of either kind knows. */
export type Estimate = AdaptiveEstimate | PhiEstimate;

/** How a detector judges silence. */
export interface Judge<E extends Estimate> {
  /** The estimate for a process of which nothing is known yet, or what a detector of the other kind knew. */
  adopt(known: Estimate | null): E;
  /** A pong has come, so long after its ping. */
  sampled(estimate: E, roundTrip: Millis): E;
  /** A sign of life has come, so long after the one before. Comes at most once for each ping. */
  heard(estimate: E, gap: Millis): E;
  /** A suspicion was wrong. */
  mistaken(estimate: E): E;
  /** How long to wait for the pong of a ping that is sent after so long a silence. */
  patience(estimate: E, silence: Millis): Millis;
  /** Whether so many pings without a pong in a row, and so long a silence, are enough to suspect. */
  suspects(estimate: E, misses: number, silence: Millis): boolean;
}

/** The first wait, as RFC 6298 has it: before a round trip is known. */
const patienceUnknown = 1000;
const patienceMin = 200;
const patienceMax = 10_000;
const extraMax = 30_000;

function smoothed({ mean, deviation }: RoundTrips, roundTrip: Millis): RoundTrips {
  if (mean === null) return { mean: roundTrip, deviation: roundTrip / 2 };
  return {
    mean: (7 * mean + roundTrip) / 8,
    deviation: (3 * deviation + Math.abs(mean - roundTrip)) / 4,
  };
}

/** How long a pong may take, by the round trips alone: their mean and four deviations, within bounds. */
export function timeoutOf({ mean, deviation }: RoundTrips): Millis {
  if (mean === null) return patienceUnknown;
  return Math.min(patienceMax, Math.max(patienceMin, mean + 4 * deviation));
}

/** The extra after one more suspicion that was wrong. */
function grown(estimate: Estimate): Millis {
  return Math.min(extraMax, estimate.extra + timeoutOf(estimate) / 2);
}

/**
 * The adaptive judge (§1.1): so many pings in a row stay unanswered, each for the usual round trip and an
 * extra that grows whenever that was wrong. So every process gets a bound of its own, and a slow link is
 * suspected finitely often, until the extra reaches its cap of 30 s. The cap is the price for noticing a
 * crash in bounded time at all.
 */
export function adaptive(missesMax: number): Judge<AdaptiveEstimate> {
  return {
    adopt: (known) =>
      known?.kind === "adaptive"
        ? known
        : {
            kind: "adaptive",
            mean: known?.mean ?? null,
            deviation: known?.deviation ?? 0,
            extra: known?.extra ?? 0,
          },
    sampled: (estimate, roundTrip) => ({ ...estimate, ...smoothed(estimate, roundTrip) }),
    heard: (estimate) => estimate,
    mistaken: (estimate) => ({ ...estimate, extra: grown(estimate) }),
    patience: (estimate) => timeoutOf(estimate) + estimate.extra,
    suspects: (_, misses) => misses >= missesMax,
  };
}

/** How many gaps are kept. */
const gapsMax = 200;
const deviationMin = 100;

/** What the φ judge is set to. */
export interface PhiOptions {
  readonly threshold: number;
  readonly pause: Millis;
  /** The gap that is expected before any was seen. */
  readonly heartbeat: Millis;
  /** The longest silence that is borne, whatever the gaps were, until that was wrong. */
  readonly silenceMax: Millis;
}

/**
 * The φ-accrual judge (§1.2; Hayashibara, Défago, Yared, Katayama 2004): gaps between signs of life are
 * taken for normally distributed, and φ is the negative decimal logarithm of the probability that a gap as
 * long as the present one still ends. The window begins with two gaps of a heartbeat, or the first
 * silence would never count.
 *
 * A gap in which the process was suspected counts only as long as the silence that was borne. A partition says
 * nothing of the usual gaps, and one of half a minute among 60 gaps of a second would let the next crash go
 * unnoticed for more than a minute. Of a process whose gaps are always too long the bound still grows with each. It is
 * capped, for a few gaps of half a dozen seconds in a young window would have it bear more than 20 s; the cap grows as the extra of the
 * adaptive judge does, so that a process whose gaps are longer is suspected finitely often, too.
 */
export function phiAccrual(options: PhiOptions): Judge<PhiEstimate> {
  const { heartbeat, pause } = options;
  const deviations = quantile(options.threshold);
  const silenceMax = ({ gaps, extra }: PhiEstimate): Millis => {
    const { mean, deviation } = distribution(gaps);
    return Math.min(options.silenceMax + extra, mean + pause + deviations * deviation);
  };
  const seeded = [heartbeat * 0.75, heartbeat * 1.25];
  return {
    adopt: (known) =>
      known?.kind === "phi"
        ? known
        : {
            kind: "phi",
            mean: known?.mean ?? null,
            deviation: known?.deviation ?? 0,
            gaps: seeded,
            extra: known?.extra ?? 0,
          },
    sampled: (estimate, roundTrip) => ({ ...estimate, ...smoothed(estimate, roundTrip) }),
    heard: (estimate, gap) => ({
      ...estimate,
      gaps: [...estimate.gaps.slice(1 - gapsMax), Math.min(gap, silenceMax(estimate))],
    }),
    // The gap that was too long has become part of the window besides.
    mistaken: (estimate) => ({ ...estimate, extra: grown(estimate) }),
    patience: (estimate, silence) => Math.max(patienceMin, silenceMax(estimate) - silence),
    suspects: (estimate, _, silence) => silence >= silenceMax(estimate),
  };
}

/**
 * φ of a process: a score, for choosing whom to read from rather than whom to give up.
 *
 * @param silence for how long nothing has been heard, in milliseconds
 */
export function phi(estimate: PhiEstimate, silence: Millis, pause: Millis): number {
  const { mean, deviation } = distribution(estimate.gaps);
  const wanted = (silence - mean - pause) / deviation;
  let low = 0;
  let high = 40;
  if (wanted <= quantile(low)) return 0;
  // φ is what `quantile` is asked for; a bisection needs no logarithm.
  for (let step = 0; step < 40; step++) {
    const middle = (low + high) / 2;
    if (quantile(middle) < wanted) low = middle;
    else high = middle;
  }
  return low;
}

function distribution(gaps: readonly Millis[]): { mean: Millis; deviation: Millis } {
  let sum = 0;
  for (const gap of gaps) sum += gap;
  const mean = sum / gaps.length;
  let squares = 0;
  for (const gap of gaps) squares += (gap - mean) * (gap - mean);
  return { mean, deviation: Math.max(deviationMin, Math.sqrt(squares / gaps.length)) };
}

/**
 * How many standard deviations above the mean a value lies that is exceeded with probability 10^-phi.
 * The rational approximation of the tail by Acklam (2003), to nine digits for phi ≥ 1.62; below that the
 * central one is not needed, for nobody suspects there: it is continued by a line to 0 at φ = 0.3.
 */
export function quantile(phiWanted: number): number {
  const tailFrom = 1.62;
  if (phiWanted < tailFrom)
    return Math.max(0, ((phiWanted - 0.301) / (tailFrom - 0.301)) * quantile(tailFrom));
  const q = Math.sqrt(2 * phiWanted * Math.LN10);
  const numerator =
    ((((-0.007784894002430293 * q - 0.3223964580411365) * q - 2.400758277161838) * q -
      2.549732539343734) *
      q +
      4.374664141464968) *
      q +
    2.938163982698783;
  const denominator =
    (((0.007784695709041462 * q + 0.3224671290700398) * q + 2.445134137142996) * q +
      3.754408661907416) *
      q +
    1;
  return -numerator / denominator;
}
