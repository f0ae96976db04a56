import { timerCompliance } from "@kith/timer/compliance";
import { Bench } from "./kit.test.ts";
import type { Due } from "./engine.ts";
import { SimTimer } from "./timer.ts";

timerCompliance("The simulated Timer", () => {
  const bench = new Bench();
  const life = bench.life();
  return {
    world: bench.world(life),
    wait: bench.wait,
    swapProvider: (system) =>
      system.swapThen("/Timer", { cls: class extends SimTimer {} }, () => undefined),
    lag: (duration) => {
      const parked: Due[] = [];
      life.parked = parked;
      bench.advance(duration);
      life.parked = null;
      for (const due of parked) due.run();
    },
  };
});
