/** The suite of Decisions on sockets and disks. The suite's cuts are for the simulator. */

import { Addresses, RealProcesses } from "@kith/node/compliance";
import {
  type DecideClass,
  decideCompliance,
  type DecideHarness,
  decidePeerOf,
  openMax,
} from "../compliance/index.ts";
import type { DecideInit } from "./decide-host.ts";
import { FastPaxos } from "../fast/fast-paxos.ts";
import { SinglePaxos } from "../single/single-paxos.ts";

describe("for real", function () {
  this.timeout(60_000);
  const addresses = new Addresses();
  before(() => addresses.bind(130));
  after(() => addresses.close());

  const make = (provider: DecideClass): DecideHarness => {
    const processes = new RealProcesses({
      main: decidePeerOf(provider),
      initOf: (): DecideInit => ({
        acceptors: [0, 1, 2, 3].map((at) => {
          const { peerId, host, port } = processes.self(at);
          return { peerId, host, port };
        }),
        settings: { openMax, retry: 200 },
      }),
      settings: [],
      addresses,
      scale: 0.2,
      durable: true,
    });
    return {
      patience: processes.patience,
      wait: (until, within, done) => processes.wait(until, within, done),
      enter: (index, action) => processes.enter(index, action),
      crash: (index) => processes.crash(index),
      restart: (index) => processes.start(index),
      swap: (index) => processes.swap(index, "/Peer-1/decider", provider),
      close: () => processes.close(),
    };
  };
  decideCompliance("SinglePaxos on sockets and disks", () => make(SinglePaxos));
  decideCompliance("FastPaxos on sockets and disks", () => make(FastPaxos));
});
