import { checkBlocks } from "../src/blocks.ts";
import { none } from "../src/findings.ts";
import { ROOT } from "../src/source.ts";

describe("the house: documentation", () => {
  it("holds only code blocks that compile and run", async () => none(await checkBlocks(ROOT)));
});
