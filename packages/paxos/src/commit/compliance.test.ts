/** The suite of AtomicCommit: simulated, and on sockets and disks. */

import { Addresses, RealProcesses } from "@kith/node/compliance";
import { simulate } from "@kith/sim";
import { failingCases, stepping } from "@kith/testing/compliance";
import { expect } from "chai";
import {
  commitCases,
  type CommitClass,
  commitCompliance,
  type CommitHarness,
  commitPeerOf,
  commitSuiteSettings,
} from "../compliance/index.ts";
import { addressAt } from "../register.test.ts";
import { type CommitInit, PaxosCommit } from "./paxos-commit.ts";

function simulated(provider: CommitClass = PaxosCommit): CommitHarness {
  const world = simulate(commitPeerOf(provider), {
    seed: 1,
    nodes: 5,
    initOf: ({ index }) => ({
      index,
      acceptors: [0, 1, 2].map(addressAt),
      settings: { ...commitSuiteSettings, patience: 500 },
    }),
  }).boot();
  return {
    wait: stepping((duration) => world.runFor(duration), 2),
    addressOf: addressAt,
    enter: (index, action) => {
      const { system } = world.node(index);
      const { instance } = system;
      system.enter(() => action(instance));
    },
    crash: (index) => world.node(index).crash(),
    restart: (index) => world.node(index).start(),
    swap: (index) => {
      world.node(index).system.swapThen("/Peer-1/commit", {}, (result) => {
        if ("cause" in result) throw result.cause;
      });
    },
  };
}

commitCompliance("PaxosCommit", () => simulated());

/** Providers that are wrong on purpose, and the case that finds each. */
const wrong: readonly (readonly [string, CommitClass, RegExp])[] = [
  [
    "it bears more than it says",
    class extends PaxosCommit {
      constructor(init: CommitInit) {
        super({ ...init, settings: { ...init.settings, openMax: 1000 } });
      }
    },
    /^too many/,
  ],
  [
    "all acceptors are needed, and one is gone",
    class extends PaxosCommit {
      constructor(init: CommitInit) {
        super({ ...init, acceptors: init.acceptors.slice(2) });
      }
    },
    /^an acceptor that is gone/,
  ],
  [
    "no peer hears another one",
    class extends PaxosCommit {
      constructor(init: CommitInit) {
        super({ ...init, scope: `of one: ${instances++}` });
      }
    },
    /^it commits/,
  ],
];
let instances = 0;

describe("the suite of AtomicCommit", () => {
  for (const [what, provider, finds] of wrong)
    it(`fails where ${what}`, (done) => {
      const cases = commitCases.filter(({ name }) => finds.test(name));
      failingCases(
        cases,
        () => simulated(provider),
        (names) => {
          expect(names).to.have.lengthOf(1);
          done();
        },
      );
    });
});

describe("for real", function () {
  this.timeout(60_000);
  const addresses = new Addresses();
  before(() => addresses.bind(60));
  after(() => addresses.close());

  const make = (): CommitHarness => {
    const addressOf = (index: number): ReturnType<CommitHarness["addressOf"]> => {
      const { peerId, host, port } = processes.self(index);
      return { peerId, host, port };
    };
    const processes: RealProcesses<ReturnType<typeof commitPeerOf>> = new RealProcesses({
      main: commitPeerOf(PaxosCommit),
      initOf: (index) => ({
        index,
        acceptors: [0, 1, 2].map(addressOf),
        settings: { ...commitSuiteSettings, patience: 3000 },
      }),
      settings: [],
      addresses,
      scale: 0.1,
      durable: true,
    });
    return {
      patience: processes.patience,
      wait: (until, within, done) => processes.wait(until, within, done),
      addressOf,
      enter: (index, action) => processes.enter(index, action),
      crash: (index) => processes.crash(index),
      restart: (index) => processes.start(index),
      swap: (index) => processes.swap(index, "/Peer-1/commit", PaxosCommit),
      close: () => processes.close(),
    };
  };
  commitCompliance("PaxosCommit on sockets and disks", make);
});
