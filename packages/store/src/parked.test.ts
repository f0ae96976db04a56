/** Reads that have met a prepared transaction: what they wait for, and for how long. */

import type { Asked } from "@kith/paxos";
import { expect } from "chai";
import { expired, noneParked, park, parkedMs, released } from "./parked.ts";
import { encodeAnswer } from "./query.ts";

function asked(call: number, gid = "g"): Asked {
  const from = { peerId: 1, host: "n1", port: 7000, incarnation: 1 };
  return { from, client: "c", call, gid, kind: "query", body: new Uint8Array() };
}

function found(...lockedBy: (string | null)[]): Uint8Array {
  const readings = lockedBy.map((by, i) => ({
    ...{ position: `k${i}`, lockedBy: by, version: 1 },
    ...{ expiresIn: 0, value: null, present: true },
  }));
  return encodeAnswer({ kind: "readings", readings });
}

const calls = (those: readonly Asked[]): number[] => those.map(({ call }) => call);

describe("a parked read", () => {
  it("is one that has met a transaction, and waits for that one", () => {
    const parked = noneParked();
    expect(park(parked, asked(1), found(null), 0)).equal(false);
    expect(park(parked, asked(2), found(null, "a"), 0)).equal(true);
    expect(park(parked, asked(3), found("b"), 0)).equal(true);
    expect(park(parked, asked(4, "h"), found("a"), 0)).equal(true);
    expect(park(parked, asked(5), encodeAnswer({ kind: "none" }), 0)).equal(false);
    expect(calls(released(parked, "g", "a"))).deep.equal([2]);
    expect(calls(released(parked, "g", null))).deep.equal([3]);
    expect(parked.size).equal(1);
  });

  it("waits no longer than a moment", () => {
    const parked = noneParked();
    park(parked, asked(1), found("a"), 0);
    expect(expired(parked, parkedMs - 1)).deep.equal([]);
    expect(calls(expired(parked, parkedMs))).deep.equal([1]);
    expect(parked.size).equal(0);
  });
});
