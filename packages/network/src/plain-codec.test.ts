import { KithError } from "@kith/core";
import { expect } from "chai";
import fc from "fast-check";
import { Any, content, plain, to } from "./codec-kit.test.ts";
import { difference } from "./compliance/samples.ts";
import { PlainCodec, UnknownTag } from "./index.ts";

const codec = new PlainCodec();

function malformed(bytes: Uint8Array | readonly number[]): void {
  expect(() => codec.decode(new Uint8Array(bytes)))
    .to.throw(KithError)
    .with.property("code", "KITH_FRAME_MALFORMED");
}

/** A frame of Any whose content is given in bytes. */
function frameOf(...value: readonly number[]): Uint8Array {
  // The content of an undefined field is its last byte but one.
  const frame = codec.encode(new Any({ to, from: to, content: undefined }));
  return new Uint8Array([...frame.subarray(0, -2), ...value, 0]);
}

describe("PlainCodec", () => {
  it("gives back any plain data", () => {
    fc.assert(
      fc.property(plain, (value) => {
        const sent = new Any({ to, from: to, content: value });
        expect(difference(content(codec.pass(sent)), value)).to.equal(null);
        expect(difference(content(codec.decode(codec.encode(sent))), value)).to.equal(null);
      }),
      { numRuns: 2000 },
    );
  });

  it("encodes what it has decoded to the same bytes", () => {
    fc.assert(
      fc.property(plain, (value) => {
        const frame = codec.encode(new Any({ to, from: to, content: value }));
        const found = codec.decode(frame);
        if (found instanceof UnknownTag) throw new Error("unknown");
        expect(codec.encode(found)).to.deep.equal(frame);
      }),
    );
  });

  it("throws nothing but its error, whatever it reads", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (value) => {
        for (const bytes of [value, frameOf(...value)]) {
          try {
            codec.decode(bytes);
          } catch (error) {
            expect(error)
              .to.be.instanceOf(KithError)
              .and.to.have.property("code", "KITH_FRAME_MALFORMED");
          }
        }
      }),
      { numRuns: 6000 },
    );
  });

  it("reads the frame that the tests are built on", () => {
    expect(content(codec.decode(frameOf(0x05)))).to.equal(5);
    expect(content(codec.decode(frameOf(0xcb, 2, 1, 2)))).to.deep.equal([1, 2]);
  });

  it("believes no length", () => {
    const huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f];
    for (const kind of [0xc7, 0xc8, 0xc9, 0xca, 0xcb, 0xcd, 0xce]) {
      malformed(frameOf(kind, ...huge));
      malformed(frameOf(kind, 0x7f));
    }
    malformed(frameOf(0xcc, ...huge));
    malformed(frameOf(0xcf, ...huge));
  });

  it("refuses what is too deep, too long, or no text", () => {
    malformed(
      frameOf(
        ...Array<number>(20_000)
          .fill(0xcb)
          .flatMap((kind) => [kind, 1]),
      ),
    );
    malformed(frameOf(0xc4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff));
    // Lone continuation, overlong forms, beyond the last code point.
    for (const text of [
      [0x80],
      [0xc0, 0x80],
      [0xe0, 0x80, 0x80],
      [0xf0, 0x80, 0x80, 0x80],
      [0xf5, 0x80, 0x80, 0x80],
      [0xc3],
    ]) {
      malformed(frameOf(0x80 | text.length, ...text));
    }
    malformed(frameOf(0xff));
  });

  it("lets no field change what an event is", () => {
    for (const name of ["__proto__", "constructor", "to", "from"]) {
      const frame = frameOf(0x01).subarray(0, -1);
      const key = Array.from(name, (char) => char.charCodeAt(0));
      malformed([...frame, key.length + 1, ...key, 0x01, 0]);
    }
    const own = content(
      codec.decode(
        frameOf(0xcc, 10, ...Array.from("__proto__", (c) => c.charCodeAt(0)), 0xcc, 0, 0),
      ),
    );
    expect(Object.getPrototypeOf(own)).to.equal(Object.prototype);
    expect(Object.keys(Object(own))).to.deep.equal(["__proto__"]);
  });

  it("refuses another version, and an envelope without peers", () => {
    const frame = codec.encode(new Any({ to, from: to, content: 1 }));
    malformed([2, ...frame.subarray(1)]);
    const peers = frame.indexOf(0xd0);
    malformed([...frame.subarray(0, peers), 0xc0, ...frame.subarray(peers + 1)]);
  });

  it("refuses a host's byte array no more than others, and gives back a plain one", () => {
    const found = content(
      codec.decode(
        Buffer.from(codec.encode(new Any({ to, from: to, content: Buffer.from("abc") }))),
      ),
    );
    expect(found).to.be.instanceOf(Uint8Array);
    expect(Object.getPrototypeOf(found)).to.equal(Uint8Array.prototype);
  });

  it("keeps to a limit that it was given", () => {
    const small = new PlainCodec({ bytesMax: 100 });
    expect(() => small.encode(new Any({ to, from: to, content: "x".repeat(200) })))
      .to.throw(KithError)
      .with.property("code", "KITH_MESSAGE_TOO_LARGE");
    small.encode(new Any({ to, from: to, content: "x" }));
  });

  it("gives memory back after a large message", () => {
    const large = new PlainCodec();
    const frame = large.encode(new Any({ to, from: to, content: new Uint8Array(8_000_000) }));
    expect(frame.length).to.be.above(8_000_000);
    expect(content(large.pass(new Any({ to, from: to, content: "small" })))).to.equal("small");
  });
});
