/** The lanes of transactions: who goes side by side, and who waits for whom. */

import { expect } from "chai";
import { Lanes } from "./lanes.ts";
import { Past } from "./past.ts";

/** Lanes, and who has begun, in order. */
function lanes(): {
  readonly begun: string[];
  readonly enter: (who: string, written: string[], seen?: string[]) => () => void;
} {
  const all = new Lanes();
  const begun: string[] = [];
  return {
    begun,
    enter: (who, written, seen = []) => all.enter({ written, seen }, () => void begun.push(who)),
  };
}

describe("lanes of transactions", () => {
  it("let one after the other write a key, in the order in which they came", () => {
    const { begun, enter } = lanes();
    const first = enter("a", ["k"]);
    const second = enter("b", ["k", "l"]);
    enter("c", ["l"]);
    enter("d", ["m"]);
    expect(begun).deep.equal(["a", "d"]);
    first();
    expect(begun).deep.equal(["a", "d", "b"]);
    second();
    expect(begun).deep.equal(["a", "d", "b", "c"]);
  });

  it("let those who only look go side by side, between those who write", () => {
    const { begun, enter } = lanes();
    const write = enter("a", ["k"], ["k"]);
    const looks = [enter("b", ["x"], ["k"]), enter("c", ["y"], ["k"])];
    const last = enter("d", ["k"]);
    enter("e", ["z"], ["k"]);
    expect(begun).deep.equal(["a"]);
    write();
    expect(begun).deep.equal(["a", "b", "c"]);
    looks[0]?.();
    expect(begun).deep.equal(["a", "b", "c"]);
    looks[1]?.();
    expect(begun).deep.equal(["a", "b", "c", "d"]);
    last();
    expect(begun.at(-1)).equal("e");
  });

  it("are empty when all have left", () => {
    const { begun, enter } = lanes();
    enter("a", ["k"], ["l"])();
    enter("b", ["l"], ["k"])();
    expect(begun).deep.equal(["a", "b"]);
  });
});

describe("versions that are past", () => {
  it("are those below one that was seen, and one that was written over", () => {
    const past = new Past();
    past.saw("k", 5);
    expect([4, 5, 6].map((version) => past.has("k", version, 0))).deep.equal([true, false, false]);
    past.wrote("k", 5);
    expect([5, 6].map((version) => past.has("k", version, 0))).deep.equal([true, false]);
    past.saw("k", 3);
    expect(past.has("k", 5, 0)).equal(true);
  });

  it("are those of an absent key only where it was found or made present by what was begun later: it may be absent again", () => {
    const past = new Past();
    past.wrote("k", 0);
    past.saw("k", 7);
    expect(past.has("k", 0, 0)).equal(false);
    past.saw("k", 7, 20);
    expect([20, 21].map((since) => past.has("k", 0, since))).deep.equal([true, false]);
    past.saw("k", 0, 30);
    expect(past.has("k", 0, 30)).equal(false);
    past.wrote("k", 0, 40);
    expect([40, 41].map((since) => past.has("k", 0, since))).deep.equal([true, false]);
  });

  it("are forgotten where there are many, those first that were seen longest ago", () => {
    const past = new Past(2);
    past.saw("a", 5);
    past.saw("b", 5);
    past.saw("a", 6);
    past.saw("c", 5);
    expect(["a", "b", "c"].map((key) => past.has(key, 1, 0))).deep.equal([true, false, true]);
  });
});
