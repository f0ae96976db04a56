import { checkLayers } from "../src/layers.ts";
import { none } from "../src/findings.ts";
import { ROOT } from "../src/source.ts";

describe("the house: layers", () => {
  it("imports only from its own row and the rows below", () => none(checkLayers(ROOT)));
});
