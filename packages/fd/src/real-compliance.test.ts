/** The detectors, and SWIM, on sockets. What cuts lines or freezes a process is for the simulator. */

import { Addresses, RealProcesses } from "@kith/node/compliance";
import {
  type DetectorClass,
  detectorCompliance,
  type DetectorHarness,
  memberCompliance,
  type MemberHarness,
  monitorOf,
} from "./compliance/index.ts";
import {
  absentAfter,
  AdaptiveDetector,
  heartbeat,
  PhiDetector,
  phiPause,
  stallMin,
  Swim,
  swimPeriod,
} from "./index.ts";
import { Swimmer } from "./sim-harness.test.ts";

const settings = [heartbeat.of(40), absentAfter.of(1200), phiPause.of(200)];

describe("on sockets", function () {
  this.timeout(180_000);
  const addresses = new Addresses();
  before(() => addresses.bind(220));
  after(() => addresses.close());

  const make = (detector: DetectorClass, other: DetectorClass): DetectorHarness => {
    const processes = new RealProcesses({
      main: monitorOf(detector),
      initOf: () => ({}),
      settings,
      addresses,
      scale: 0.08,
    });
    let swaps = 0;
    return {
      patience: processes.patience,
      wait: (until, within, done) => processes.wait(until, within, done),
      start: (index) => processes.start(index),
      self: (index) => processes.self(index),
      enter: (index, action) => processes.enter(index, action),
      crash: (index) => processes.crash(index),
      restart: (index) => processes.start(index),
      swap: (index) => {
        const cls = swaps++ % 2 === 0 ? other : detector;
        processes.swap(index, "/Monitor-1/Detector", cls);
      },
      close: () => processes.close(),
    };
  };
  detectorCompliance("AdaptiveDetector", () => make(AdaptiveDetector, PhiDetector));
  detectorCompliance("PhiDetector", () => make(PhiDetector, AdaptiveDetector));

  memberCompliance("Swim", (): MemberHarness => {
    const processes = new RealProcesses({
      main: Swimmer,
      initOf: () => ({}),
      // A tenth of a period late is late: a busy machine must not make anybody accuse others.
      settings: [swimPeriod.of(50), stallMin.of(5)],
      addresses,
      scale: 0.1,
    });
    return {
      count: 6,
      patience: processes.patience,
      wait: (until, within, done) => processes.wait(until, within, done),
      self: (index) => processes.self(index),
      enter: (index, action) => processes.enter(index, action),
      crash: (index) => processes.crash(index),
      restart: (index) => processes.start(index),
      swap: (index) => processes.swap(index, "/Swimmer-1/Swim", Swim),
      close: () => processes.close(),
    };
  });
});
