/**
 * How the compliance suite of a port is written: as a list of cases, each a script that works on a
 * harness, in virtual and in real time alike.
 *
 * A script is a generator. It does something, then yields what it waits for; whoever runs it lets the
 * time pass, by moving a virtual clock or by asking again and again with a deadline. So a suite needs
 * neither promises nor a clock, and a case can be run by itself: against a provider that is wrong on
 * purpose, to see it fail.
 */

import { describe, it } from "mocha";

/** What a script waits for. */
export interface Wait {
  /** What it is, for the error: `"the reply arrives"`. */
  readonly what: string;
  /** Whether it has come. */
  readonly until: () => boolean;
  /** How long to wait at most, in milliseconds of the world's time. */
  readonly within: number;
  /** True where the time shall pass in any case, and the condition decides nothing. */
  readonly optional: boolean;
}

/** The steps of a case. */
export type Script = Generator<Wait, void, void>;

/** What every harness can do. A suite's own harness extends it. */
export interface Harness {
  /**
   * Lets the world run until a condition holds, or the time is over; then says whether it holds. Virtual
   * worlds call back at once, see `stepping`; real ones look again every few milliseconds.
   */
  wait(until: () => boolean, within: number, done: (held: boolean) => void): void;
  /**
   * How many times longer a condition may take to hold than a case says: more than 1 in a real world, which
   * may be busy with other things. Default 1.
   */
  readonly patience?: number;
  /** Stops and removes everything that the case has built; the case is over. */
  close?(): void;
}

/** One thing that must hold for every provider. */
export interface Case<H extends Harness> {
  readonly name: string;
  /** Whether this harness can do what the case needs; without it, it can. */
  readonly applies?: (harness: H) => boolean;
  readonly run: (harness: H) => Script;
}

/** Waits for a condition; if it fails to come, the case fails. */
export function until(what: string, condition: () => boolean, within = 5000): Wait {
  return { what, until: condition, within, optional: false };
}

/** Lets so much time pass, in milliseconds of the world's time. */
export function pass(duration: number): Wait {
  return { what: `${duration} ms pass`, until: () => false, within: duration, optional: true };
}

/**
 * The `wait` of a virtual world.
 *
 * @param advance moves the world's time and does all that falls due
 * @param step how far at a time, in milliseconds
 */
export function stepping(advance: (duration: number) => void, step = 1): Harness["wait"] {
  return (condition, within, done) => {
    advance(0);
    for (let left = within; left > 0 && !condition(); left -= step) advance(Math.min(step, left));
    done(condition());
  };
}

/**
 * Runs one case.
 *
 * @param done is called once: with nothing where the case holds, else with what it failed of
 */
export function runCase<H extends Harness>(
  one: Case<H>,
  harness: H,
  done: (failure?: unknown) => void,
): void {
  const script = one.run(harness);
  const end = (...failure: unknown[]): void => {
    try {
      harness.close?.();
    } catch (error) {
      if (failure.length === 0) failure.push(error);
    }
    done(...failure);
  };
  const go = (step: () => IteratorResult<Wait, void>): void => {
    let wait: Wait | undefined;
    try {
      wait = step().value ?? undefined;
    } catch (failure) {
      end(failure);
      return;
    }
    if (wait === undefined) {
      end();
      return;
    }
    const { what, within, optional } = wait;
    const patience = optional ? 1 : (harness.patience ?? 1);
    harness.wait(wait.until, within * patience, (held) => {
      if (held || optional) go(() => script.next());
      else go(() => script.throw(new Error(`Waited ${within} ms in vain: ${what}.`)));
    });
  };
  go(() => script.next());
}

/**
 * Declares a suite to mocha: a `describe` with one `it` for each case that applies.
 *
 * @param make builds a fresh harness, for each case anew, and one before to see what it can do; it should
 * acquire nothing before the case asks for it
 */
export function describeCases<H extends Harness>(
  title: string,
  cases: readonly Case<H>[],
  make: () => H,
): void {
  describe(title, () => {
    const probe = make();
    const fitting = cases.filter((one) => one.applies?.(probe) !== false);
    probe.close?.();
    for (const one of fitting) it(one.name, (done) => runCase(one, make(), done));
  });
}

/**
 * Runs every case against a provider that is wrong on purpose.
 *
 * @param done gets the names of the cases that failed, which should not be none
 */
export function failingCases<H extends Harness>(
  cases: readonly Case<H>[],
  make: () => H,
  done: (names: readonly string[]) => void,
): void {
  const failed: string[] = [];
  const next = (at: number): void => {
    const one = cases[at];
    if (one === undefined) {
      done(failed);
      return;
    }
    const harness = make();
    if (one.applies?.(harness) === false) {
      harness.close?.();
      next(at + 1);
      return;
    }
    runCase(one, harness, (...failure) => {
      if (failure.length > 0) failed.push(one.name);
      next(at + 1);
    });
  };
  next(0);
}
