/** The client of the store: what each request does, and what is answered when it cannot be done. */

import { bytesText, textBytes } from "@kith/paxos";
import { expect } from "chai";
import { asked, storeWorld } from "./kit.test.ts";
import {
  Aborted,
  Ambiguous,
  Applied,
  Apply,
  Busy,
  Commit,
  Committed,
  Delete,
  Entries,
  Get,
  Got,
  NotDone,
  Put,
  Read,
  Refused,
  Scan,
  Written,
} from "./port.ts";
import { keyBytesMax, valueBytesMax } from "./position.ts";

const put = (key: string, text: string): Put => new Put({ key, value: textBytes(text) });
const textOf = ({ entry }: Got): string | null =>
  entry.value === null ? null : bytesText(entry.value);

describe("the client of the store", () => {
  it("reads what was written, and nothing where it was deleted", () => {
    const world = storeWorld(1);
    expect(asked(world, Got, new Get({ key: "a" })).entry).deep.include({
      value: null,
      version: 0,
    });
    const { version } = asked(world, Written, put("a", "one"));
    const got = asked(world, Got, new Get({ key: "a" }));
    expect(textOf(got)).equal("one");
    expect(got.entry).deep.include({ key: "a", version, expiresIn: null });
    asked(world, Written, new Delete({ key: "a" }));
    expect(textOf(asked(world, Got, new Get({ key: "a" })))).equal(null);
  });

  it("serves single keys over a port of their own", () => {
    const world = storeWorld(2);
    const { root } = world.node(3);
    root.askOne(put("a", "one"));
    world.until(() => root.answers.length === 1);
    root.askOne(new Get({ key: "a" }));
    world.until(() => root.answers.length === 2);
    expect(root.answers[0]).instanceOf(Written);
    expect(textOf(root.answers[1] as Got)).equal("one");
  });

  it("does several operations of one group at once, or none", () => {
    const world = storeWorld(3);
    const { updated } = asked(
      world,
      Applied,
      new Apply({
        updates: [
          { kind: "put", key: "a", value: textBytes("x"), expiry: 5000 },
          { kind: "append", key: "a", value: textBytes("y") },
          { kind: "add", key: "b", delta: 5n },
        ],
      }),
    );
    expect(bytesText(updated[2]?.after ?? textBytes(""))).equal("5");
    const got = asked(world, Got, new Get({ key: "a" }));
    expect(textOf(got)).equal("xy");
    expect(got.entry.expiresIn).within(1, 5001);
    const refused = asked(
      world,
      Refused,
      new Apply({
        updates: [
          { kind: "put", key: "b", value: textBytes("no") },
          { kind: "check", key: "a", when: { kind: "absent" } },
        ],
      }),
    );
    expect(refused).deep.include({ at: 1, reason: "condition" });
    expect(bytesText(refused.value ?? textBytes(""))).equal("xy");
    expect(textOf(asked(world, Got, new Get({ key: "b" })))).equal("5");
    const scattered = new Apply({
      updates: [
        { kind: "delete", key: "a" },
        { kind: "delete", key: "z" },
      ],
    });
    expect(asked(world, NotDone, scattered).reason).equal("scattered");
  });

  it("commits transactions over several groups, and tells when what was read has changed", () => {
    const world = storeWorld(4);
    const write = (key: string, text: string) =>
      ({ key, write: { kind: "put", value: textBytes(text), expiry: "never" } }) as const;
    for (const keys of [
      ["a", "b"],
      ["a", "h", "z"],
    ]) {
      const { entries } = asked(world, Entries, new Read({ keys, apart: true }));
      const reads = entries.map(({ key, version }) => ({ key, version }));
      const writes = keys.map((key) => write(key, `${key}${keys.length}`));
      asked(world, Committed, new Commit({ reads, writes }));
      asked(world, Aborted, new Commit({ reads, writes }));
      const after = asked(world, Entries, new Read({ keys })).entries;
      expect(after.map(({ value }) => value && bytesText(value))).deep.equal(
        keys.map((key) => `${key}${keys.length}`),
      );
      // One that writes nothing is a matter of what it has read alone.
      const seen = after.map(({ key, version }) => ({ key, version }));
      asked(world, Committed, new Commit({ reads: seen, writes: [] }));
      asked(world, Aborted, new Commit({ reads, writes: [] }));
    }
  });

  it("scans keys in their order, over all groups", () => {
    const world = storeWorld(5);
    for (const key of ["a", "b", "g", "h", "q", "z"]) asked(world, Written, put(key, key));
    const scan = (from: string, to: string | null, limit?: number): [string, string | null] => {
      const what = new Scan({ from, to, ...(limit === undefined ? {} : { limit }) });
      const { entries, next } = asked(world, Entries, what);
      return [entries.map(({ key }) => key).join(""), next];
    };
    expect(scan("", null)).deep.equal(["abghqz", null]);
    expect(scan("b", "q")).deep.equal(["bgh", null]);
    expect(scan("", null, 3)).deep.equal(["abg", "h"]);
    expect(scan("h", null, 2)).deep.equal(["hq", "z"]);
    expect(scan("", "g")).deep.equal(["ab", null]);
    expect(scan("r", "s")).deep.equal(["", null]);
  });

  it("refuses keys and values that are too long", () => {
    const world = storeWorld(6);
    const reasons = [
      put("k".repeat(keyBytesMax + 1), ""),
      put("ключ", ""),
      new Put({ key: "a", value: new Uint8Array(valueBytesMax + 1) }),
      new Commit({
        reads: [],
        writes: ["a", "a"].map((key) => ({ key, write: { kind: "delete" } })),
      }),
      new Read({ keys: Array.from({ length: 5000 }, String) }),
    ].map((what) => asked(world, Refused, what).reason);
    expect(reasons).deep.equal([
      "key-too-long",
      "key-no-octets",
      "too-large",
      "key-twice",
      "too-many-keys",
    ]);
    const large = new Uint8Array(valueBytesMax).fill(7);
    asked(world, Written, new Put({ key: "k".repeat(keyBytesMax), value: large }));
    const got = asked(world, Got, new Get({ key: "k".repeat(keyBytesMax) }));
    expect(got.entry.value).deep.equal(large);
  });

  it("refuses numbers that are none, and rounds times up", () => {
    const world = storeWorld(10);
    const value = textBytes("x");
    const timed = (expiry: number) =>
      new Apply({ updates: [{ kind: "put", key: "a", value, expiry }] });
    const when = { kind: "version", version: -1 } as const;
    for (const what of [
      timed(-1),
      timed(NaN),
      timed(Infinity),
      new Apply({ updates: [{ kind: "expire", key: "a", expiry: 2 ** 60 }] }),
      new Apply({ updates: [{ kind: "check", key: "a", when }] }),
      new Commit({ reads: [{ key: "a", version: 0.5 }], writes: [] }),
      new Commit({
        reads: [],
        writes: [{ key: "a", write: { kind: "put", value, expiry: -1 } }],
      }),
      new Scan({ from: "", to: null, limit: NaN }),
      new Get({ key: "a", within: NaN }),
    ])
      expect(asked(world, Refused, what).reason).equal("no-number");
    asked(world, Applied, timed(0.5));
    asked(world, Applied, timed(Number.MAX_SAFE_INTEGER));
    expect(textOf(asked(world, Got, new Get({ key: "a" })))).equal("x");
    expect(asked(world, Applied, new Apply({ updates: [] })).updated).deep.equal([]);
  });

  it("refuses what does not fit into a command, and reads in parts what does not fit into an answer", () => {
    const world = storeWorld(11);
    const names = Array.from({ length: 400 }, (_, i) => `${i % 2 === 0 ? "a" : "z"}${i}`);
    const long = names.map((name) => name.padEnd(keyBytesMax, "x"));
    const gone = (key: string) => ({ key, write: { kind: "delete" } }) as const;
    const large = new Commit({ reads: [], writes: long.map(gone) });
    expect(asked(world, Refused, large).reason).equal("too-large");
    const value = new Uint8Array(valueBytesMax);
    const expected = { kind: "value", value } as const;
    const updates = Array.from(
      { length: 9 },
      () => ({ kind: "check", key: "a", when: expected }) as const,
    );
    expect(asked(world, Refused, new Apply({ updates }))).include({ reason: "too-large", at: 8 });
    const keys = names.slice(0, 20).filter((name) => name.startsWith("a"));
    for (const key of keys) asked(world, Written, new Put({ key, value: value.fill(key.length) }));
    const { entries } = asked(world, Entries, new Read({ keys }));
    expect(entries.map(({ key }) => key)).deep.equal(keys);
    expect(entries.every(({ value: found }) => found?.length === valueBytesMax)).equal(true);
    // What was there would be told, and is too much: to run it again would not help.
    const all = new Commit({ reads: [], writes: keys.map(gone) });
    expect(asked(world, Refused, all).reason).equal("too-large");
  });

  it("says in time what it could not do, and what nobody knows", () => {
    const world = storeWorld(7);
    asked(world, Written, put("a", "one"));
    for (const index of [0, 1]) world.node(index).crash();
    const ask = new Get({ key: "a", within: 1000 });
    expect(asked(world, NotDone, ask).reason).equal("timeout");
    // It was sent, and may be lying about: nobody can call it off.
    asked(world, Ambiguous, new Put({ key: "a", value: textBytes("two"), within: 1000 }));
    for (const index of [0, 1]) world.node(index).start();
    const got = asked(world, Got, new Get({ key: "a" }));
    expect(textOf(got)).to.be.oneOf(["one", "two"]);
  });

  it("says at once that too much waits", () => {
    const world = storeWorld(8);
    for (const index of [0, 1]) world.node(index).crash();
    const { root } = world.node(3);
    for (let n = 0; n < 1010; n++) root.ask(put("a", `${n}`));
    world.runFor(1);
    expect(root.answers).length(10);
    for (const one of root.answers) expect(one).instanceOf(Busy);
    for (const index of [0, 1]) world.node(index).start();
    world.until(() => root.answers.length === 1010, { within: 60_000 });
    expect(root.answers.slice(10).every((one) => one instanceof Written)).equal(true);
  });

  it("is replaced while it works", () => {
    const world = storeWorld(9);
    const { root, system } = world.node(3);
    for (let n = 1; n <= 10; n++) {
      root.ask(new Apply({ updates: [{ kind: "add", key: "n", delta: 1n }] }));
      system.swapThen("/StorePeer-1/client", {}, () => undefined);
      world.until(() => root.answers.length === n);
    }
    expect(textOf(asked(world, Got, new Get({ key: "n" })))).equal("10");
  });
});
