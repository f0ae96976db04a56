/** Numbers, patterns and drafts by themselves. What the commands answer is compared with Redis elsewhere. */

import { expect } from "chai";
import fc from "fast-check";
import { Draft, octets } from "./draft.ts";
import { glob } from "./glob.ts";
import { addLongDouble, readLongDouble, writeLongDouble } from "./long-double.ts";
import { int64 } from "./numbers.ts";
import { commandNamed, commands } from "./table.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function sum(a: string, b: string): string | undefined {
  const [left, right] = [readLongDouble(a), readLongDouble(b)];
  if (left === undefined || right === undefined) return undefined;
  if (left === "infinite" || right === "infinite") return "infinite";
  return writeLongDouble(addLongDouble(left, right));
}

describe("numbers", () => {
  it("are integers of 64 bits without ornaments", () => {
    for (const good of ["0", "-1", "9223372036854775807", "-9223372036854775808"])
      expect(int64(good)).equal(BigInt(good));
    for (const bad of ["", "-", "-0", "+1", "01", " 1", "1 ", "1.0", "9223372036854775808", "1e3"])
      expect(int64(bad), bad).equal(undefined);
  });

  it("are added as Redis adds them", () => {
    // Each said by a redis-server 7.0.
    const sums: [string, string, string][] = [
      ["10.50", "0.1", "10.6"],
      ["0.1", "0.2", "0.3"],
      ["5.0e3", "2.0e2", "5200"],
      ["3", "-3", "0"],
      ["1000.1", "-56000", "-54999.89999999999999858"],
      ["1.1", "0x10", "17.1"],
      ["0X1p4", "-0x1", "15"],
      ["0x.8", "0x1.8p1", "3.5"],
      ["0x1ffffffffffffffff", "0", "36893488147419103232"],
      ["0", "1e-4950", "0"],
      ["0x0p99999", "0x1p-16444", "0"],
    ];
    for (const [a, b, expected] of sums) expect(sum(a, b), `${a} + ${b}`).equal(expected);
    const hexadecimal = [
      "0xg",
      "0x.",
      "0x1p",
      "0x1p16384",
      "0x1p-16446",
      "x1",
      "1e-4951",
      "1.2e4932",
    ];
    for (const bad of [
      "",
      " 1",
      "1 ",
      "abc",
      "nan",
      "1e5000",
      "0x",
      "1.2.3",
      ".",
      "e3",
      ...hexadecimal,
    ])
      expect(sum(bad, "1"), bad).equal(undefined);
    expect(sum("inf", "1")).equal("infinite");
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.maxSafeInteger(), (a, b) => {
        expect(sum(`${a}`, `${b}`)).equal(`${BigInt(a) + BigInt(b)}`);
      }),
    );
  });
});

describe("patterns", () => {
  it("match as those of Redis", () => {
    const cases: [string, string, boolean][] = [
      ...([
        ["*", "", true],
        ["**", "", false],
        ["", "", true],
        ["h?llo", "hello", true],
      ] as const),
      ...([
        ["h?llo", "hllo", false],
        ["h*llo", "heeello", true],
        ["h[ae]llo", "hallo", true],
      ] as const),
      ...([
        ["h[^e]llo", "hello", false],
        ["h[a-b]llo", "hbllo", true],
        ["h[b-a]llo", "hallo", true],
      ] as const),
      ...([
        ["\\*", "*", true],
        ["\\*", "a", false],
        ["[\\]]", "]", true],
        ["a*b*c", "aXbYbZc", true],
      ] as const),
    ].map(([pattern, key, matches]) => [pattern, key, matches]);
    for (const [pattern, key, matches] of cases)
      expect(glob(pattern)(key), `${pattern} on ${key}`).equal(matches);
  });

  it("do not take longer than both lengths together allow", () => {
    expect(glob(`${"a*".repeat(200)}b`)("a".repeat(5000))).equal(false);
  });

  it("take no memory for what no key can be like", () => {
    const before = process.memoryUsage().heapUsed;
    const tests = ["?".repeat(2 ** 21), "a*".repeat(2 ** 20), `[${"ab".repeat(2 ** 20)}]`].map(
      glob,
    );
    expect(process.memoryUsage().heapUsed - before).lessThan(32 * 2 ** 20);
    expect(tests.map((test) => test("a"))).deep.equal([false, false, true]);
    expect(glob("?".repeat(4096))("a".repeat(4096))).equal(true);
    expect(glob(`${"?".repeat(4097)}*`)("a".repeat(4096))).equal(false);
  });
});

describe("a draft", () => {
  const entry = (key: string, value: string | null, expiresIn: number | null = null) => ({
    key,
    value: value === null ? null : bytes(value),
    version: value === null ? 0 : 7,
    expiresIn,
  });

  it("does what the store would, all or nothing", () => {
    const draft = new Draft([entry("a", "1", 500), entry("b", null)]);
    expect(
      draft.update([
        { kind: "add", key: "a", delta: 4n },
        { kind: "append", key: "b", value: bytes("x") },
        { kind: "add", key: "b", delta: 1n },
      ]),
    ).deep.include({ reason: "not-an-integer" });
    expect(draft.writes()).deep.equal([]);
    draft.update([{ kind: "add", key: "a", delta: 4n }]);
    draft.update([{ kind: "put", key: "b", value: bytes("new"), when: { kind: "absent" } }]);
    expect(octets(draft.get("a").value ?? bytes("none"))).equal("5");
    expect(draft.get("a").expiresIn).equal(500);
    expect(
      draft
        .writes()
        .map(({ key, write }) => [key, write.kind, "expiry" in write ? write.expiry : 0]),
    ).deep.equal([
      ["a", "put", "keep"],
      ["b", "put", "never"],
    ]);
  });

  it("forgets the expiry of a key that it deletes, and deletes nothing that is not there", () => {
    const draft = new Draft([entry("a", "1", 500), entry("b", null)]);
    draft.delete("a");
    draft.update([{ kind: "append", key: "a", value: bytes("2") }]);
    draft.put("b", bytes("x"), "never");
    draft.delete("b");
    expect(draft.get("a").expiresIn).equal(null);
    expect(draft.writes().map(({ key, write }) => [key, write.kind])).deep.equal([["a", "put"]]);
  });

  it("refuses what is too long", () => {
    const draft = new Draft([entry("a", "1")]);
    const value = new Uint8Array(1024 * 1024);
    expect(draft.update([{ kind: "append", key: "a", value }])).deep.include({
      reason: "too-large",
    });
  });
});

describe("the table of commands", () => {
  it("has all that is promised, each once", () => {
    const names = commands.map(({ name }) => name);
    expect(new Set(names).size).equal(names.length);
    const promised = `hello auth ping echo select quit reset client command info config
      get set getset getdel getex mget mset msetnx append strlen getrange setrange incr incrby decr decrby
      incrbyfloat setex psetex setnx del unlink exists type expire pexpire expireat pexpireat ttl pttl expiretime
      persist rename renamenx copy touch scan keys dbsize randomkey flushall flushdb multi exec discard watch unwatch`;
    for (const name of promised.split(/\s+/)) {
      expect(names).include(name);
      expect(commandNamed(name.toUpperCase())?.name).equal(name);
    }
  });
});
