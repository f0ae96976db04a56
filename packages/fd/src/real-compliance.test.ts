/** The detectors on sockets. What cuts lines or freezes a process is for the simulator. */

import { Addresses, RealProcesses } from "@kith/node/compliance";
import {
  type DetectorClass,
  detectorCompliance,
  type DetectorHarness,
  monitorOf,
} from "./compliance/index.ts";
import { absentAfter, AdaptiveDetector, heartbeat, PhiDetector, phiPause } from "./index.ts";

const settings = [heartbeat.of(40), absentAfter.of(1200), phiPause.of(200)];

describe("on sockets", function () {
  this.timeout(180_000);
  const addresses = new Addresses();
  before(() => addresses.bind(150));
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
});
