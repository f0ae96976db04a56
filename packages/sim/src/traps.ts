/**
 * Traps for what must not leak into a simulation: while components run, the host's clocks, randomness
 * and timers throw an error that names who used them. They are put back whenever the simulation
 * returns to its caller.
 */

import type { KithError } from "@kith/core";

interface Trap {
  readonly on: object;
  readonly name: string;
  readonly shown: string;
}

const scope: typeof globalThis = globalThis;
const HostDate = Date;

const traps: readonly Trap[] = [
  { on: HostDate, name: "now", shown: "Date.now" },
  { on: Math, name: "random", shown: "Math.random" },
  { on: scope.performance, name: "now", shown: "performance.now" },
  { on: scope.crypto, name: "getRandomValues", shown: "crypto.getRandomValues" },
  { on: scope.crypto, name: "randomUUID", shown: "crypto.randomUUID" },
  ...["setTimeout", "setInterval", "setImmediate", "queueMicrotask"].map((name) => ({
    on: scope,
    name,
    shown: name,
  })),
];

let depth = 0;

/**
 * Runs an action with the traps set.
 *
 * @param leaked is told what was used, and says what is to be thrown; null lets it pass
 */
export function trapped<T>(leaked: (what: string) => KithError | null, action: () => T): T {
  if (depth > 0) return action();
  depth++;
  const before: (readonly [Trap, PropertyDescriptor | undefined])[] = [];
  const touch = (shown: string): void => {
    const error = leaked(shown);
    if (error !== null) throw error;
  };
  for (const trap of traps) {
    if (!(trap.name in trap.on)) continue;
    const original: unknown = Reflect.get(trap.on, trap.name);
    before.push([trap, Object.getOwnPropertyDescriptor(trap.on, trap.name)]);
    Object.defineProperty(trap.on, trap.name, {
      configurable: true,
      writable: true,
      value: (...args: unknown[]): unknown => {
        touch(trap.shown);
        return typeof original === "function" ? Reflect.apply(original, trap.on, args) : undefined;
      },
    });
  }
  scope.Date = new Proxy(HostDate, {
    apply: (target, self, args) => {
      touch("Date()");
      return Reflect.apply(target, self, args);
    },
    construct: (target, args, subclass) => {
      // With arguments it is a date that somebody knows already.
      if (args.length === 0) touch("new Date()");
      return Reflect.construct(target, args, subclass);
    },
  });
  try {
    return action();
  } finally {
    depth--;
    scope.Date = HostDate;
    for (const [trap, descriptor] of before) {
      if (descriptor === undefined) Reflect.deleteProperty(trap.on, trap.name);
      else Object.defineProperty(trap.on, trap.name, descriptor);
    }
  }
}
