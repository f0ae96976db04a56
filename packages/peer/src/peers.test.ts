/** The scenario of whole peers, at a few seeds; `npx kith sim peers --seeds A..B` runs more. */

import { seedChecks } from "@kith/sim/scenario";
import { peerRenewal, peers } from "../scenarios/peers.ts";

const number = Number(process.env["KITH_FRESH"] ?? 1);

describe("peers", function () {
  this.timeout(600_000);
  for (const { name, check } of seedChecks(peers, { number, fresh: 1, reaching: [22] }))
    it(name, check);
});

describe("peers that come and go", function () {
  this.timeout(600_000);
  for (const { name, check } of seedChecks(peerRenewal, { number, fresh: 1, reaching: [22] }))
    it(name, check);
});
