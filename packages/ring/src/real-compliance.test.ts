/** The rings and the merger on sockets. The suite's cuts are for the simulator, where a line between two can be cut. */

import { heartbeat } from "@kith/fd";
import { Addresses, RealProcesses } from "@kith/node/compliance";
import {
  mergerCompliance,
  type MergerHarness,
  type RingHarness,
  ringCompliance,
} from "./compliance/index.ts";
import {
  ChordRing,
  joinTimeout,
  mergerProbe,
  mergerWork,
  RelaxedRing,
  RingMerger,
  stabilisePeriod,
} from "./index.ts";
import { mergerCount, mergerInit, mergerPath, Peer } from "./kit.test.ts";

const settings = [
  heartbeat.of(60),
  stabilisePeriod.of(100),
  joinTimeout.of(60),
  mergerProbe.of(200),
  mergerWork.of(50),
];
const count = 6;
type Kind = "relaxed" | "chord";

describe("on sockets", function () {
  this.timeout(180_000);
  const addresses = new Addresses();
  before(() => addresses.bind(360));
  after(() => addresses.close());

  const make = (kind: Kind, other: Kind): RingHarness => {
    const processes = new RealProcesses({
      main: Peer,
      initOf: () => ({ founds: false, introducers: [], kind }),
      settings,
      addresses,
      scale: 0.07,
    });
    let swaps = 0;
    return {
      count,
      patience: processes.patience,
      wait: (until, within, done) => processes.wait(until, within, done),
      self: (index) => processes.self(index),
      enter: (index, action) => processes.enter(index, action),
      crash: (index) => processes.crash(index),
      restart: (index) => processes.start(index),
      swap: (index) => {
        const cls = (swaps++ % 2 === 0 ? other : kind) === "relaxed" ? RelaxedRing : ChordRing;
        processes.swap(index, "/Peer-1/Ring", cls);
      },
      close: () => processes.close(),
    };
  };
  ringCompliance("RelaxedRing", () => make("relaxed", "chord"));
  ringCompliance("ChordRing", () => make("chord", "relaxed"));

  mergerCompliance("RingMerger", (): MergerHarness => {
    const processes = new RealProcesses({
      main: Peer,
      initOf: (index) => mergerInit(index),
      settings,
      addresses,
      scale: 0.07,
    });
    return {
      count: mergerCount,
      stranger: mergerCount,
      patience: processes.patience,
      wait: (until, within, done) => processes.wait(until, within, done),
      self: (index) => processes.self(index),
      enter: (index, action) => processes.enter(index, action),
      crash: (index) => processes.crash(index),
      restart: (index) => processes.start(index),
      swap: (index) => processes.swap(index, mergerPath, RingMerger),
      close: () => processes.close(),
    };
  });
});
