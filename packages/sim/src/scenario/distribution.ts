/**
 * Distributions: how long processes wait, how many of them there are, which key they choose.
 *
 * They are drawn by table look-up. The tables are computed with the four basic operations alone, whose
 * results every engine agrees upon to the last bit; `Math.log` and its like differ between engines, and
 * a run would not be the same everywhere.
 */

import type { Draw } from "@kith/core";
import { simError } from "../errors.ts";

/** Something that is drawn: a number of whatever unit its user says. */
export interface Distribution {
  /** For people, such as `exponential(100)`. */
  readonly text: string;
  /** Draws once. */
  readonly draw: (draw: Draw) => number;
}

/** Always the same value. */
export function constant(value: number): Distribution {
  return { text: `constant(${value})`, draw: () => value };
}

/** Any number from `min` to `max`, each as likely; both are possible. Whole where both ends are. */
export function uniform(min: number, max: number): Distribution {
  if (!(max >= min)) throw bad(`uniform(${min}, ${max})`);
  const whole = Number.isSafeInteger(min) && Number.isSafeInteger(max);
  return {
    text: `uniform(${min}, ${max})`,
    draw: (draw) => (whole ? draw.between(min, max) : min + draw.float() * (max - min)),
  };
}

/** The time between events that come at any instant alike, `mean` apart; at most 8 times the mean. */
export function exponential(mean: number): Distribution {
  if (!(mean >= 0)) throw bad(`exponential(${mean})`);
  return { text: `exponential(${mean})`, draw: (draw) => mean * quantile(draw, exponentials) };
}

/** The bell curve, cut at three deviations and at 0. */
export function normal(mean: number, deviation: number): Distribution {
  if (!(deviation >= 0)) throw bad(`normal(${mean}, ${deviation})`);
  return {
    text: `normal(${mean}, ${deviation})`,
    // The sum of twelve uniform draws has deviation 1, and all but that shape beyond three of them.
    draw: (draw) => {
      let sum = -6;
      for (let i = 0; i < 12; i++) sum += draw.float();
      return Math.max(0, mean + deviation * Math.max(-3, Math.min(3, sum)));
    },
  };
}

/** Zipf's law: a number from 0 to `count - 1`, the `i`-th as likely as 1 / (i + 1) ** exponent. */
export function zipf(count: number, exponent = 1): Distribution {
  if (!(Number.isSafeInteger(count) && count > 0 && count <= 1_000_000 && exponent >= 0))
    throw bad(`zipf(${count}, ${exponent})`);
  let sum = 0;
  const sums = Array.from({ length: count }, (_, i) => (sum += 1 / power(i + 1, exponent)));
  return {
    text: `zipf(${count}, ${exponent})`,
    draw(draw) {
      const wanted = draw.float() * sum;
      let low = 0;
      let high = count - 1;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if ((sums[middle] ?? 0) > wanted) high = middle;
        else low = middle + 1;
      }
      return low;
    },
  };
}

/** One of several, each as likely as its weight is large. */
export function oneOf<T>(draw: Draw, weighted: readonly (readonly [weight: number, what: T])[]): T {
  const total = weighted.reduce((sum, [weight]) => sum + weight, 0);
  let left = draw.float() * total;
  for (const [weight, what] of weighted) {
    left -= weight;
    if (left < 0) return what;
  }
  const last = weighted.at(-1);
  if (last === undefined) throw bad("oneOf([])");
  return last[1];
}

const steps = 1024;

/** -ln(1 - u) at the middle of each step. */
const exponentials = Array.from({ length: steps }, (_, i) => -logarithm(1 - (i + 0.5) / steps));

function quantile(draw: Draw, table: readonly number[]): number {
  return table[draw.below(table.length)] ?? 0;
}

/** The natural logarithm, by halving and the series of the inverse hyperbolic tangent. */
function logarithm(x: number): number {
  let twos = 0;
  while (x < 0.75) {
    x *= 2;
    twos--;
  }
  while (x > 1.5) {
    x /= 2;
    twos++;
  }
  return twos * 0.693_147_180_559_945_3 + series(x);
}

function series(x: number): number {
  const ratio = (x - 1) / (x + 1);
  const square = ratio * ratio;
  let term = ratio;
  let sum = 0;
  for (let n = 1; n < 60; n += 2) {
    sum += term / n;
    term *= square;
  }
  return 2 * sum;
}

/** x ** y for x >= 1, by the series of the exponential function. */
function power(x: number, y: number): number {
  const whole = Math.floor(y);
  let result = 1;
  for (let i = 0; i < whole; i++) result *= x;
  const exponent = (y - whole) * logarithm(x);
  let term = 1;
  let sum = 1;
  for (let n = 1; n < 60; n++) {
    term *= exponent / n;
    sum += term;
  }
  return result * sum;
}

function bad(what: string): Error {
  return simError("KITH_SIM_ARGUMENT", `There is no distribution ${what}.`);
}
