import { KithError, launch, Component, ManualWorld } from "@kith/core";
import { expect } from "chai";
import fc from "fast-check";
import {
  addressOf,
  formatLife,
  formatPeer,
  inLife,
  isLater,
  isPeer,
  outlives,
  parseAddress,
  parsePeer,
  peerKey,
  type PeerRef,
  processOf,
  samePeer,
  sameProcess,
  self,
} from "./index.ts";

const peer: PeerRef = { peerId: 7, host: "10.0.0.1", port: 7000, incarnation: 3 };

const host = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6());
const peers: fc.Arbitrary<PeerRef> = fc
  .record({ peerId: fc.maxSafeNat(), host, port: fc.nat(65_535), incarnation: fc.maxSafeNat() })
  .chain((ref) =>
    fc
      .option(fc.integer({ min: 1, max: 2 ** 40 }), { nil: undefined })
      .map((rebirth) => (rebirth === undefined ? ref : { ...ref, rebirth })),
  )
  .chain((ref) =>
    fc
      .option(fc.stringMatching(/^[a-z0-9/-]{1,12}$/), { nil: undefined })
      .map((domain) => (domain === undefined ? ref : { ...ref, failureDomain: domain })),
  );

describe("PeerRef", () => {
  it("reads what it writes", () => {
    fc.assert(
      fc.property(peers, (ref) => {
        expect(parsePeer(formatPeer(ref))).to.deep.equal(ref);
      }),
    );
    expect(formatPeer(peer)).to.equal("7@10.0.0.1:7000#3");
    expect(formatPeer({ ...peer, host: "::1", failureDomain: "zone-a" })).to.equal(
      "7@[::1]:7000#3/zone-a",
    );
    expect(formatPeer({ ...peer, rebirth: 2 })).to.equal("7@10.0.0.1:7000#3.2");
  });

  it("refuses what names no peer", () => {
    const wrong = [
      "",
      "7",
      "7@h",
      "7@h:1",
      "h:1#1",
      "-1@h:1#1",
      "7@h:65536#1",
      "7@:1#1",
      "7@h:1#",
      "7@::1:1#1",
      "9007199254740992@h:1#1",
      "7@h:1#1/",
      "7@h:1#1.0",
      "7@h:1#1.",
      "7@a b:1#1",
      " 7@h:1#1",
    ];
    for (const text of wrong) {
      expect(() => parsePeer(text), text)
        .to.throw(KithError)
        .with.property("code", "KITH_PEER_INVALID");
    }
  });

  it("reads addresses", () => {
    expect(parseAddress("10.0.0.1:7000")).to.deep.equal({ host: "10.0.0.1", port: 7000 });
    expect(parseAddress("[::1]:80")).to.deep.equal({ host: "::1", port: 80 });
    for (const text of ["h", "h:", ":1", "h:1#2", "h:x", "::1:80"]) {
      expect(() => parseAddress(text), text)
        .to.throw(KithError)
        .with.property("code", "KITH_PEER_INVALID");
    }
  });

  it("tells peers and processes apart by their incarnation", () => {
    const later = { ...peer, incarnation: 4 };
    const neighbour = { ...peer, peerId: 8 };
    const moved = { ...peer, host: "10.0.0.2" };
    expect([
      samePeer(peer, { ...peer }),
      samePeer(peer, later),
      samePeer(peer, neighbour),
      samePeer(peer, moved),
    ]).to.deep.equal([true, false, false, true]);
    expect([
      sameProcess(peer, { ...peer }),
      sameProcess(peer, later),
      sameProcess(peer, neighbour),
      sameProcess(peer, moved),
    ]).to.deep.equal([true, false, true, false]);
    expect(addressOf(peer)).to.equal("10.0.0.1:7000");
    expect(processOf({ ...peer, host: "::1" })).to.equal("[::1]:7000#3");
  });

  it("tells the lives of one peer within its process apart, and orders them", () => {
    const [first, second, third] = [peer, { ...peer, rebirth: 1 }, { ...peer, rebirth: 2 }];
    const next = { ...peer, incarnation: 4 };
    const lives = [first, second, third, next];
    for (const [i, one] of lives.entries())
      for (const [j, other] of lives.entries()) {
        expect(samePeer(one, other)).to.equal(i === j);
        expect(isLater(one, other)).to.equal(i > j);
        expect(outlives(one, other)).to.equal(i > j);
        expect(peerKey(one) === peerKey({ ...other, incarnation: 3 })).to.equal(
          i % 3 === j % 3 && one.rebirth === other.rebirth,
        );
        expect(samePeer(inLife(one, other), other)).to.equal(true);
      }
    expect(lives.map(formatLife)).to.deep.equal(["3", "3.1", "3.2", "4"]);
    expect(sameProcess(first, third)).to.equal(true);
    // Its process goes on, and so do the others there; of the next life of the process none of them is a part.
    const neighbour = { ...peer, peerId: 8 };
    expect(outlives(third, neighbour)).to.equal(false);
    expect(outlives(next, { ...neighbour, rebirth: 5 })).to.equal(true);
    expect(outlives({ ...next, port: 1 }, first)).to.equal(false);
  });

  it("knows a peer reference when it sees one", () => {
    fc.assert(fc.property(peers, (ref) => isPeer(ref)));
    for (const wrong of [
      null,
      1,
      {},
      { ...peer, peerId: "7" },
      { ...peer, port: -1 },
      { ...peer, incarnation: 0.5 },
      { ...peer, host: "" },
      { ...peer, failureDomain: 1 },
      { ...peer, rebirth: 0 },
      { ...peer, rebirth: 0.5 },
    ]) {
      expect(isPeer(wrong)).to.equal(false);
    }
  });

  it("stands in a setting, for the components of a process", () => {
    class Main extends Component {
      readonly peer = parsePeer(this.setting(self));
    }
    const { scheduler } = new ManualWorld();
    const system = launch(Main, {}, { scheduler, settings: [self.of(formatPeer(peer))] });
    expect(system.instance.peer).to.deep.equal(peer);
  });
});
