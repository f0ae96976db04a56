import { ManualWorld, type Root, type System } from "@kith/core";
import { failingCases, stepping } from "@kith/testing/compliance";
import { expect } from "chai";
import { timerCases, timerCompliance } from "./compliance/index.ts";
import { harnessOf, type Wrongs } from "./provider-kit.test.ts";

timerCompliance("ManualWorld", () => {
  const world = new ManualWorld();
  let provider: new () => never;
  return {
    world: {
      scheduler: world.scheduler,
      install: (root) =>
        world.install({
          ...root,
          create: ((cls: never, ...rest: never[]) => {
            provider = cls;
            return (root.create as (...args: unknown[]) => unknown)(cls, ...rest);
          }) as Root["create"],
        }),
    },
    wait: stepping((duration) => world.advance(duration)),
    swapProvider: (system: System) => void system.swap("/Timer", provider),
  };
});

timerCompliance("the reference of these tests", () => harnessOf({}));

describe("the suite of Timer", () => {
  const wrong: readonly (readonly [string, Wrongs, string])[] = [
    [
      "fires early",
      { due: (due, now) => now + Math.floor((due - now) * 0.9) },
      "a one-shot timer comes once, and not early",
    ],
    [
      "rounds fractions down",
      { due: (due, now) => now + Math.floor((due - now) / 1000) * 1000 },
      "a fraction of a millisecond counts",
    ],
    ["does not cancel", { ignoresCancel: true }, "a cancelled timer does not come"],
    [
      "answers again and again",
      { repeatsOneShots: true },
      "a one-shot timer comes once, and not early",
    ],
    ["floods", { floods: true }, "a periodic timer comes no more often than its period says"],
    ["fires in any order", { unordered: true }, "timers come in the order of their times"],
    [
      "fires a periodic timer once",
      { periodicOnce: true },
      "a periodic timer comes every period until it is cancelled",
    ],
    [
      "ignores the first delay",
      { ignoresFirstDelay: true },
      "a periodic timer has a first delay of its own",
    ],
    ["forgets its timers in a swap", { forgetsOnSwap: true }, "timers survive the provider's swap"],
    [
      "makes up for every period missed",
      { catchesUp: true },
      "after a long pause a periodic timer comes once, not once for each period missed",
    ],
    [
      "loses one of many",
      { loses: (count) => count === 5000 },
      "10,000 timers come, all of them, in the order of their times",
    ],
    [
      "counts delays in 32 bits",
      { due: (due, now) => (due - now > 2 ** 31 * 1000 ? now + 1000 : due) },
      "a long delay is not cut short",
    ],
    [
      "mixes up the owners",
      { mixesOwners: true },
      "owners that use the same ids do not disturb each other",
    ],
  ];
  for (const [what, wrongs, expected] of wrong) {
    it(`finds a provider that ${what}`, (done) => {
      const some = timerCases.filter(({ name }) => name === expected);
      expect(some, "the case exists").to.have.length(1);
      failingCases(
        some,
        () => harnessOf(wrongs),
        (names) => {
          expect(names).to.deep.equal([expected]);
          done();
        },
      );
    });
  }
});
