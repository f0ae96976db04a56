/** The suite that every codec passes. */

import { event, type EventClass, KithError } from "@kith/core";
import type { Case, Harness } from "@kith/testing/compliance";
import { expect } from "chai";
import { type Codec, UnknownTag } from "../codec.ts";
import { Message, message } from "../message.ts";
import type { PeerRef } from "../peer-ref.ts";
import { register } from "../registry.ts";
import { difference, samples } from "./samples.ts";

/** What the suite works on. */
export interface CodecHarness extends Harness {
  readonly codec: Codec;
}

class Carrier extends message("codec-compliance/Carrier")<{ content: unknown }> {}
class Derived extends event("codec-compliance/Derived", Carrier)<{ more: string }> {}
class Inner extends event("codec-compliance/Inner")<{ n: number }> {}
class Untagged extends Carrier {}
class Known extends message("codec-compliance/Known")<{ content: string }> {}
class Explicit extends message("codec-compliance/Explicit") {
  readonly n: number;

  constructor(to: PeerRef, n: number) {
    if (typeof n !== "number") throw new Error("a codec called a constructor");
    super({ to });
    this.n = n;
  }
}
register(Inner);

const to: PeerRef = { peerId: 2 ** 50 + 1, host: "10.0.0.1", port: 7000, incarnation: 3 };
const from: PeerRef = {
  peerId: 7,
  host: "::1",
  port: 0,
  incarnation: 2 ** 40,
  rebirth: 3,
  failureDomain: "zone a",
};

function one(name: string, run: (codec: Codec) => void): Case<CodecHarness> {
  return {
    name,
    // eslint-disable-next-line require-yield -- nothing to wait for
    *run({ codec }) {
      run(codec);
    },
  };
}

/** The message of a frame, which has to be one. */
function decoded(codec: Codec, bytes: Uint8Array): Message {
  const found = codec.decode(bytes);
  if (found instanceof UnknownTag) throw new Error(`the tag ${found.tag} is unknown`);
  return found;
}

function contentOf(found: Message | UnknownTag): unknown {
  if (!(found instanceof Carrier)) throw new Error(`${found.constructor.name} is no Carrier`);
  return found.content;
}

function failsWith(code: string, action: () => unknown): void {
  try {
    action();
  } catch (error) {
    expect(error instanceof KithError ? error.code : error).to.equal(code);
    return;
  }
  throw new Error(`there was no error, where ${code} was due`);
}

/** Decodes whatever it is; ends in a message, an unknown tag or the coded error. */
function survives(codec: Codec, bytes: Uint8Array): void {
  try {
    const found = codec.decode(bytes);
    expect(found instanceof Message || found instanceof UnknownTag).to.equal(true);
  } catch (error) {
    if (!(error instanceof KithError) || error.code !== "KITH_FRAME_MALFORMED") throw error;
  }
}

function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** A frame with a bit of everything. */
function richFrame(codec: Codec): Uint8Array {
  const content = samples().filter(([name]) => !/levels|byte arrays|strings|objects/.test(name));
  return codec.encode(new Carrier({ to, from, content: [content, new Inner({ n: 1 })] }));
}

/** Where ASCII text stands in bytes, or -1. */
function indexOf(bytes: Uint8Array, text: string): number {
  return bytes.findIndex((_, i) =>
    Array.from(text).every((char, k) => bytes[i + k] === char.charCodeAt(0)),
  );
}

/** The cases of the suite. */
export const codecCases: readonly Case<CodecHarness>[] = [
  ...["encode and decode", "pass"].map((way) =>
    one(`${way}: plain data of every kind comes out as it went in, and shares nothing`, (codec) => {
      for (const [name, content] of samples()) {
        const sent = new Carrier({ to, from, content });
        const found = way === "pass" ? codec.pass(sent) : decoded(codec, codec.encode(sent));
        expect(difference(contentOf(found), content, name)).to.equal(null);
        expect(found.constructor).to.equal(Carrier);
      }
      expect(Reflect.get({}, "polluted")).to.equal(undefined);
    }),
  ),
  one("receiver and sender come out as they went in; a missing sender is filled in", (codec) => {
    const named = decoded(codec, codec.encode(new Carrier({ to, from, content: 1 }), to));
    expect([named.to, named.from]).to.deep.equal([to, from]);
    const filled = decoded(codec, codec.encode(new Carrier({ to, content: 1 }), from));
    expect([filled.to, filled.from]).to.deep.equal([to, from]);
    const passed = codec.pass(new Carrier({ to, content: 1 }), from);
    expect([passed.to, passed.from]).to.deep.equal([to, from]);
    expect(passed.to).to.not.equal(to);
    expect(passed.from).to.not.equal(from);
  }),
  one("a message without a sender, or to something that is no peer, is refused", (codec) => {
    failsWith("KITH_PEER_INVALID", () => codec.encode(new Carrier({ to, content: 1 })));
    for (const wrong of [
      { peerId: -1 },
      { peerId: 1.5 },
      { peerId: 2 ** 53 },
      { host: "" },
      { port: 65_536 },
      { incarnation: -1 },
      { rebirth: 0 },
    ]) {
      failsWith("KITH_PEER_INVALID", () =>
        codec.encode(new Carrier({ to: { ...to, ...wrong }, from, content: 1 })),
      );
      failsWith("KITH_PEER_INVALID", () =>
        codec.pass(new Carrier({ to, content: 1 }), { ...from, ...wrong }),
      );
    }
  }),
  one("a frame belongs to whoever asked for it, and a message to whoever got it", (codec) => {
    const first = codec.encode(new Carrier({ to, from, content: "first" }));
    const copy = new Uint8Array(first);
    codec.encode(new Carrier({ to, from, content: "second" }));
    codec.pass(new Carrier({ to, from, content: "third" }));
    expect(first).to.deep.equal(copy);
    const frame = codec.encode(new Carrier({ to, from, content: new Uint8Array([1, 2, 3]) }));
    const found = decoded(codec, frame);
    frame.fill(255);
    expect(contentOf(found)).to.deep.equal(new Uint8Array([1, 2, 3]));
  }),
  one("a frame may lie in the middle of other bytes", (codec) => {
    const frame = codec.encode(new Carrier({ to, from, content: ["x", 0.5, new Uint8Array([9])] }));
    const buffer = new Uint8Array(frame.length + 20).fill(0xff);
    buffer.set(frame, 7);
    const found = decoded(codec, buffer.subarray(7, 7 + frame.length));
    expect(difference(contentOf(found), ["x", 0.5, new Uint8Array([9])])).to.equal(null);
  }),
  one(
    "a message comes out as an instance of its class, without its constructor being run",
    (codec) => {
      const derived = codec.pass(new Derived({ to, from, content: 1, more: "m" }));
      expect(derived instanceof Derived && derived instanceof Carrier && derived.more).to.equal(
        "m",
      );
      const explicit = decoded(codec, codec.encode(new Explicit(to, 5), from));
      expect(explicit instanceof Explicit && explicit.n).to.equal(5);
    },
  ),
  one("a registered event may travel inside of a message", (codec) => {
    const content = {
      list: [new Inner({ n: 3 })],
      message: new Derived({ to, from, content: null, more: "in" }),
    };
    const found = contentOf(codec.pass(new Carrier({ to, from, content })));
    expect(difference(found, content)).to.equal(null);
  }),
  one("what is no plain data is refused, and names the message", (codec) => {
    const cyclic: unknown[] = [];
    cyclic.push({ cyclic });
    class Thing {
      readonly field = 1;
    }
    // A tag of its own in each run: a codec that is wrong may have registered that of another.
    const tag = `codec-compliance/Unregistered-${codec.fingerprint()}`;
    class Unregistered extends event(tag)<{ n: number }> {}
    const wrong = [
      () => 1,
      Symbol("s"),
      new Thing(),
      { a: [new Thing()] },
      new Map([[new Thing(), 1]]),
      cyclic,
      new Float64Array(1),
      new Unregistered({ n: 1 }),
    ];
    for (const content of wrong) {
      failsWith("KITH_MESSAGE_NOT_PLAIN", () => codec.encode(new Carrier({ to, from, content })));
      failsWith("KITH_MESSAGE_NOT_PLAIN", () => codec.pass(new Carrier({ to, from, content })));
    }
    expect(() => codec.encode(new Carrier({ to, from, content: Symbol("s") }))).to.throw(/Carrier/);
    expect(contentOf(codec.pass(new Carrier({ to, from, content: "it goes on" })))).to.equal(
      "it goes on",
    );
  }),
  one("a class without a tag of its own is refused, where its base's would be lost", () => {
    failsWith("KITH_MESSAGE_UNTAGGED", () => new Untagged({ to, from, content: 1 }));
  }),
  one("a frame longer than 16 MiB is refused", (codec) => {
    failsWith("KITH_MESSAGE_TOO_LARGE", () =>
      codec.encode(new Carrier({ to, from, content: new Uint8Array(17 * 1024 * 1024) })),
    );
    expect(contentOf(codec.pass(new Carrier({ to, from, content: "it goes on" })))).to.equal(
      "it goes on",
    );
  }),
  one("a well-formed frame of an unknown tag says whose it is", (codec) => {
    const frame = codec.encode(new Known({ to, from, content: "x" }));
    const at = indexOf(frame, Known.tag);
    // A codec that writes tags in another form tests this by itself.
    if (at < 0) return;
    frame[at + Known.tag.length - 1] = "m".charCodeAt(0);
    const found = codec.decode(frame);
    expect(found).to.be.instanceOf(UnknownTag);
    expect(found).to.include({ tag: "codec-compliance/Knowm" });
    expect([found.to, found.from]).to.deep.equal([to, from]);
    failsWith("KITH_FRAME_MALFORMED", () => codec.decode(frame.subarray(0, -1)));
  }),
  one("a frame that was cut short, or goes on, is malformed", (codec) => {
    const frame = richFrame(codec);
    for (let length = 0; length < frame.length; length++) {
      failsWith("KITH_FRAME_MALFORMED", () => codec.decode(frame.subarray(0, length)));
    }
    failsWith("KITH_FRAME_MALFORMED", () => codec.decode(new Uint8Array([...frame, 0])));
  }),
  one("whatever the bytes, nothing but the coded error is thrown", (codec) => {
    const roll = numbers(3);
    for (let i = 0; i < 3000; i++) {
      survives(
        codec,
        Uint8Array.from({ length: roll(100) }, () => roll(256)),
      );
    }
    const frame = richFrame(codec);
    for (let i = 0; i < 10_000; i++) {
      const spoiled = new Uint8Array(frame);
      for (let flips = 1 + roll(3); flips > 0; flips--)
        spoiled[roll(spoiled.length)] = roll(4) === 0 ? 255 : roll(256);
      survives(codec, roll(3) === 0 ? spoiled.subarray(0, roll(spoiled.length)) : spoiled);
    }
    expect(
      contentOf(decoded(codec, codec.encode(new Carrier({ to, from, content: "fine" })))),
    ).to.equal("fine");
    expect(Reflect.get({}, "polluted")).to.equal(undefined);
  }),
  one("it says how many bytes the last message took", (codec) => {
    const frame = codec.encode(new Carrier({ to, from, content: "x".repeat(1000) }));
    expect(codec.bytes).to.equal(frame.length);
    codec.decode(codec.encode(new Carrier({ to, from, content: 1 })));
    expect(codec.bytes).to.be.within(1, 400);
  }),
  one("the fingerprint stands for the registered tags", (codec) => {
    const before = codec.fingerprint();
    expect(codec.fingerprint()).to.equal(before);
    const fresh = (tag: string): EventClass => class Fresh extends event(tag) {};
    register(fresh(`codec-compliance/Fresh-${before}`));
    expect(codec.fingerprint()).to.not.equal(before);
  }),
];
