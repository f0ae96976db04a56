import { expect } from "chai";
import fc from "fast-check";
import { type Batch, decodeGroup, GroupWriter } from "./batch-codec.ts";
import { operations } from "./operations.test.ts";
import {
  decodeHead,
  encodeHead,
  frameHeaderBytes,
  scanSegment,
  sealFrame,
  segmentHeaderBytes,
  segmentName,
  segmentNumber,
} from "./journal-format.ts";
import { type Found, planRecovery } from "./recovery.ts";

const head = { number: 3, sequence: 41, salt: 0x5eed };

function frame(payload: Uint8Array, sequence: number, salt = head.salt): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(frameHeaderBytes), payload]);
  sealFrame(bytes, salt, sequence, [bytes.subarray(frameHeaderBytes)]);
  return bytes;
}

function segment(payloads: readonly Uint8Array[], of = head): Buffer {
  const frames = payloads.map((payload, i) => frame(payload, of.sequence + i, of.salt));
  return Buffer.concat([encodeHead(of), ...frames]);
}

const payloads = fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 }), { maxLength: 6 });

describe("the bytes of a journal", () => {
  it("are read as they were written, with zeros behind them or without", () => {
    fc.assert(
      fc.property(payloads, fc.nat(200), (written, zeros) => {
        const bytes = segment(written);
        const found = scanSegment(Buffer.concat([bytes, Buffer.alloc(zeros)]), head);
        expect(found.payloads.map((one) => [...one])).to.deep.equal(written.map((one) => [...one]));
        expect(found).to.include({ end: bytes.length, rest: "clean", restBytes: 0 });
      }),
    );
  });

  it("torn at any byte of the last frame, are those of the frames before it", () => {
    const written = [Buffer.from("one"), Buffer.from("two"), Buffer.from("three and more")];
    const whole = segment(written);
    const before = segment(written.slice(0, 2)).length;
    for (let end = before; end < whole.length; end++) {
      for (const zeros of [0, 100]) {
        const torn = Buffer.concat([whole.subarray(0, end), Buffer.alloc(zeros)]);
        const found = scanSegment(torn, head);
        expect(found.payloads, `${end}`).to.have.length(2);
        expect(found.end).to.equal(before);
        expect(found.rest).to.equal(end === before ? "clean" : "torn");
      }
    }
  });

  it("are never taken for torn where a frame in the middle is damaged", () => {
    fc.assert(
      fc.property(payloads, fc.nat(), fc.integer({ min: 1, max: 255 }), (written, where, mask) => {
        fc.pre(written.length >= 2);
        const bytes = segment(written);
        const last = frameHeaderBytes + (written.at(-1)?.length ?? 0);
        const at = segmentHeaderBytes + (where % (bytes.length - last - segmentHeaderBytes));
        bytes[at] = (bytes[at] ?? 0) ^ mask;
        expect(scanSegment(bytes, head).rest).to.equal("corrupt");
      }),
    );
  });

  it("do not take a frame of another segment, or an old one, for their own", () => {
    const foreign = frame(Buffer.from("copied"), head.sequence, 77);
    const old = frame(Buffer.from("old"), head.sequence - 1);
    const of = (bytes: Buffer): unknown =>
      scanSegment(Buffer.concat([encodeHead(head), bytes]), head).rest;
    expect(of(foreign)).to.equal("torn");
    expect(of(old)).to.equal("corrupt");
  });

  it("hold whatever a payload holds, a frame included", () => {
    const inner = segment([Buffer.from("inner")]);
    const found = scanSegment(segment([inner, Buffer.from("x")]), head);
    expect(found.payloads.map(String)).to.deep.equal([String(inner), "x"]);
  });

  it("begin with a head that says whose they are", () => {
    const bytes = encodeHead(head);
    expect(decodeHead(bytes)).to.deep.equal(head);
    expect(decodeHead(Buffer.alloc(0))).to.equal("none");
    expect(decodeHead(Buffer.alloc(500))).to.equal("none");
    expect(decodeHead(bytes.subarray(0, 20)), "torn").to.equal("none");
    expect(decodeHead(Buffer.from("a text of somebody else, long enough for a head"))).to.equal(
      "foreign",
    );
    const damaged = segment([Buffer.from("x")]);
    damaged[15] = 9;
    expect(decodeHead(damaged)).to.equal("corrupt");
    expect(segmentNumber(segmentName(12))).to.equal(12);
    expect(segmentNumber("tables")).to.equal(null);
  });
});

describe("a group of batches", () => {
  it("is read as it was written, and what it returns shares nothing with the given", () => {
    fc.assert(
      fc.property(fc.array(operations, { minLength: 1, maxLength: 5 }), (groups) => {
        const batches: Batch[] = groups.map((operations, i) => ({
          namespace: "n\ud800".repeat(i + 1),
          operations,
          install: i === 0 ? null : i,
        }));
        const writer = new GroupWriter();
        const copies = batches.map((batch) => writer.add(batch));
        const size = writer.bytes;
        const frame = Buffer.concat(writer.take());
        expect(size).to.equal(frame.length);
        expect(writer.bytes).to.equal(0);
        const plain = (of: readonly Batch[]): unknown =>
          of.map((batch) => ({ ...batch, operations: batch.operations.map(readable) }));
        const wanted = plain(batches);
        expect(plain(decodeGroup(frame.subarray(frameHeaderBytes)))).to.deep.equal(wanted);
        for (const { operations } of batches) operations.forEach(spoil);
        expect(plain(copies)).to.deep.equal(wanted);
      }),
    );
  });

  it("may be larger than a chunk, and goes on in the same chunk when it is small", () => {
    const writer = new GroupWriter();
    const large = new Uint8Array(200_000).fill(7);
    for (const value of [Buffer.from("a"), large, Buffer.from("b")]) {
      writer.add({
        namespace: "n",
        operations: [{ kind: "put", key: value.subarray(0, 9), value }],
        install: null,
      });
    }
    const parts = writer.take();
    expect(parts.length).to.be.above(1);
    expect(decodeGroup(Buffer.concat(parts).subarray(frameHeaderBytes))).to.have.length(3);
    writer.add({ namespace: "n", operations: [{ kind: "drop" }], install: null });
    expect(decodeGroup(Buffer.concat(writer.take()).subarray(frameHeaderBytes))).to.have.length(1);
  });

  it("that is cut off is a RangeError, not a batch", () => {
    const writer = new GroupWriter();
    const value = Buffer.from("value");
    writer.add({ namespace: "n", operations: [{ kind: "put", key: value, value }], install: null });
    const payload = Buffer.concat(writer.take()).subarray(frameHeaderBytes);
    for (let end = 1; end < payload.length; end++) {
      expect(() => decodeGroup(payload.subarray(0, end)), `${end}`).to.throw(RangeError);
    }
  });
});

describe("the plan of a start", () => {
  const of = (number: number, sequence: number, count: number): Found => ({
    number,
    bytes: segment(
      Array.from({ length: count }, (_, i) => Buffer.from(`${sequence + i}`)),
      { number, sequence, salt: number },
    ),
  });
  const plan = (found: readonly Found[], from: number | null): unknown => {
    const made = planRecovery(found, from);
    if ("code" in made) return `${made.code}: ${made.detail}`;
    return `${made.payloads.map(String).join(" ")} / remove ${made.remove.join(" ")} / torn ${made.torn} / next ${made.next.number} ${made.next.sequence}`;
  };

  it("replays what the tables do not cover", () => {
    expect(plan([], null)).to.equal(" / remove  / torn 0 / next 1 1");
    expect(plan([of(1, 1, 2), of(2, 3, 1)], 1)).to.equal("1 2 3 / remove  / torn 0 / next 3 4");
    expect(plan([of(1, 1, 2), of(2, 3, 1)], 2)).to.equal("3 / remove 1 / torn 0 / next 3 4");
  });

  it("cuts a torn end off the last segment only", () => {
    const torn = (one: Found): Found => ({ ...one, bytes: one.bytes.subarray(0, -1) });
    expect(plan([of(1, 1, 2), torn(of(2, 3, 2))], 1)).to.match(/^1 2 3 \/ remove {2}\/ torn 20/);
    expect(plan([torn(of(1, 1, 2)), of(2, 3, 2)], 1)).to.match(
      /KITH_STORAGE_CORRUPT.*segment 1 is/,
    );
  });

  it("removes a segment that was only being made", () => {
    const empty = { number: 2, bytes: Buffer.alloc(100) };
    expect(plan([of(1, 1, 2), empty], 1)).to.equal("1 2 / remove 2 / torn 0 / next 2 3");
    expect(plan([{ ...empty, number: 1 }], null)).to.equal(" / remove 1 / torn 0 / next 1 1");
    expect(plan([{ ...empty, number: 1 }], 1)).to.match(/KITH_STORAGE_CORRUPT.*no head/);
  });

  it("refuses gaps, and what is not its own", () => {
    expect(plan([of(1, 1, 2), of(3, 3, 1)], 1)).to.match(
      /CORRUPT: the journal's segment 2 is missing/,
    );
    expect(plan([of(2, 1, 2)], 1)).to.match(/CORRUPT: the journal's segment 1 is missing/);
    expect(plan([], 4)).to.match(/CORRUPT: the journal's segment 4 is missing/);
    expect(plan([of(1, 1, 2), of(2, 5, 1)], 1)).to.match(/CORRUPT: frames are missing/);
    const foreign = { number: 1, bytes: Buffer.from("x".repeat(100)) };
    expect(plan([foreign], 1)).to.match(/KITH_STORAGE_FORMAT/);
    const newer = Buffer.from(of(1, 1, 1).bytes);
    newer.writeUInt32BE(2, 8);
    expect(plan([{ number: 1, bytes: newer }], 1), "an unsigned change").to.match(/CORRUPT/);
    expect(plan([{ ...of(1, 1, 1), number: 2 }], 2), "a copied file").to.match(/CORRUPT/);
  });
});

function readable(operation: object): unknown {
  return Object.fromEntries(
    Object.entries(operation).map(([name, value]) => [
      name,
      value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value,
    ]),
  );
}

function spoil(operation: object): void {
  for (const value of Object.values(operation)) if (value instanceof Uint8Array) value.fill(0xee);
}
