import { none } from "../src/findings.ts";
import { ROOT } from "../src/source.ts";
import { checkDocComments, checkLength, checkSyntax, checkTests, checkText } from "../src/tidy.ts";

describe("the house: tidiness", () => {
  it("has no default exports, enums, namespaces, parameter properties, decorators", () =>
    none(checkSyntax(ROOT)));
  it("leaves no test out", () => none(checkTests(ROOT)));
  it("has no file that is too long", () => none(checkLength(ROOT)));
  it("has a doc comment on every public export", () => none(checkDocComments(ROOT)));
  it("names no machine and no registry", () => none(checkText(ROOT)));
});
