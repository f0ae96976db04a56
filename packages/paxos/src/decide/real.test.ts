/** The suite of Decisions on sockets and disks: five systems in one process. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run, type System } from "@kith/core";
import { bindAddress } from "@kith/network/host";
import { real } from "@kith/node";
import {
  type DecideClass,
  decideCompliance,
  type DecideHarness,
  type DecidePeer,
  decidePeerOf,
  openMax,
} from "../compliance/index.ts";
import { FastPaxos } from "../fast/fast-paxos.ts";
import { SinglePaxos } from "../single/single-paxos.ts";

type Action = (peer: DecidePeer) => void;

const nodes = 5;
const closing = new Set<Promise<unknown>>();

/** One process's lives, one after the other. */
class Place {
  /** What happens in its turn once it has started. */
  #life: Promise<System<DecidePeer>> | null = null;

  begin(make: () => Promise<System<DecidePeer>>): void {
    const before = this.#life;
    this.#life = (before ?? Promise.resolve()).then(make);
  }

  enter(action: Action): void {
    void this.#life?.then((system) => system.enter(() => action(system.instance)));
  }

  end(): void {
    this.#life = this.#life && this.#life.then((system) => system.stop().then(() => system));
  }

  get ended(): Promise<unknown> {
    return this.#life ?? Promise.resolve();
  }
}

function realDeciders(provider: DecideClass): DecideHarness {
  const places = Array.from({ length: nodes }, () => new Place());
  let data = "";
  const addresses: { host: string; port: number }[] = [];
  const life = async (index: number): Promise<System<DecidePeer>> => {
    const acceptors = [0, 1, 2, 3].map((at) => ({ peerId: at + 1, ...place(at) }));
    const world = real({
      listen: place(index),
      data: join(data, `${index}`),
      peerId: index + 1,
      log: () => undefined,
    });
    return await run(
      decidePeerOf(provider),
      { acceptors, settings: { openMax, retry: 200 } },
      world,
    );
  };
  const place = (index: number): { host: string; port: number } => {
    const address = addresses[index];
    if (address === undefined) throw new Error(`there is no process ${index}`);
    return { host: address.host, port: address.port };
  };
  let begun = false;
  const begin = (): void => {
    if (begun) return;
    begun = true;
    data = mkdtempSync(join(tmpdir(), "kith-decide-"));
    const ready = Promise.all(Array.from({ length: nodes }, () => bindAddress())).then((bound) => {
      for (const one of bound) {
        addresses.push({ host: one.host, port: one.port });
        one.close();
      }
    });
    for (const [index, one] of places.entries())
      one.begin(async () => {
        await ready;
        return await life(index);
      });
  };
  return {
    patience: 4,
    wait: (until, within, done) => {
      const deadline = performance.now() + within;
      const look = (): void => {
        if (until() || performance.now() > deadline) done(until());
        else setTimeout(look, 5);
      };
      look();
    },
    enter: (index, action) => {
      begin();
      places[index]?.enter(action);
    },
    crash: (index) => places[index]?.end(),
    restart: (index) => places[index]?.begin(() => life(index)),
    close: () => {
      if (!begun) return;
      for (const one of places) one.end();
      const end = Promise.all(places.map((one) => one.ended)).then(() => {
        rmSync(data, { recursive: true });
        closing.delete(end);
      });
      closing.add(end);
    },
  };
}

describe("for real", function () {
  this.timeout(60_000);
  afterEach(async () => {
    await Promise.all(closing);
  });
  decideCompliance("SinglePaxos on sockets and disks", () => realDeciders(SinglePaxos));
  decideCompliance("FastPaxos on sockets and disks", () => realDeciders(FastPaxos));
});
