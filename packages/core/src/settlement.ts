/**
 * Promises for code outside of the component world, which exist only once somebody has asked for them:
 * a fault that nobody waits for is logged and emitted, and never an unhandled rejection.
 */

import { describeThrown } from "./errors.ts";

/** A promise that exists only once somebody has asked for it. */
export class Settlement {
  #outcome: { readonly error?: unknown } | null = null;
  #waiting: (() => void)[] | null = null;
  #promise: Promise<void> | null = null;

  /** Whether somebody has asked for the promise. */
  get read(): boolean {
    return this.#promise !== null;
  }

  promise(): Promise<void> {
    this.#promise ??= new Promise((resolvePromise, reject) => {
      const settle = (): void => {
        if (this.#outcome !== null && "error" in this.#outcome)
          reject(asError(this.#outcome.error));
        else resolvePromise();
      };
      if (this.#outcome === null) (this.#waiting ??= []).push(settle);
      else settle();
    });
    return this.#promise;
  }

  /** The first outcome counts. @returns whether this was it */
  settle(outcome: { readonly error?: unknown }): boolean {
    if (this.#outcome !== null) return false;
    this.#outcome = outcome;
    for (const settle of this.#waiting ?? []) settle();
    this.#waiting = null;
    return true;
  }
}

/** What was thrown, as an error. */
export function asError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(describeThrown(cause), { cause });
}
