import { expect } from "chai";
import { groupOf, heardFrom, parsePeer, quorumOf } from "./index.ts";

const given = ["1@a:1#3", "2@b:1#3", "3@c:1#3"].map(parsePeer);

describe("a group", () => {
  it("keeps the last life of each peer; what was given counts for nothing", () => {
    const group = groupOf(given, 1);
    expect([...group.silent]).deep.equal([2, 3]);
    // What was given may be later than what is.
    heardFrom(group, parsePeer("2@b:1#2"));
    expect(group.peers.get(2)?.incarnation).equal(2);
    heardFrom(group, parsePeer("2@b:2#5"));
    heardFrom(group, parsePeer("2@b:1#4"));
    expect(group.peers.get(2)).deep.equal(parsePeer("2@b:2#5"));
    expect([...group.silent]).deep.equal([3]);
    expect([...group.peers.keys()]).deep.equal([1, 2, 3]);
  });

  it("takes nobody in", () => {
    const group = groupOf(given, 1);
    heardFrom(group, parsePeer("4@d:1#1"));
    expect(group.peers.size).equal(3);
  });

  it("has quorums of which any two share one peer more than may forget", () => {
    for (let n = 1; n <= 9; n++) {
      const group = groupOf(
        Array.from({ length: n }, (_, i) => parsePeer(`${i}@a:1#1`)),
        0,
      );
      for (const forgetful of [0, 1, 2]) {
        const quorum = quorumOf(group, forgetful);
        expect(2 * quorum - n).greaterThan(forgetful);
        expect(2 * (quorum - 1) - n, "the least").at.most(forgetful);
      }
    }
  });
});
