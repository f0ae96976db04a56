/** The parser: what it reads, however it is cut, and what it says of what it cannot read. */

import { expect } from "chai";
import fc from "fast-check";
import { defaultGatewayLimits } from "../limits.ts";
import { type ParserLimits, ProtocolError, RequestParser } from "./parser.ts";

const encode = (words: readonly Uint8Array[]): Buffer =>
  Buffer.concat([
    Buffer.from(`*${words.length}\r\n`),
    ...words.flatMap((word) => [Buffer.from(`$${word.length}\r\n`), word, Buffer.from("\r\n")]),
  ]);

/** What a parser reads of pieces, and what it says at the end. */
function read(
  pieces: readonly Uint8Array[],
  limits: ParserLimits = defaultGatewayLimits,
  trusted = true,
): { readonly requests: string[][]; readonly error: string | null } {
  const parser = new RequestParser(limits);
  parser.trusted = trusted;
  const requests: string[][] = [];
  try {
    for (const piece of pieces) {
      parser.push(Buffer.from(piece));
      for (let request = parser.next(); request !== undefined; request = parser.next())
        requests.push(request.map((word) => word.toString("latin1")));
    }
  } catch (cause) {
    if (!(cause instanceof ProtocolError)) throw cause;
    return { requests, error: cause.message };
  }
  return { requests, error: null };
}

const of = (text: string): Buffer => Buffer.from(text, "latin1");
const errorOf = (text: string, limits?: ParserLimits, trusted?: boolean): string | null =>
  read([of(text)], limits, trusted).error;

/** Bytes in pieces that end at these places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length];
  let from = 0;
  return ends
    .toSorted((a, b) => a - b)
    .map((end) => {
      const piece = bytes.subarray(from, end);
      from = end;
      return piece;
    });
}

describe("the parser of requests", () => {
  it("reads commands as they were sent, split at every byte", () => {
    const words = [["SET", "key", "a\r\nb"], ["GET", ""], ["PING"]].map((one) => one.map(of));
    const bytes = Buffer.concat(words.map(encode));
    const expected = words.map((one) => one.map((word) => word.toString("latin1")));
    for (let at = 0; at <= bytes.length; at++)
      expect(read([bytes.subarray(0, at), bytes.subarray(at)])).deep.equal({
        requests: expected,
        error: null,
      });
    expect(read([...bytes].map((byte) => Uint8Array.of(byte))).requests).deep.equal(expected);
  });

  it("reads any commands, in any pieces", () => {
    const command = fc.array(fc.uint8Array({ maxLength: 60 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(
        fc.array(command, { maxLength: 6 }),
        fc.array(fc.nat(), { maxLength: 8 }),
        (all, places) => {
          const bytes = Buffer.concat(all.map(encode));
          const { requests, error } = read(cut(bytes, places));
          expect(error).equal(null);
          expect(requests).deep.equal(
            all.map((one) =>
              one.map((word) => of("").toString() + Buffer.from(word).toString("latin1")),
            ),
          );
        },
      ),
      { numRuns: 300 },
    );
  });

  it("says the same of garbage however it is cut, and never anything but a ProtocolError", () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 20 }),
      fc
        .constantFrom(
          ...[
            "*1\r\n",
            "*3\r\n$3\r\nSET\r\n",
            "$4\r\nPING\r\n",
            "*-1\r\n",
            "*0\r\n",
            "\r\n",
            "$",
            "*",
          ],
          ...[
            "*99999999999999999999\r\n",
            "$-1\r\n",
            '"',
            "'",
            "PING\r\n",
            "*1\r\n$99999999999\r\n",
          ],
        )
        .map(of),
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 8 }),
        fc.array(fc.nat(), { maxLength: 6 }),
        (parts, places) => {
          const bytes = Buffer.concat(parts);
          expect(read(cut(bytes, places))).deep.equal(read([bytes]));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("reads lines, with quotes and escapes", () => {
    const lines: [string, string[][]][] = [
      ["PING\r\n", [["PING"]]],
      ["  SET  a\tb \n", [["SET", "a", "b"]]],
      ["\r\n\n", []],
      ['SET "a b" \'c "d\'\r\n', [["SET", "a b", 'c "d']]],
      ['ECHO "\\x41\\n\\r\\t\\b\\a\\"\\\\\\q"\r\n', [["ECHO", 'A\n\r\t\b\u0007"\\q']]],
      ["ECHO 'it\\'s'\r\n", [["ECHO", "it's"]]],
      ['ECHO ""\r\n', [["ECHO", ""]]],
    ];
    for (const [line, requests] of lines)
      expect(read([of(line)]), line).deep.equal({ requests, error: null });
    for (const line of ['ECHO "a\r\n', "ECHO 'a\r\n", 'ECHO "a"b\r\n', "ECHO 'a'b\r\n"])
      expect(errorOf(line), line).equal("unbalanced quotes in request");
  });

  it("says in the words of Redis what is wrong", () => {
    expect(errorOf("*x\r\n")).equal("invalid multibulk length");
    expect(errorOf("*01\r\n")).equal("invalid multibulk length");
    expect(errorOf("*1048577\r\n")).equal("invalid multibulk length");
    expect(errorOf("*1\r\n+PING\r\n")).equal("expected '$', got '+'");
    expect(errorOf("*1\r\n$-1\r\n")).equal("invalid bulk length");
    expect(errorOf("*1\r\n$x\r\n")).equal("invalid bulk length");
    expect(errorOf("*1\r\n$1e9\r\n")).equal("invalid bulk length");
    expect(errorOf("*-5\r\n*0\r\nPING\r\n")).equal(null);
  });

  it("keeps to its limits before it holds what is beyond", () => {
    const limits = { argumentsMax: 3, requestBytesMax: 100, lineBytesMax: 20 };
    expect(errorOf("*4\r\n", limits)).equal("invalid multibulk length");
    expect(errorOf("*3\r\n", limits)).equal(null);
    expect(errorOf("*1\r\n$101\r\n", limits)).equal("invalid bulk length");
    expect(errorOf(`*2\r\n$60\r\n${"x".repeat(60)}\r\n$41\r\n`, limits)).equal("too big request");
    expect(errorOf("x".repeat(21), limits)).equal("too big inline request");
    expect(errorOf("x".repeat(20), limits)).equal(null);
    expect(errorOf(`*${"1".repeat(20)}`, limits)).equal("too big mbulk count string");
    expect(errorOf(`*1\r\n$${"1".repeat(20)}`, limits)).equal("too big bulk count string");
  });

  it("holds strangers shorter", () => {
    expect(errorOf("*11\r\n", undefined, false)).equal("unauthenticated multibulk length");
    expect(errorOf("*10\r\n", undefined, false)).equal(null);
    expect(errorOf("*1\r\n$16385\r\n", undefined, false)).equal("unauthenticated bulk length");
    expect(errorOf("*1\r\n$16384\r\n", undefined, false)).equal(null);
  });

  it("does not look again and again at a long value that comes in small pieces", () => {
    const parser = new RequestParser(defaultGatewayLimits);
    parser.push(of("*2\r\n$3\r\nGET\r\n$1000000\r\n"));
    expect(parser.next()).equal(undefined);
    // Were all of it joined for each piece, this would be 10 GB of copies.
    for (let i = 0; i < 20_000; i++) {
      parser.push(Buffer.alloc(50));
      if (i < 19_999) expect(parser.next()).equal(undefined);
    }
    parser.push(of("\r\n"));
    expect(parser.next()?.[1]?.length).equal(1_000_000);
  });
});
