import { expect } from "chai";
import fc from "fast-check";
import { addressOf, type PeerRef } from "../index.ts";
import { farewell } from "./farewell.ts";
import { type Greeting, readGreeting, writeGreeting } from "./greeting.ts";
import { CalledHandshake, CallerHandshake, type Identity, type Step } from "./handshake.ts";
import { prove, sameProof } from "./proof.ts";

const a: PeerRef = { peerId: 1, host: "10.0.0.1", port: 7000, incarnation: 3 };
const b: PeerRef = { peerId: 2, host: "::1", port: 7001, incarnation: 2 ** 40, failureDomain: "z" };
const identity = (self: PeerRef, change: Partial<Identity> = {}): Identity => ({
  self,
  cluster: "c",
  secret: "s",
  codec: "plain",
  fingerprint: "f",
  ...change,
});
const nonce = (n: number): Uint8Array => new Uint8Array(32).fill(n);

/** Lets two sides talk until one does not send any more. */
function talk(caller: CallerHandshake, called: CalledHandshake): readonly [Step, Step] {
  const challenge = called.take(caller.hello);
  if (challenge.kind !== "send") return [challenge, challenge];
  const proof = caller.take(challenge.frame);
  if (proof.kind !== "send") return [proof, challenge];
  const met = called.take(proof.frame);
  if (met.kind !== "met") return [proof, met];
  return [caller.take(met.welcome(9)), met];
}

const caller = (change: Partial<Identity> = {}, to = b, n = 1): CallerHandshake =>
  new CallerHandshake(identity(a, change), addressOf(to), 5, nonce(n));
const called = (change: Partial<Identity> = {}, n = 2): CalledHandshake =>
  new CalledHandshake(identity(b, change), nonce(n));

describe("the handshake", () => {
  it("lets two members meet, each with what the other said", () => {
    const [mine, theirs] = talk(caller(), called({ fingerprint: "g" }));
    expect(mine).to.deep.equal({
      kind: "welcomed",
      met: { peer: b, fingerprint: "g", attempt: 9 },
    });
    expect(theirs).to.deep.include({ kind: "met", met: { peer: a, fingerprint: "f", attempt: 5 } });
  });

  for (const [what, change, code] of [
    ["another cluster", { cluster: "d" }, farewell.cluster],
    ["another secret", { secret: "t" }, farewell.secret],
    ["another codec", { codec: "msgpack" }, farewell.codec],
    ["oneself", { self: b }, farewell.oneself],
  ] as const) {
    it(`refuses ${what}`, () => {
      const steps = talk(caller(change), called());
      expect(steps.find(({ kind }) => kind === "refuse")).to.include({ code });
    });
  }

  it("refuses a called side that does not know the secret, and a wrong address", () => {
    const mine = caller();
    const challenge = called().take(mine.hello);
    if (challenge.kind !== "send") throw new Error("no challenge");
    mine.take(challenge.frame);
    const forged = writeGreeting({ kind: "welcome", attempt: 9, proof: nonce(1) });
    expect(mine.take(forged)).to.include({ kind: "refuse", code: farewell.secret });
    const steps = talk(caller({}, { ...b, port: 1 }), called());
    expect(steps[0]).to.include({ kind: "refuse", code: farewell.address });
  });

  it("meets no caller whose proof is another one's, or changed", () => {
    for (const change of ["secret", "bit"]) {
      const mine = caller(change === "secret" ? { secret: "t" } : {});
      const theirs = called();
      const challenge = theirs.take(mine.hello);
      if (challenge.kind !== "send") throw new Error("no challenge");
      const proof = mine.take(challenge.frame);
      if (proof.kind !== "send") throw new Error("no proof");
      const frame = Uint8Array.from(proof.frame);
      if (change === "bit") frame[frame.length - 1] = (frame.at(-1) ?? 0) ^ 1;
      expect(theirs.take(frame)).to.include({ kind: "refuse", code: farewell.secret });
    }
  });

  it("the number of a consent cannot be changed on the way", () => {
    const mine = caller();
    const theirs = called();
    const challenge = theirs.take(mine.hello);
    if (challenge.kind !== "send") throw new Error("no challenge");
    const proof = mine.take(challenge.frame);
    if (proof.kind !== "send") throw new Error("no proof");
    const met = theirs.take(proof.frame);
    if (met.kind !== "met") throw new Error("not met");
    const welcome = readGreeting(met.welcome(9));
    if (welcome.kind !== "welcome") throw new Error("no welcome");
    const changed = writeGreeting({ ...welcome, attempt: 10 });
    expect(mine.take(changed)).to.include({ kind: "refuse", code: farewell.secret });
  });

  it("a proof fits one role, one pair of nonces and one pair of frames only", () => {
    const [hello, challenge] = [nonce(1), nonce(2)];
    const proofs = [
      prove("s", "caller", hello, challenge),
      prove("s", "called", hello, challenge),
      prove("s", "caller", challenge, hello),
      prove("t", "caller", hello, challenge),
      prove("s", "caller", hello, nonce(3)),
      prove("s", "called", hello, challenge, 1),
      prove("s", "caller", new Uint8Array([...hello, 2]), challenge.subarray(1)),
    ];
    for (const [i, one] of proofs.entries())
      for (const [k, other] of proofs.entries())
        expect(sameProof(one, other), `${i} and ${k}`).to.equal(i === k);
  });

  it("every step after the last one is a refusal", () => {
    const theirs = called();
    theirs.take(Uint8Array.of(1));
    expect(theirs.take(caller().hello)).to.include({ kind: "refuse", code: farewell.malformed });
  });

  it("whatever comes, it ends in a step, and nobody is met without the secret", () => {
    const bytes = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(
        fc.array(bytes, { maxLength: 4 }),
        fc.nat(400),
        fc.nat(255),
        (frames, at, byte) => {
          const theirs = called();
          const hello = Uint8Array.from(caller({ secret: "unknown" }).hello);
          if (at < hello.length) hello[at] = byte;
          for (const frame of [hello, ...frames]) {
            const step = theirs.take(frame);
            expect(step.kind).to.be.oneOf(["send", "refuse"]);
          }
          const mine = caller();
          for (const frame of frames) expect(mine.take(frame).kind).to.be.oneOf(["send", "refuse"]);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("greetings come out as they went in", () => {
    const text = fc.string({ maxLength: 50, unit: "grapheme" });
    const peer = fc.record({
      peerId: fc.maxSafeNat(),
      host: text.filter((one) => one !== ""),
      port: fc.nat(65_535),
      incarnation: fc.maxSafeNat(),
    });
    const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
    const greeting: fc.Arbitrary<Greeting> = fc.oneof(
      fc.record({
        kind: fc.constant("hello" as const),
        cluster: text,
        codec: text,
        fingerprint: text,
        self: peer,
        called: text,
        attempt: fc.maxSafeNat(),
        nonce: bytes32,
      }),
      fc.record({
        kind: fc.constant("challenge" as const),
        codec: text,
        fingerprint: text,
        self: peer,
        nonce: bytes32,
      }),
      fc.record({ kind: fc.constant("proof" as const), proof: bytes32 }),
      fc.record({
        kind: fc.constant("welcome" as const),
        attempt: fc.maxSafeNat(),
        proof: bytes32,
      }),
    );
    fc.assert(
      fc.property(greeting, (one) => {
        const frame = writeGreeting(one);
        expect(readGreeting(frame)).to.deep.equal(one);
        for (let length = 0; length < frame.length; length++)
          expect(() => readGreeting(frame.subarray(0, length))).to.throw(/KITH_FRAME_MALFORMED/);
        expect(() => readGreeting(Uint8Array.of(...frame, 0))).to.throw(/KITH_FRAME_MALFORMED/);
      }),
      { numRuns: 100 },
    );
  });
});
