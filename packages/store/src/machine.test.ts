/** What each command does to the table of a group, one at a time. */

import { assert } from "chai";
import fc from "fast-check";
import {
  type Command,
  type CommandOf,
  decodeCommand,
  encodeCommand,
  type Operation,
} from "./command.ts";
import { applyCommand } from "./machine.ts";
import { MapTable } from "./map-table.test.ts";
import { covers, valueBytesMax } from "./position.ts";
import { type Answer, decodeAnswer, decodeQuery, encodeAnswer, encodeQuery } from "./query.ts";
import type { Query } from "./query.ts";
import { answer } from "./answer.ts";
import { decodeResult, encodeResult, type Result } from "./result.ts";
import { openSeqsMax } from "./sessions.ts";
import { checkStep, checkTable, metaOf } from "./table-invariants.ts";

const client = "0123456789abcdef";
const other = "fedcba9876543210";
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array | null | undefined): string | null =>
  value === null || value === undefined ? null : new TextDecoder().decode(value);

/** A group whose commands go through their own form, and whose table is looked at after each. */
class Group {
  table = new MapTable();
  index = 0;
  time = 1000;
  readonly spawned = new Map<string, MapTable>();

  constructor(gid = "g") {
    this.apply({ kind: "found", gid, ordered: true, lo: "", hi: null });
  }

  apply(command: Command): Result {
    this.index++;
    const before = this.table;
    this.table = before.copy();
    const place = { table: this.table, index: this.index, time: this.time };
    const result = applyCommand(place, decodeCommand(encodeCommand(command)), (gid, rows) =>
      this.spawned.set(gid, new MapTable(rows)),
    );
    if (before.get("m") !== undefined) checkStep(before, this.table);
    checkTable(this.table);
    assert.deepEqual(decodeResult(encodeResult(result)), result);
    return result;
  }

  ask(query: Query): Answer {
    const found = answer(this.table, decodeQuery(encodeQuery(query)), {
      time: this.time,
      index: this.index,
    });
    assert.deepEqual(decodeAnswer(encodeAnswer(found)), found);
    return found;
  }

  open(who = client, nextSeq = 1): Result {
    const { gid } = metaOf(this.table);
    return this.apply({ kind: "open", client: who, nextSeq, hello: { gid, index: this.index } });
  }

  ticket(seq: number, ackedBelow = 1, who = client): CommandOf<"execute">["ticket"] {
    const answer = this.apply({
      kind: "open",
      client: who,
      nextSeq: 1,
      hello: { gid: metaOf(this.table).gid, index: this.index },
    });
    assert(answer.kind === "opened");
    const { gid, index } = answer;
    return { client: who, seq, ackedBelow, token: { gid, index } };
  }

  execute(seq: number, ...operations: Operation[]): Result {
    return this.apply({ kind: "execute", ticket: this.ticket(seq), reads: [], operations });
  }

  value(position: string): string | null {
    const found = this.ask({ kind: "read", keys: [position], values: true });
    assert(found.kind === "readings");
    return text(found.readings[0]?.value);
  }
}

const put = (position: string, value: string): Operation => ({
  kind: "put",
  position,
  value: bytes(value),
  expiry: "never",
});

describe("the machine of the store", () => {
  describe("operations", () => {
    it("puts, deletes, adds, appends, and tells what was there", () => {
      const group = new Group();
      const done = group.execute(1, put("a", "1"));
      assert.deepEqual(done, {
        kind: "done",
        outcomes: [{ version: 1, before: null }],
      });
      group.execute(2, { kind: "add", position: "a", delta: 41n });
      assert.equal(group.value("a"), "42");
      group.execute(3, { kind: "append", position: "a", value: bytes("!") });
      assert.equal(group.value("a"), "42!");
      const gone = group.execute(4, { kind: "delete", position: "a" });
      assert(gone.kind === "done");
      assert.equal(text(gone.outcomes[0]?.before), "42!");
      assert.isNull(group.value("a"));
    });

    it("does all of a batch, or nothing", () => {
      const group = new Group();
      group.execute(1, put("a", "x"));
      const refused = group.execute(2, put("b", "1"), {
        ...put("a", "2"),
        when: { kind: "absent" },
      });
      assert.include(refused, { kind: "refused", at: 1, reason: "condition", version: 1 });
      assert.isNull(group.value("b"));
      const done = group.execute(3, put("b", "1"), { ...put("b", "2"), when: { kind: "present" } });
      assert.equal(done.kind, "done");
      assert.equal(group.value("b"), "2");
    });

    it("refuses what cannot be, and says why", () => {
      const group = new Group();
      group.execute(1, put("word", "x"), put("big", String(2n ** 63n - 1n)), put("zero", "007"));
      const reason = (seq: number, operation: Operation): string => {
        const result = group.execute(seq, operation);
        return result.kind === "refused" ? result.reason : result.kind;
      };
      assert.equal(reason(2, { kind: "add", position: "word", delta: 1n }), "not-an-integer");
      assert.equal(reason(3, { kind: "add", position: "zero", delta: 1n }), "not-an-integer");
      assert.equal(reason(4, { kind: "add", position: "big", delta: 1n }), "overflow");
      const value = new Uint8Array(valueBytesMax);
      assert.equal(reason(5, { kind: "append", position: "word", value }), "too-large");
      assert.equal(reason(6, { kind: "expire", position: "none", expiry: 5 }), "condition");
      const wrong = { kind: "check", position: "word", when: { kind: "value", value: bytes("y") } };
      assert.equal(
        reason(7, { ...wrong, kind: "check", when: { kind: "version", version: 9 } }),
        "condition",
      );
    });

    it("takes nothing outside of its range", () => {
      const group = new Group();
      group.apply({ kind: "split", at: "m", expectedEpoch: 1 });
      const result = group.execute(1, put("z", "1"));
      assert(result.kind === "wrong-range");
      assert.lengthOf(result.descriptors, 2);
      assert.equal(result.descriptors[1]?.lo, "m");
    });
  });

  describe("once for each number", () => {
    it("gives a copy the first result", () => {
      const group = new Group();
      const first = group.execute(1, { kind: "add", position: "n", delta: 1n });
      assert.deepEqual(group.execute(1, { kind: "add", position: "n", delta: 1n }), first);
      assert.equal(group.value("n"), "1");
    });

    it("does not do what was cancelled, and tells what was done", () => {
      const group = new Group();
      const ticket = group.ticket(1);
      assert.equal(group.apply({ kind: "cancel", ticket, keys: ["a"] }).kind, "cancelled");
      assert.equal(group.execute(1, put("a", "1")).kind, "cancelled");
      group.execute(2, put("a", "2"));
      const done = group.apply({ kind: "cancel", ticket: group.ticket(2), keys: ["a"] });
      assert.equal(done.kind, "done");
      assert.equal(group.value("a"), "2");
    });

    it("keeps nothing that is not needed, and refuses late copies", () => {
      const group = new Group();
      group.execute(1, put("a", "1"));
      group.apply({ kind: "forget", client, ackedBelow: 2 });
      assert.equal(group.execute(1, put("a", "again")).kind, "stale");
      assert.equal(group.value("a"), "1");
    });

    it("keeps no register of what was heard of before its client was", () => {
      for (const how of ["acked", "expired"]) {
        const group = new Group();
        group.ticket(1);
        const tx = { client, seq: 5000 };
        const about = { tx, participants: [], keys: ["a"] } as const;
        group.apply({ kind: "force-abort", ...about });
        const rows = (): string[] => group.table.keys("t", "u");
        assert.lengthOf(rows(), 1);
        group.time += 100;
        const end = { kind: "expire-session", client, idle: 100, finished: [5000] } as const;
        assert.include(group.apply(end), { ended: false });
        const early = group.apply({ kind: "forget", client, ackedBelow: 6000 });
        assert.deepEqual(early, { kind: "forgot", ackedBelow: 5000 }, "it is not final");
        group.apply({ kind: "finish", committed: false, ...about });
        group.time += 100;
        if (how === "acked") group.apply({ kind: "forget", client, ackedBelow: 6001 });
        else assert.include(group.apply(end), { ended: true });
        assert.deepEqual(rows(), [], how);
      }
      // What nobody has done with goes in one step, too.
      const group = new Group();
      group.ticket(1);
      const about = { tx: { client, seq: 3000 }, participants: [], keys: ["a"] } as const;
      group.apply({ kind: "finish", committed: false, ...about });
      const { kind } = group.apply({ kind: "forget", client, ackedBelow: 4000 });
      assert.equal(kind, "forgot");
      assert.deepEqual(group.table.keys("t", "u"), []);
    });

    it("bounds what it keeps of a client", () => {
      const group = new Group();
      assert.equal(group.execute(openSeqsMax, put("a", "1")).kind, "done");
      assert.equal(group.execute(openSeqsMax + 1, put("a", "2")).kind, "busy");
    });

    it("does not open a session by a late copy of the request", () => {
      const group = new Group();
      const hello = { gid: "g", index: group.index };
      group.apply({ kind: "open", client, nextSeq: 1, hello });
      group.time += 100;
      const end = { kind: "expire-session", client, idle: 100, finished: [] } as const;
      assert.deepEqual(group.apply(end), { kind: "session-expired", ended: true });
      assert.equal(group.apply({ kind: "open", client, nextSeq: 1, hello }).kind, "stale");
      assert.equal(group.open().kind, "opened");
    });

    it("ends no session that is used, or that has transactions which are not final", () => {
      const group = new Group();
      const prepared = prepare(group, 1, [["a", "1"]]);
      assert.deepEqual(prepared, ["P"]);
      const end = { kind: "expire-session", client, idle: 100, finished: [1] } as const;
      assert.deepEqual(group.apply(end), { kind: "session-expired", ended: false });
      group.time += 100;
      assert.deepEqual(group.apply(end), { kind: "session-expired", ended: false });
      finish(group, 1, true, ["a"]);
      assert.deepEqual(group.apply({ ...end, finished: [] }), {
        kind: "session-expired",
        ended: false,
      });
      assert.deepEqual(group.apply(end), { kind: "session-expired", ended: true });
    });
  });

  describe("transactions", () => {
    it("locks what is prepared: writers wait, readers are told, others are voted down", () => {
      const group = new Group();
      assert.deepEqual(prepare(group, 1, [["a", "1"]]), ["P"]);
      const locked = group.execute(2, put("a", "x"));
      assert.equal(locked.kind, "locked");
      const read = group.ask({ kind: "read", keys: ["a"], values: true });
      assert(read.kind === "readings");
      assert.isNotNull(read.readings[0]?.lockedBy);
      assert.deepEqual(prepare(group, 1, [["a", "2"]], other), ["A"]);
      finish(group, 1, true, ["a"]);
      assert.equal(group.value("a"), "1");
      // It was never kept that the key was locked.
      assert.equal(group.execute(2, put("a", "x")).kind, "done");
    });

    it("votes against what has read something else", () => {
      const group = new Group();
      group.execute(1, put("a", "1"));
      assert.deepEqual(prepare(group, 2, [["a", null, 0]]), ["A"]);
      assert.deepEqual(prepare(group, 3, [["a", null, 1]]), ["P"]);
      assert.deepEqual(prepare(group, 4, [["gone", null, 0]]), ["P"]);
    });

    it("lets several read a key, and nobody write it meanwhile", () => {
      const group = new Group();
      assert.deepEqual(prepare(group, 1, [["a", null, 0]]), ["P"]);
      assert.deepEqual(prepare(group, 1, [["a", null, 0]], other), ["P"]);
      assert.equal(group.execute(2, put("a", "1")).kind, "locked");
      const read = group.ask({ kind: "read", keys: ["a"], values: true });
      assert(read.kind === "readings");
      assert.isNull(read.readings[0]?.lockedBy ?? null);
      finish(group, 1, false, ["a"]);
      finish(group, 1, true, ["a"], other);
      assert.equal(group.execute(2, put("a", "1")).kind, "done");
    });

    it("stops at an outcome that cannot be", () => {
      const group = new Group();
      group.ticket(1);
      assert.throws(() => finish(group, 1, true, ["a"]), /T2/);
    });

    it("says when another body comes under the same number", () => {
      const group = new Group();
      prepare(group, 1, [["a", "1"]]);
      const ticket = group.ticket(1);
      const parts = [{ position: "a", expected: null, write: null }];
      const participants = [{ position: "a", writes: false }];
      const again = {
        kind: "prepare",
        ticket,
        participants,
        parts,
        bodyHash: 8,
        hint: "",
      } as const;
      assert.equal(group.apply(again).kind, "mismatch");
    });

    it("says who comes in vain, and only where that is certain", () => {
      const group = new Group();
      const enter = (expected: number | null) =>
        group.ask({ kind: "enter", name: "t", keys: [{ position: "a", expected }] });
      const entered = { kind: "entered", lockedBy: null } as const;
      // Absent, or a version that this replica has not come to.
      assert.deepEqual(enter(0), entered);
      assert.deepEqual(enter(9), entered);
      group.execute(1, put("a", "1"));
      group.execute(2, put("a", "2"));
      assert.deepEqual(enter(1), { kind: "outdated", position: "a" });
      assert.deepEqual(enter(2), entered);
      assert.deepEqual(enter(3), entered);
      assert.deepEqual(enter(null), entered);
      // It may be absent again.
      assert.deepEqual(enter(0), entered);
      group.execute(3, { kind: "delete", position: "a" });
      assert.deepEqual(enter(2), { kind: "outdated", position: "a" });
      prepare(group, 4, [["a", "3"]]);
      const locked = enter(0);
      assert(locked.kind === "entered" && locked.lockedBy !== null);
    });

    it("finds those in doubt, and what to do about them", () => {
      const group = new Group();
      prepare(group, 1, [["a", "1"]]);
      group.time += 10_000;
      const found = group.ask({ kind: "in-doubt", before: group.time - 5000, limit: 10 });
      assert(found.kind === "transactions");
      const [known] = found.transactions;
      assert.deepEqual(known?.participants, [{ position: "a", writes: true }]);
      assert.deepEqual(known?.states, [{ position: "a", state: "P" }]);
      finish(group, 1, true, ["a"]);
      const none = group.ask({ kind: "in-doubt", before: group.time, limit: 10 });
      assert.deepEqual(none, { kind: "transactions", transactions: [] });
    });
  });

  describe("time", () => {
    it("deletes a key when its time has passed, and not before", () => {
      const group = new Group();
      group.execute(1, { ...put("a", "1"), kind: "put", value: bytes("1"), expiry: 50 });
      group.apply({ kind: "expire", keys: ["a"] });
      assert.equal(group.value("a"), "1");
      group.time += 50;
      assert.deepEqual(group.ask({ kind: "due", at: group.time, limit: 10 }), {
        kind: "keys",
        keys: ["a"],
      });
      assert.deepEqual(group.apply({ kind: "expire", keys: ["a"] }), { kind: "expired", count: 1 });
      assert.isNull(group.value("a"));
    });

    it("counts no further than numbers go", () => {
      const group = new Group();
      const expiry = Number.MAX_SAFE_INTEGER;
      const done = group.execute(1, { kind: "put", position: "a", value: bytes("1"), expiry });
      assert.equal(done.kind, "done");
      assert.equal(group.value("a"), "1");
    });

    it("keeps, changes and removes the time of a key", () => {
      const group = new Group();
      const due = (): Answer => group.ask({ kind: "due", at: 1e6, limit: 10 });
      group.execute(1, { kind: "put", position: "a", value: bytes("1"), expiry: 50 });
      group.execute(2, { kind: "add", position: "a", delta: 1n });
      assert.deepEqual(due(), { kind: "keys", keys: ["a"] });
      group.execute(3, { kind: "expire", position: "a", expiry: "never" });
      assert.deepEqual(due(), { kind: "keys", keys: [] });
      group.execute(4, { kind: "expire", position: "a", expiry: 10 });
      group.execute(5, put("a", "new"));
      assert.deepEqual(due(), { kind: "keys", keys: [] });
    });

    it("does not delete under a lock", () => {
      const group = new Group();
      group.execute(1, { kind: "put", position: "a", value: bytes("1"), expiry: 50 });
      prepare(group, 2, [["a", null, 1]]);
      group.time += 100;
      assert.deepEqual(group.apply({ kind: "expire", keys: ["a"] }), { kind: "expired", count: 0 });
    });
  });

  describe("splits", () => {
    it("are all told of to who knows the first group alone, however many there were", () => {
      const group = new Group();
      for (let n = 0; n < 40; n++) {
        const at = String.fromCharCode(200 - n);
        const { epoch } = metaOf(group.table);
        assert.equal(group.apply({ kind: "split", at, expectedEpoch: epoch }).kind, "split");
      }
      const far = group.execute(1, put("\u00f0", "1"));
      assert(far.kind === "wrong-range");
      assert.isTrue(far.descriptors.some((one) => covers(one, "\u00f0")));
    });

    it("carries keys, locks, registers, sessions and results to where they belong", () => {
      const group = new Group();
      group.execute(1, put("a", "1"), put("z", "2"));
      prepare(group, 2, [
        ["b", "3"],
        ["y", "4"],
      ]);
      const result = group.apply({ kind: "split", at: "m", expectedEpoch: 1 });
      assert(result.kind === "split");
      const right = new Group();
      right.table = group.spawned.get(result.right.gid) ?? new MapTable();
      right.index = 5;
      checkTable(right.table);
      assert.equal(right.value("z"), "2");
      assert.equal(group.value("a"), "1");
      finish(group, 2, true, ["b"]);
      finish(right, 2, true, ["y"]);
      assert.equal(right.value("y"), "4");
      assert.equal(group.value("b"), "3");
      // A copy of what was done before is known in both.
      assert.equal(right.execute(1, put("z", "again")).kind, "done");
      assert.equal(right.value("z"), "2");
    });

    it("is done once, at the epoch it was meant for", () => {
      const group = new Group();
      group.apply({ kind: "split", at: "m", expectedEpoch: 1 });
      const again = group.apply({ kind: "split", at: "c", expectedEpoch: 1 });
      assert(again.kind === "epoch-mismatch");
      assert.equal(again.descriptor.epoch, 2);
      assert.equal(group.spawned.size, 1);
    });
  });

  it("scans in order, in parts, with what is locked", () => {
    const group = new Group();
    group.execute(1, ...["a", "b", "c", "d"].map((key) => put(key, key)));
    prepare(group, 2, [["bb", "new"]]);
    const first = group.ask({ kind: "scan", from: "", to: null, limit: 3, values: true });
    assert(first.kind === "scanned");
    assert.deepEqual(
      first.readings.map(({ position, lockedBy }) => position + (lockedBy === null ? "" : "*")),
      ["a", "b", "bb*"],
    );
    const rest = group.ask({
      kind: "scan",
      from: first.next ?? "",
      to: "d",
      limit: 3,
      values: true,
    });
    assert(rest.kind === "scanned");
    assert.deepEqual(
      rest.readings.map(({ position }) => position),
      ["c"],
    );
    assert.isNull(rest.next);
  });

  it("scans what is locked behind keys that are absent and only read", () => {
    const group = new Group();
    group.execute(1, put("z", "z"));
    prepare(group, 2, [
      ["a1", null, 0],
      ["a2", null, 0],
      ["a3", null, 0],
    ]);
    prepare(group, 3, [["a4", "new"]], other);
    const found = group.ask({ kind: "scan", from: "", to: null, limit: 1, values: true });
    assert(found.kind === "scanned");
    assert.deepEqual(
      found.readings.map(({ position }) => position),
      ["a4"],
    );
  });

  it("does the same to the same table, whatever comes (D1)", () => {
    const operation: fc.Arbitrary<Operation> = fc.oneof(
      fc.record({
        kind: fc.constant("put" as const),
        position: fc.constantFrom("a", "b", "n"),
        value: fc.constantFrom(bytes("1"), bytes("x")),
        expiry: fc.constantFrom("never" as const, "keep" as const, 30),
      }),
      fc.record({ kind: fc.constant("delete" as const), position: fc.constantFrom("a", "n") }),
      fc.record({
        kind: fc.constant("add" as const),
        position: fc.constantFrom("a", "n"),
        delta: fc.bigInt({ min: -3n, max: 3n }),
      }),
    );
    const step = fc.tuple(
      fc.integer({ min: 1, max: 6 }),
      fc.array(operation, { maxLength: 3, minLength: 1 }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const [one, two] = [new Group(), new Group()];
        for (const [seq, operations] of steps) {
          for (const group of [one, two]) group.time += 7;
          const results = [one, two].map((group) => group.execute(seq, ...operations));
          assert.deepEqual(results[0], results[1]);
        }
        assert.equal(one.table.text(), two.table.text());
      }),
      { numRuns: 60 },
    );
  });
});

/** Prepares a transaction; each key with its value (null: only read) and the version that was read. */
function prepare(
  group: Group,
  seq: number,
  keys: readonly (readonly [string, string | null, number?])[],
  who = client,
): string[] {
  const result = group.apply({
    kind: "prepare",
    ticket: group.ticket(seq, 1, who),
    participants: keys.map(([position, value]) => ({ position, writes: value !== null })),
    parts: keys.map(([position, value, expected]) => ({
      position,
      expected: expected ?? null,
      write: value === null ? null : { kind: "put", value: bytes(value), expiry: "never" },
    })),
    bodyHash: 7,
    hint: "",
  });
  return result.kind === "votes" ? result.votes.map(({ state }) => state) : [result.kind];
}

function finish(group: Group, seq: number, committed: boolean, keys: string[], who = client): void {
  const result = group.apply({
    kind: "finish",
    tx: { client: who, seq },
    committed,
    participants: [],
    keys,
  });
  assert.equal(result.kind, "finished");
}
