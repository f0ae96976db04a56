import { KithError } from "@kith/core";
import { expect } from "chai";
import fc from "fast-check";
import { pack, Packr } from "msgpackr";
import { Any, codecProperties, content, malformed, to } from "./codec-kit.test.ts";
import { codecCompliance } from "./compliance/index.ts";
import { MsgpackCodec } from "./msgpack-codec.ts";

const codec = new MsgpackCodec();
const peer = [to.peerId, to.host, to.port, to.incarnation];

/** A frame of Any whose content is given as the bytes of MessagePack. */
function frameOf(...value: readonly number[]): Uint8Array {
  const frame = codec.encode(new Any({ to, from: to, content: null }));
  return new Uint8Array([...frame.subarray(0, -1), ...value]);
}

codecCompliance("MsgpackCodec", () => new MsgpackCodec());

describe("MsgpackCodec", () => {
  codecProperties(codec);

  it("throws nothing but its error for any value within a frame", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (value) => {
        try {
          codec.decode(frameOf(...value));
        } catch (error) {
          expect(error).to.be.instanceOf(KithError).with.property("code", "KITH_FRAME_MALFORMED");
        }
      }),
      { numRuns: 6000 },
    );
  });

  it("is MessagePack: another writer's frame of the same shape is read", () => {
    const foreign = pack([1, Any.tag, peer, peer, "content", { a: [1, "x", [null, 2, 7]] }]);
    expect(content(codec.decode(foreign))).to.deep.equal({ a: [1, "x", new Set([7])] });
    expect(content(codec.decode(frameOf(0x05)))).to.equal(5);
  });

  it("reads none of the library's extensions", () => {
    const wild = new Packr({ structuredClone: true, moreTypes: true, useRecords: true });
    const cyclic: { self?: unknown } = {};
    cyclic.self = cyclic;
    for (const value of [
      new Date(0),
      new Error("e"),
      /r/,
      new Set([1]),
      new Float64Array(1),
      cyclic,
      [{ a: 1 }, { a: 2 }],
    ])
      malformed(codec, wild.pack([1, Any.tag, peer, peer, "content", value]));
    const bundled = new Packr({ bundleStrings: true }).pack([1, Any.tag, peer, peer, "c", "text"]);
    malformed(codec, bundled);
    malformed(codec, frameOf(0xc1));
    malformed(codec, frameOf(0xd4, 0x72, 0x40));
    malformed(codec, frameOf(0xd4, 0, 1));
  });

  it("believes no length", () => {
    const huge = [0xff, 0xff, 0xff, 0xff];
    for (const kind of [0xc6, 0xdb, 0xdd, 0xdf, 0xc9]) malformed(codec, frameOf(kind, ...huge));
    for (const kind of [0xc5, 0xda, 0xdc, 0xde]) malformed(codec, frameOf(kind, 0xff, 0xff));
    for (const kind of [0x8f, 0x9f, 0xbf, 0xc4]) malformed(codec, frameOf(kind, 0x7f));
  });

  it("refuses what is too deep, and keys that are no text", () => {
    malformed(codec, frameOf(...Array<number>(20_000).fill(0x91), 0xc0));
    malformed(codec, frameOf(...Array<number>(66).fill(0x91), 0x01));
    malformed(codec, frameOf(0x81, 0x01, 0x01));
    malformed(codec, frameOf(0x81, 0x90, 0x01));
  });

  it("refuses arrays of no known form", () => {
    const formed = (...parts: unknown[]): Uint8Array =>
      pack([1, Any.tag, peer, peer, "content", [null, ...parts]]);
    for (const parts of [
      [],
      [99],
      ["map"],
      [1, "key"],
      [3, false, "digits"],
      [3, false, new Uint8Array(513)],
      [5, 7],
      [5, Any.tag, "field"],
      [5, Any.tag, "__proto__", {}],
      [5, Any.tag, "constructor", {}],
      [6, -1, "h", 1, 1],
      [6, 1, "h", 1],
      [7, "key"],
      [7, 1, 2],
      [8, "text"],
      [8, new Uint8Array(3)],
    ])
      malformed(codec, formed(...parts));
    for (const name of ["to", "from", "__proto__", "constructor", 1])
      malformed(codec, pack([1, Any.tag, peer, peer, name, 1]));
    malformed(codec, pack([2, Any.tag, peer, peer, "content", 1]));
    malformed(codec, pack([1, Any.tag, peer, peer, "content"]));
    malformed(codec, pack([1, Any.tag, peer, null]));
    malformed(codec, pack([1, Any.tag, peer]));
    malformed(codec, pack({ tag: Any.tag }));
  });

  it("keeps to a limit that it was given", () => {
    const small = new MsgpackCodec({ bytesMax: 100 });
    expect(() => small.encode(new Any({ to, from: to, content: "x".repeat(200) })))
      .to.throw(KithError)
      .with.property("code", "KITH_MESSAGE_TOO_LARGE");
    small.encode(new Any({ to, from: to, content: "x" }));
  });
});
