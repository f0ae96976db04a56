/** Worlds for the compliance suites: systems in single lives of one simulation. */

import type { World } from "@kith/core";
import { stepping } from "@kith/testing/compliance";
import { NodeClock } from "./clock.ts";
import { Disk } from "./disk.ts";
import { Engine } from "./engine.ts";
import { Fabric } from "./fabric.ts";
import { SimNetwork } from "./network.ts";
import { Life, worldOf } from "./node.ts";
import { Rules, uniform } from "./rules.ts";
import { SimStorage } from "./storage.ts";
import { SimTimer } from "./timer.ts";
import { PlainCodec } from "@kith/network";

/** A simulation without nodes: lives are made one by one. */
export class Bench {
  readonly engine: Engine;
  readonly fabric: Fabric;
  readonly #lives = new Map<string, Life>();

  constructor(seed: number | string = 1, waitingMax = 10_000) {
    this.engine = new Engine(seed);
    this.fabric = new Fabric(this.engine, new Rules(seed), {
      latency: uniform(0.2, 2),
      codec: new PlainCodec(),
      datagrams: false,
      waitingMax,
    });
  }

  /** A new life of a node; the old one crashes. */
  life(name = "n1", index = 0): Life {
    const old = this.#lives.get(name);
    if (old?.alive === true) this.end(old);
    const clock = new NodeClock(this.engine, 1_700_000_000_000_000, {});
    const { engine, fabric } = this;
    const disk = old?.disk ?? new Disk(engine, name, {});
    const number = (old?.number ?? 0) + 1;
    const life = new Life({ engine, fabric, name, index, number, clock, disk });
    this.#lives.set(name, life);
    return life;
  }

  end(life: Life): void {
    life.alive = false;
    this.fabric.ended(life, true);
    life.disk.crash();
  }

  world(life = this.life()): World {
    return worldOf(
      life,
      (root) => {
        root.offers(root.create(SimTimer, {}, { name: "Timer" }).ports.timer);
        root.offers(root.create(SimStorage, {}, { name: "Storage" }).ports.storage);
        root.offers(root.create(SimNetwork, {}, { name: "Network" }).ports.network);
      },
      () => undefined,
    );
  }

  readonly wait = stepping((duration) => this.advance(duration));

  advance(duration: number): void {
    const end = this.engine.micros + Math.round(duration * 1000);
    while (this.engine.step(end));
    this.engine.moveTo(end);
  }
}
