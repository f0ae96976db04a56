/** Replies as bytes, in both versions of the protocol. */

import { expect } from "chai";
import { Encoder } from "./encoder.ts";
import { array, err, integer, noArray, nothing, ok, type Reply, text } from "./reply.ts";

function written(reply: Reply, version: 2 | 3): string {
  const encoder = new Encoder();
  encoder.write(reply, version);
  const { length } = encoder;
  const bytes = Buffer.concat(encoder.take());
  expect(bytes.length).equal(length);
  expect(encoder.length).equal(0);
  return bytes.toString("latin1");
}

describe("the encoder of replies", () => {
  it("writes what both versions have alike", () => {
    const alike: [Reply, string][] = [
      [ok, "+OK\r\n"],
      [err("no such key"), "-ERR no such key\r\n"],
      [integer(0), ":0\r\n"],
      [integer(-1), ":-1\r\n"],
      [integer(12_345), ":12345\r\n"],
      [integer("-9223372036854775808"), ":-9223372036854775808\r\n"],
      [text(""), "$0\r\n\r\n"],
      [text("a\r\n\u00ff"), "$4\r\na\r\n\u00ff\r\n"],
      [{ kind: "bytes", bytes: Uint8Array.of(0, 255) }, "$2\r\n\u0000\u00ff\r\n"],
      [array([text("a"), array([])]), "*2\r\n$1\r\na\r\n*0\r\n"],
    ];
    for (const [reply, bytes] of alike)
      for (const version of [2, 3] as const) expect(written(reply, version)).equal(bytes);
  });

  it("writes what they have each in its way", () => {
    const set: Reply = { kind: "set", items: [integer(1)] };
    const map: Reply = { kind: "map", pairs: [["a", nothing]] };
    const verbatim: Reply = { kind: "verbatim", text: "hello" };
    expect([nothing, noArray, set, map, verbatim].map((one) => written(one, 2))).deep.equal([
      ...["$-1\r\n", "*-1\r\n", "*1\r\n:1\r\n", "*2\r\n$1\r\na\r\n$-1\r\n", "$5\r\nhello\r\n"],
    ]);
    expect([nothing, noArray, set, map, verbatim].map((one) => written(one, 3))).deep.equal([
      ...["_\r\n", "_\r\n", "~1\r\n:1\r\n", "%1\r\n$1\r\na\r\n_\r\n", "=9\r\ntxt:hello\r\n"],
    ]);
  });

  it("makes one line of an error, whatever is in it", () => {
    expect(written(err("a\r\n+OK"), 2)).equal("-ERR a  +OK\r\n");
  });

  it("writes more than its buffer holds, in order", () => {
    const encoder = new Encoder();
    const parts: string[] = [];
    for (const size of [0, 1, 31, 32, 1000, 16_383, 16_384, 70_000, 200_000, 5]) {
      const value = Buffer.alloc(size, 97 + (size % 26));
      encoder.write({ kind: "bytes", bytes: value }, 2);
      encoder.write(text(value.toString("latin1")), 2);
      const one = `$${size}\r\n${value.toString()}\r\n`;
      parts.push(one, one);
    }
    expect(Buffer.concat(encoder.take()).toString("latin1") === parts.join("")).equal(true);
  });

  it("keeps what it gave away when more is written", () => {
    const encoder = new Encoder();
    encoder.write(text("first"), 2);
    const first = encoder.take();
    encoder.write(text("again"), 2);
    encoder.take();
    expect(Buffer.concat(first).toString()).equal("$5\r\nfirst\r\n");
  });
});
