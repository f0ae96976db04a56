import { failingCases } from "@kith/testing/compliance";
import { expect } from "chai";
import {
  codecCases,
  codecCompliance,
  networkCases,
  networkCompliance,
} from "./compliance/index.ts";
import { type Codec, LoopbackHub, type Message, PlainCodec, register } from "./index.ts";
import { harnessOf, wrongs } from "./provider-kit.test.ts";

codecCompliance("PlainCodec", () => new PlainCodec());
networkCompliance("LoopbackNetwork", () => harnessOf());
networkCompliance("LoopbackNetwork without a codec", () => ({
  ...harnessOf(new LoopbackHub({ codec: null })),
  codec: false,
}));

describe("the suite of Network", () => {
  for (const [what, make, expected] of wrongs) {
    it(`finds a provider that ${what}`, (done) => {
      const some = networkCases.filter(({ name }) => name === expected);
      expect(some, "the case exists").to.have.length(1);
      failingCases(some, make, (names) => {
        expect(names).to.deep.equal([expected]);
        done();
      });
    }).timeout(60_000);
  }
});

describe("the suite of codecs", () => {
  const wrong: readonly (readonly [string, (right: PlainCodec) => Partial<Codec>, string])[] = [
    [
      "hands back the message itself",
      () => ({ pass: (message: Message) => message }),
      "pass: plain data of every kind comes out as it went in, and shares nothing",
    ],
    [
      "lends its buffer",
      (right) => lending(right),
      "a frame belongs to whoever asked for it, and a message to whoever got it",
    ],
    [
      "forgets the sender that is named",
      (right) => ({
        encode: (message, from) =>
          right.encode(from === undefined ? message : Object.assign(message, { from }), from),
      }),
      "receiver and sender come out as they went in; a missing sender is filled in",
    ],
    [
      "tolerates more bytes",
      (right) => ({
        decode: (bytes) =>
          right.decode(bytes.at(-1) === 0 && bytes.at(-2) === 0 ? bytes.subarray(0, -1) : bytes),
      }),
      "a frame that was cut short, or goes on, is malformed",
    ],
    [
      "throws what it likes",
      (right) => ({
        decode: (bytes) => {
          if (bytes[0] !== 1) throw new RangeError("no frame");
          return right.decode(bytes);
        },
      }),
      "whatever the bytes, nothing but the coded error is thrown",
    ],
    [
      "registers whatever it meets",
      (right) => ({ encode: (message, from) => registering(right, message, from) }),
      "what is no plain data is refused, and names the message",
    ],
    [
      "has one fingerprint",
      () => ({ fingerprint: () => "always" }),
      "the fingerprint stands for the registered tags",
    ],
    ["counts no bytes", () => ({ bytes: 0 }), "it says how many bytes the last message took"],
  ];
  for (const [what, make, expected] of wrong) {
    it(`finds a codec that ${what}`, (done) => {
      const some = codecCases.filter(({ name }) => name === expected);
      expect(some, "the case exists").to.have.length(1);
      const harness = () => {
        const right = new PlainCodec();
        const codec: Codec = {
          name: "wrong",
          bytes: 0,
          encode: (message, from) => right.encode(message, from),
          decode: (bytes) => right.decode(bytes),
          pass: (message, from) => right.pass(message, from),
          digest: () => right.digest(),
          fingerprint: () => right.fingerprint(),
        };
        const parts = make(right);
        if (!("bytes" in parts)) Object.defineProperty(codec, "bytes", { get: () => right.bytes });
        return { codec: Object.assign(codec, parts), wait: () => undefined };
      };
      failingCases(some, harness, (names) => {
        expect(names).to.deep.equal([expected]);
        done();
      });
    });
  }
});

function lending(right: PlainCodec): Partial<Codec> {
  const buffer = new Uint8Array(2 ** 16);
  return {
    encode: (message, from) => {
      const frame = right.encode(message, from);
      buffer.set(frame);
      return buffer.subarray(0, frame.length);
    },
  };
}

function registering(
  right: PlainCodec,
  message: Message,
  from: Parameters<Codec["encode"]>[1],
): Uint8Array {
  const content: unknown = Reflect.get(message, "content");
  if (typeof content === "object" && content !== null && "tag" in content.constructor)
    register(content.constructor as never);
  return right.encode(message, from);
}
