/** The suites of Registers and Store: simulated, on sockets and disks, and against providers that are wrong on purpose. */

import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Addresses } from "@kith/node/compliance";
import { failingCases } from "@kith/testing/compliance";
import { Copies } from "@kith/testing/planting";
import { expect } from "chai";
import { AbdStore } from "./abd/index.ts";
import { AbdPeer, GroupsPeer, onSockets, simulated } from "./compliance-kit.test.ts";
import { registersCompliance, storeCompliance } from "./compliance/index.ts";
import { StoreClient } from "./store-client.ts";

registersCompliance("AbdStore", () => simulated(AbdPeer));
storeCompliance("StoreClient", () => simulated(GroupsPeer));

describe("on sockets and disks", function () {
  this.timeout(120_000);
  const addresses = new Addresses();
  before(() => addresses.bind(160));
  after(() => addresses.close());

  registersCompliance("AbdStore", () => onSockets(AbdPeer, AbdStore, addresses));
  storeCompliance("StoreClient", () => onSockets(GroupsPeer, StoreClient, addresses));
});

/** What is planted into a copy, and the case that finds it. */
const bugs = [
  {
    what: "a deleted key still has a version",
    file: "abd/abd-store.ts",
    text: "const version = value === null && its.reads ? 0 : versionOf(stamp);",
    planted: "const version = versionOf(stamp);",
    finds: /deleted is absent/,
  },
  {
    what: "a write is answered after its first phase",
    file: "abd/coordinator.ts",
    text: "return beginPhase(state, operation, { stamp, value });",
    planted: 'return end(state, operation, { kind: "done", has: { stamp, value } });',
    finds: /all others read/,
  },
  {
    what: "what cannot be done in time is left without an answer",
    file: "abd/coordinator.ts",
    text: "if (now >= until)",
    planted: "if (now < 0)",
    finds: /without a majority/,
  },
  {
    what: "nothing is written to the disk",
    file: "abd/abd-replica.ts",
    text: "const operations = [...state.writing].map((row) => rowOperation(one, row));",
    planted: 'const operations = [rowOperation(one, "pnone")];',
    finds: /all have crashed/,
  },
] as const;

describe("the suite of Registers", function () {
  this.timeout(60_000);
  const folder = fileURLToPath(new URL(".", import.meta.url));
  let copies: Copies;
  before(() => {
    copies = new Copies(folder, path.resolve(folder, "../../.."));
  });
  after(() => copies.remove());

  for (const { finds, ...bug } of bugs)
    it(`fails where ${bug.what}`, async () => {
      const file = path.join(copies.make(bug), "compliance-kit.test.ts");
      const kit = (await import(
        pathToFileURL(file).href
      )) as typeof import("./compliance-kit.test.ts");
      const cases = kit.registersCases.filter(({ name }) => finds.test(name));
      expect(cases).to.have.lengthOf(1);
      const failed = await new Promise((resolve) => {
        failingCases(cases, () => kit.simulated(kit.AbdPeer), resolve);
      });
      expect(failed).to.deep.equal(cases.map(({ name }) => name));
    });
});
