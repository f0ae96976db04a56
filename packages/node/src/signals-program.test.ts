/**
 * The program of `signals.test.ts`: `node signals-program.test.ts MODE DIRECTORY`. It bears the name of a test so that
 * it is not published; without a mode it does nothing.
 */

import { Component, run, SchedulePeriodic, timeout, Timer } from "@kith/core";
import { message, Network } from "@kith/network";
import { Storage, Write } from "@kith/storage";
import { bindAddress, real, stopOnSignals } from "./index.ts";

class Tick extends timeout("signals-program/Tick") {}
class Hello extends message("signals-program/Hello") {}

/** Uses all of the world, so that there is something to let go. */
class Busy extends Component {
  readonly timer = this.requires(Timer);
  readonly net = this.requires(Network);
  readonly storage = this.requires(Storage);
  readonly #write = this.storage.onAnswer(Write, () => undefined);

  constructor() {
    super();
    this.timer.on(Tick, () =>
      this.#write(
        new Write({
          namespace: "n",
          operations: [{ kind: "put", key: new Uint8Array([1]), value: new Uint8Array([1]) }],
        }),
        { timeout: 1000 },
      ),
    );
    this.net.on(Hello, () => undefined);
    this.onStart(() =>
      this.timer.trigger(new SchedulePeriodic({ period: 2, timeout: new Tick() })),
    );
  }
}

const [, , mode, data = ""] = process.argv;
if (["clean", "hanging", "late", "together", "itself"].includes(mode ?? "")) {
  const world = real({ listen: await bindAddress(), data, log: () => undefined });
  const system = await run(Busy, {}, world);
  if (mode === "hanging" || mode === "late" || mode === "together") {
    // A stop that never ends, and a listener of somebody else.
    process.on("SIGTERM", () => undefined);
    system.stop = () => {
      console.log("hangs");
      setInterval(() => undefined, 1000);
      return new Promise(() => undefined);
    };
  }
  system.events.on("stopped", () => console.log("stopped"));
  stopOnSignals(system, {
    ...(mode === "late" ? { deadlineMs: 50 } : {}),
    ...(mode === "together" ? { deadlineMs: 300, togetherMs: 60_000 } : {}),
  });
  console.log("started");
  if (mode === "itself") {
    await system.stop();
    console.log(`listeners: ${process.listenerCount("SIGINT") + process.listenerCount("SIGTERM")}`);
  }
}
