/**
 * Traps for what must not leak into a simulation: while components run, the host's clocks, randomness
 * and timers throw an error that names who used them. They are put back whenever the simulation
 * returns to its caller.
 */

import { simError } from "./errors.ts";

interface Trap {
  readonly on: object;
  readonly name: string;
  readonly shown: string;
}

const scope: typeof globalThis = globalThis;

const traps: readonly Trap[] = [
  { on: Date, name: "now", shown: "Date.now" },
  { on: Math, name: "random", shown: "Math.random" },
  { on: scope.performance, name: "now", shown: "performance.now" },
  { on: scope.crypto, name: "getRandomValues", shown: "crypto.getRandomValues" },
  { on: scope.crypto, name: "randomUUID", shown: "crypto.randomUUID" },
  ...["setTimeout", "setInterval", "setImmediate", "queueMicrotask"].map((name) => ({ on: scope, name, shown: name })),
];

let depth = 0;

/** Runs an action with the traps set. `culprit` names whoever runs when one of them snaps; undefined lets it pass. */
export function trapped<T>(culprit: () => string | undefined, action: () => T): T {
  if (depth > 0) return action();
  depth++;
  const before: (readonly [Trap, PropertyDescriptor | undefined])[] = [];
  for (const trap of traps) {
    if (!(trap.name in trap.on)) continue;
    const original: unknown = Reflect.get(trap.on, trap.name);
    before.push([trap, Object.getOwnPropertyDescriptor(trap.on, trap.name)]);
    Object.defineProperty(trap.on, trap.name, {
      configurable: true,
      writable: true,
      value: (...args: unknown[]): unknown => {
        const who = culprit();
        if (who !== undefined) throw simError("KITH_SIM_LEAK", `${who} used ${trap.shown} in a simulation.`);
        return typeof original === "function" ? Reflect.apply(original, trap.on, args) : undefined;
      },
    });
  }
  try {
    return action();
  } finally {
    depth--;
    for (const [trap, descriptor] of before) {
      if (descriptor === undefined) Reflect.deleteProperty(trap.on, trap.name);
      else Object.defineProperty(trap.on, trap.name, descriptor);
    }
  }
}
