import { expect } from "chai";
import { parseSeed, parseSeeds } from "./seeds.ts";

describe("seeds on the command line", () => {
  it("are numbers or texts", () => {
    expect(parseSeed("42")).to.equal(42);
    expect(parseSeed("forty two")).to.equal("forty two");
    expect(parseSeed("12345678901234567890")).to.equal("12345678901234567890");
  });

  it("are ranges with both ends", () => {
    expect(parseSeeds("3..6")).to.deep.equal([3, 4, 5, 6]);
    expect(parseSeeds("7..7")).to.deep.equal([7]);
    for (const text of ["6..3", "1-2", "", "..", "1..", "a..b", "1..99999999999"])
      expect(() => parseSeeds(text), text)
        .to.throw()
        .with.property("code", "KITH_CLI_ARGUMENT");
  });
});
