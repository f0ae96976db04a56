/** The suite of Multicast on sockets and disks. The suite's cuts are for the simulator. */

import { Addresses, RealProcesses } from "@kith/node/compliance";
import { type MulticastHarness, multicastCompliance } from "../compliance/index.ts";
import { GroupMulticast } from "./group-multicast.ts";
import { Peer, type PeerInit } from "./peer-kit.test.ts";

/** Timers of a group on one machine: a suite of minutes takes seconds. */
const settings = { heartbeat: 30, electionMin: 250, electionMax: 500 };

describe("for real", function () {
  this.timeout(60_000);
  const addresses = new Addresses();
  before(() => addresses.bind(40));
  after(() => addresses.close());

  const make = (): MulticastHarness => {
    const processes = new RealProcesses({
      main: Peer,
      initOf: (index): PeerInit => ({
        replicas: [0, 1, 2].map((at) => {
          const { peerId, host, port } = processes.self(at);
          return { peerId, host, port };
        }),
        isReplica: index < 3,
        settings,
        poll: 100,
      }),
      settings: [],
      addresses,
      scale: 0.1,
      durable: true,
    });
    return {
      patience: processes.patience,
      wait: (until, within, done) => processes.wait(until, within, done),
      enter: (index, action) => processes.enter(index, action),
      crash: (index) => processes.crash(index),
      restart: (index) => processes.start(index),
      swap: (index) => processes.swap(index, "/Peer-1/multicast", GroupMulticast),
      close: () => processes.close(),
    };
  };
  multicastCompliance("GroupMulticast on sockets and disks", make);
});
