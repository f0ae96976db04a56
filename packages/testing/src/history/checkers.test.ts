/** All checkers against brute force, on thousands of small random histories. */

import { expect } from "chai";
import * as judge from "./index.ts";
import { compare } from "./samples.test.ts";

describe("the checkers agree with brute force", function () {
  this.timeout(60_000);
  const comparisons = compare(judge, 3000);

  for (const [name, { valid, invalid, mistake }] of Object.entries(comparisons)) {
    it(`on ${name}, right and wrong ones`, () => {
      expect(mistake).equal(undefined);
      expect(Math.min(valid, invalid), `${valid} valid, ${invalid} invalid`).above(300);
    });
  }
});
