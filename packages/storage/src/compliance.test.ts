import { failingCases } from "@kith/testing/compliance";
import { expect } from "chai";
import { storageCases, storageCompliance } from "./compliance/index.ts";
import { harnessOf, wrongs } from "./provider-kit.test.ts";

storageCompliance("MemoryStorage", () => harnessOf());

describe("the suite of Storage", () => {
  for (const [what, make, expected] of wrongs) {
    it(`finds a provider that ${what}`, (done) => {
      const some = storageCases.filter(({ name }) => name === expected);
      expect(some, "the case exists").to.have.length(1);
      failingCases(some, make, (names) => {
        expect(names).to.deep.equal([expected]);
        done();
      });
    });
  }
});
