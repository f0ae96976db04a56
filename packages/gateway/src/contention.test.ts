/**
 * Fifty clients at one pair of keys of two groups, in simulated time with links of a millisecond: what they get through, and what that
 * takes. Who is in each other's way shall not keep each other from it, and no port shall be kept out by another.
 */

import { expect } from "chai";
import { contend } from "../scenarios/contention.ts";

const crowd = { seed: 1, clients: 50, linkMs: 1, seconds: 2 };

describe("fifty clients at the same two keys", function () {
  this.timeout(120_000);

  // One after the other, from the end of one to that of the next: 4 messages and a flush for the votes, 3 and a flush to end it, 1 to let in.
  it("that write them in MULTI commit a hundred times a second, at all ports alike", () => {
    const { perSecond, least, messages, errors, longestMs } = contend({ ...crowd, watches: false });
    expect(errors).equal(0);
    expect(perSecond).greaterThan(80);
    // It was 0: who had committed was always there again before the others.
    expect(least).greaterThan(10);
    expect(messages).lessThan(40);
    expect(longestMs).lessThan(1500);
  });

  // The same, and 4 messages each for WATCH and for GET before.
  it("that watch and read them first commit forty times a second, and each port gets through", () => {
    const { perSecond, least, messages, errors } = contend({ ...crowd, watches: true });
    expect(errors).equal(0);
    expect(perSecond).greaterThan(40);
    expect(least).greaterThan(0);
    // It was 200.
    expect(messages).lessThan(150);
  });
});
