/** Bootstrap, peer sampling and T-Man on sockets. */

import { Addresses, RealProcesses } from "@kith/node/compliance";
import {
  bootstrapCompliance,
  type MembershipHarness,
  nearnessCompliance,
  samplingCompliance,
} from "./compliance/index.ts";
import {
  findPeriod,
  nearnessPeriod,
  refreshPeriod,
  shufflePeriod,
  shuffleTimeout,
} from "./index.ts";
import { Process } from "./kit.test.ts";

const settings = [
  refreshPeriod.of(150),
  findPeriod.of(30),
  shufflePeriod.of(75),
  shuffleTimeout.of(60),
  nearnessPeriod.of(75),
];

describe("on sockets", function () {
  this.timeout(180_000);
  const addresses = new Addresses();
  before(() => addresses.bind(130));
  after(() => addresses.close());

  const make = (): MembershipHarness => {
    const processes: RealProcesses<typeof Process> = new RealProcesses({
      main: Process,
      initOf: (index) => ({
        server: index < 2,
        servers: [0, 1].map((server) => ({ ...processes.self(server), incarnation: 0 })),
      }),
      settings,
      addresses,
      scale: 0.03,
    });
    return {
      count: 6,
      patience: processes.patience,
      wait: (until, within, done) => processes.wait(until, within, done),
      self: (index) => processes.self(index),
      enter: (index, action) => processes.enter(index, action),
      crash: (index) => processes.crash(index),
      restart: (index) => processes.start(index),
      close: () => processes.close(),
    };
  };
  bootstrapCompliance("BootstrapClient", make);
  samplingCompliance("Cyclon", make);
  nearnessCompliance("TMan", make);
});
