/** The suite of Consensus: simulated, on sockets and disks, and against providers that are wrong on purpose. */

import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Addresses, RealProcesses } from "@kith/node/compliance";
import { failingCases } from "@kith/testing/compliance";
import { Copies } from "@kith/testing/planting";
import { expect } from "chai";
import {
  consensusCompliance,
  type ConsensusHarness,
  consensusPeerOf,
  consensusSettings,
  lines,
} from "./compliance/index.ts";
import { simulatedConsensus } from "./consensus-kit.test.ts";
import { type GroupsInit, replicatedGroups } from "./host.ts";

consensusCompliance("ReplicatedGroups", () => simulatedConsensus());

/** What is planted into a copy, and the case that finds it. */
const bugs = [
  {
    what: "a command that is gone is left without an answer",
    file: "replica.ts",
    text: "if (term >= entry.term) break;",
    planted: "if (term >= 0) break;",
    finds: /cut off/,
  },
  {
    what: "who does not lead does not know who does",
    file: "replica.ts",
    text: "return memberOf(configOf(state), state.leader) ?? null;",
    planted: "return memberOf(configOf(state), -state.leader) ?? null;",
    finds: /does not lead/,
  },
  {
    what: "a refused epoch changes the membership all the same",
    file: "membership.ts",
    text: "expectedEpoch !== undefined && expectedEpoch !== config.epoch",
    planted: "expectedEpoch === -1",
    finds: /cannot be/,
  },
  {
    what: "a query is answered by the one before",
    file: "host.ts",
    text: "const result = queryTable(one.table, this.machine, query);",
    planted:
      "const cached = this as unknown as { one?: Uint8Array };\n      const result = (cached.one ??= queryTable(one.table, this.machine, query));",
    finds: /a query sees/,
  },
  {
    what: "a group that a command makes is only in memory",
    file: "host.ts",
    text: "batch.operations.push(...birth(gid, self, durable));",
    planted: "void birth(gid, self, durable);",
    finds: /a command makes a group/,
  },
] as const;

describe("the suite of Consensus", function () {
  this.timeout(60_000);
  const folder = fileURLToPath(new URL(".", import.meta.url));
  let copies: Copies;
  before(() => {
    copies = new Copies(folder, path.resolve(folder, "../../.."));
  });
  after(() => copies.remove());

  for (const { finds, ...bug } of bugs)
    it(`fails where ${bug.what}`, async () => {
      const file = path.join(copies.make(bug), "consensus-kit.test.ts");
      const kit = (await import(
        pathToFileURL(file).href
      )) as typeof import("./consensus-kit.test.ts");
      const cases = kit.consensusCases.filter(({ name }) => finds.test(name));
      expect(cases).to.have.lengthOf(1);
      const failed = await new Promise((resolve) => {
        failingCases(cases, () => kit.simulatedConsensus(), resolve);
      });
      expect(failed).to.deep.equal(cases.map(({ name }) => name));
    });
});

describe("for real", function () {
  this.timeout(60_000);
  const addresses = new Addresses();
  before(() => addresses.bind(70));
  after(() => addresses.close());

  const make = (): ConsensusHarness => {
    const processes = new RealProcesses({
      main: consensusPeerOf(replicatedGroups),
      initOf: (): GroupsInit => ({
        settings: { ...consensusSettings, heartbeat: 30, electionMin: 250, electionMax: 500 },
      }),
      settings: [],
      addresses,
      scale: 0.1,
      durable: true,
    });
    return {
      patience: processes.patience,
      wait: (until, within, done) => processes.wait(until, within, done),
      addressOf: (index) => {
        const { peerId, host, port } = processes.self(index);
        return { peerId, host, port };
      },
      enter: (index, action) => processes.enter(index, action),
      crash: (index) => processes.crash(index),
      restart: (index) => processes.start(index),
      swap: (index) => processes.swap(index, "/Peer-1/groups", replicatedGroups(lines)),
      close: () => processes.close(),
    };
  };
  consensusCompliance("ReplicatedGroups on sockets and disks", make);
});
