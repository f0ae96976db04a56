/** What the tests of all codecs share: any plain data, and the promises beyond the compliance suite. */

import { event, KithError } from "@kith/core";
import { expect } from "chai";
import fc from "fast-check";
import { difference } from "./compliance/samples.ts";
import { type Codec, Message, message, type PeerRef, register, UnknownTag } from "./index.ts";

export class Any extends message("codec-kit/Any")<{ content: unknown }> {}
class Inner extends event("codec-kit/Inner")<{ part: unknown }> {}
register(Inner);

export const to: PeerRef = { peerId: 2 ** 50, host: "10.0.0.1", port: 7000, incarnation: 1 };

const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: fc.nat(0xffff).map((unit) => String.fromCharCode(unit)), maxLength: 80 }),
  fc.string().map((text) => `\ufeff${text}`),
);

/** All plain data. */
export const plain = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, undefined, true, false, NaN, -0, Infinity, -Infinity),
    fc.maxSafeInteger(),
    fc.integer(),
    fc.double(),
    fc.bigInt({ min: -(2n ** 300n), max: 2n ** 300n }),
    fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }),
    anyText,
    fc.uint8Array(),
    fc.array(tie("value"), { maxLength: 5 }),
    fc.dictionary(
      fc.oneof(
        fc.string(),
        anyText,
        fc.constantFrom(
          "__proto__",
          "constructor",
          "prototype",
          "toJSON",
          "to",
          "tag",
          "a.b",
          "\\",
        ),
      ),
      tie("value"),
      { maxKeys: 5 },
    ),
    fc
      .array(fc.tuple(fc.oneof(anyText, fc.array(fc.nat())), tie("value")), { maxLength: 4 })
      .map((entries) => new Map<unknown, unknown>(entries)),
    fc
      .array(fc.oneof(fc.string(), fc.integer()), { maxLength: 4 })
      .map((members) => new Set(members)),
    fc.record({
      peerId: fc.maxSafeNat(),
      host: fc.string(),
      port: fc.nat(70_000),
      incarnation: fc.nat(),
    }),
  ),
})).value;

/** The content of what has been decoded. */
export function content(found: Message | UnknownTag): unknown {
  if (!(found instanceof Any)) throw new Error("it is no Any");
  return found.content;
}

/** Expects the coded error. */
export function malformed(codec: Codec, bytes: Uint8Array): void {
  expect(() => codec.decode(bytes))
    .to.throw(KithError)
    .with.property("code", "KITH_FRAME_MALFORMED");
}

/** Whether a frame decodes; anything but the coded error is thrown. */
export function decodes(codec: Codec, bytes: Uint8Array): boolean {
  try {
    const found = codec.decode(bytes);
    expect(found instanceof Message || found instanceof UnknownTag).to.equal(true);
    return true;
  } catch (error) {
    if (error instanceof KithError && error.code === "KITH_FRAME_MALFORMED") return false;
    throw error;
  }
}

/** What holds for any plain data and any bytes. */
export function codecProperties(codec: Codec): void {
  it("gives back any plain data, alone and within an event", () => {
    fc.assert(
      fc.property(plain, (value) => {
        const sent = new Any({ to, from: to, content: [value, new Inner({ part: value })] });
        expect(difference(content(codec.pass(sent)), sent.content)).to.equal(null);
        const bytes = codec.encode(sent);
        expect(difference(content(codec.decode(bytes)), sent.content)).to.equal(null);
        expect(codec.encode(codec.decode(bytes) as Any)).to.deep.equal(bytes);
        const view = codec.encodeView?.(sent);
        if (view !== undefined) expect(Uint8Array.from(view)).to.deep.equal(bytes);
      }),
      { numRuns: 400 },
    );
  });

  it("throws nothing but its error, whatever becomes of a frame", () => {
    const spoil = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
    let whole = 0;
    fc.assert(
      fc.property(plain, spoil, fc.nat(), (value, flips, cut) => {
        const bytes = codec.encode(new Any({ to, from: to, content: value }));
        expect(decodes(codec, bytes.subarray(0, cut % bytes.length))).to.equal(false);
        for (const [at, byte] of flips) bytes[at % bytes.length] = byte;
        if (decodes(codec, bytes)) whole++;
      }),
      { numRuns: 1000 },
    );
    expect(whole, "some are still frames").to.be.above(10);
    expect(Reflect.get({}, "polluted")).to.equal(undefined);
  });

  it("keeps each frame to itself: any one can be decoded alone, by another codec of its kind", () => {
    const frames = Array.from({ length: 100 }, (_, n) =>
      codec.encode(new Any({ to, from: to, content: { kind: "same", fields: { n } } })),
    );
    const fresh = Reflect.construct(codec.constructor, []) as Codec;
    expect(content(fresh.decode(frames[99] ?? new Uint8Array()))).to.deep.equal({
      kind: "same",
      fields: { n: 99 },
    });
    expect(frames[99]?.length).to.equal(frames[98]?.length);
  });

  it("an event of no known class within a message makes the frame one of an unknown tag", () => {
    const bytes = codec.encode(
      new Any({ to, from: to, content: [new Inner({ part: 1 }), new Map([[1, 2]])] }),
    );
    const text = String.fromCharCode(...bytes);
    const at = text.indexOf(Inner.tag);
    expect(at).to.be.above(0);
    bytes[at] = "k".charCodeAt(0);
    const found = codec.decode(bytes);
    expect(found).to.be.instanceOf(UnknownTag).with.property("tag", "kodec-kit/Inner");
  });

  it("a message stays as it is when the next ones are written and read", () => {
    const frameOf = (n: number): Uint8Array =>
      codec.encode(new Any({ to, from: to, content: [new Uint8Array(20).fill(n), `text ${n}`] }));
    const [first, second] = [frameOf(1), frameOf(2)];
    const kept = content(codec.decode(first));
    codec.decode(second);
    codec.pass(new Any({ to, from: to, content: new Uint8Array(200).fill(3) }));
    expect(kept).to.deep.equal([new Uint8Array(20).fill(1), "text 1"]);
    const passed = content(codec.pass(new Any({ to, from: to, content: new Uint8Array([7]) })));
    codec.decode(second);
    expect(passed).to.deep.equal(new Uint8Array([7]));
  });

  it("a value that is there twice arrives as two", () => {
    const part = { a: [1] };
    const found = content(codec.pass(new Any({ to, from: to, content: [part, part] })));
    expect(found).to.deep.equal([part, part]);
    const [first, second] = found as unknown[];
    expect(first).to.not.equal(second);
  });

  it("changes nothing of what it encodes", () => {
    const value = {
      map: new Map([[{ a: 1 }, -0]]),
      list: [null, undefined, 2n ** 70n],
      key: "\ud800",
    };
    const sent = new Any({ to, content: value });
    codec.encode(sent, to);
    expect(Object.keys(sent)).to.deep.equal(["to", "content"]);
    expect(sent.content).to.equal(value);
    expect([...value.map.keys()]).to.deep.equal([{ a: 1 }]);
  });

  it("a hole becomes undefined, and a host's byte array a common one", () => {
    // eslint-disable-next-line no-sparse-arrays
    const found = content(codec.pass(new Any({ to, from: to, content: [, 1, Buffer.from("ab")] })));
    expect(found).to.deep.equal([undefined, 1, new Uint8Array([97, 98])]);
    expect(Object.getPrototypeOf((found as unknown[])[2])).to.equal(Uint8Array.prototype);
  });

  it("the digest is that of the bytes which the last pass wrote", () => {
    const digestOf = (n: number): number => {
      codec.pass(new Any({ to, from: to, content: n }));
      return codec.digest();
    };
    const first = digestOf(1);
    expect(digestOf(2)).to.not.equal(first);
    expect(digestOf(1)).to.equal(first);
  });

  it("goes on after a large message", () => {
    const large = codec.encode(new Any({ to, from: to, content: new Uint8Array(8_000_000) }));
    expect(large.length).to.be.above(8_000_000);
    expect(codec.bytes).to.equal(large.length);
    codec.decode(large);
    const text = "small ".repeat(40);
    expect(content(codec.pass(new Any({ to, from: to, content: text })))).to.equal(text);
  });
}
