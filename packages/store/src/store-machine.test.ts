/** What comes to the machine from outside, and must not stop it. */

import { assert } from "chai";
import fc from "fast-check";
import { type Command, encodeCommand } from "./command.ts";
import { MapTable } from "./map-table.test.ts";
import { keyBytesMax, valueBytesMax } from "./position.ts";
import { decodeAnswer, encodeQuery } from "./query.ts";
import { decodeResult, type Result } from "./result.ts";
import { storeMachine } from "./store-machine.ts";

const client = "c".repeat(16);

class Group {
  readonly table = new MapTable();
  index = 0;
  readonly spawned = new Map<string, ReadonlyMap<string, Uint8Array>>();

  raw(command: Uint8Array): Result {
    const { table, spawned } = this;
    const place = { index: ++this.index, time: this.index, version: 1 };
    const spawn = (gid: string, cells: ReadonlyMap<string, Uint8Array>): void =>
      void spawned.set(gid, cells);
    return decodeResult(storeMachine.apply({ command, table, spawn, ...place }));
  }

  apply(command: Command): Result {
    return this.raw(encodeCommand(command));
  }
}

function founded(): { readonly group: Group; readonly ticket: (seq: number) => never } {
  const group = new Group();
  group.apply({ kind: "found", gid: "g", ordered: true, lo: "", hi: null });
  const hello = { gid: "g", index: 1 };
  const opened = group.apply({ kind: "open", client, nextSeq: 1, hello });
  assert(opened.kind === "opened");
  const token = { gid: opened.gid, index: opened.index };
  const ticket = (seq: number): never => ({ client, seq, token, ackedBelow: 1 }) as never;
  return { group, ticket };
}

describe("the machine of a store's group", () => {
  it("answers bytes that are no command and no question, and changes nothing", () => {
    const { group, ticket } = founded();
    const operations = [
      { kind: "put", position: "a", value: new Uint8Array(3), expiry: 5 },
    ] as const;
    const valid = encodeCommand({ kind: "execute", ticket: ticket(1), reads: [], operations });
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      // A command of which a part is missing, or a byte is another one in its tail.
      fc.nat(valid.length - 1).map((end) => valid.slice(0, end)),
    );
    fc.assert(
      fc.property(bytes, (given) => {
        const before = group.table.text();
        const { kind } = group.raw(given);
        const changes = kind !== "mismatch" && kind !== "wrong-range";
        if (!changes) assert.equal(group.table.text(), before);
        const asked = { query: given, table: group.table, index: 1, time: 1, version: 1 };
        decodeAnswer(storeMachine.query(asked));
      }),
      { numRuns: 2000, seed: 3 },
    );
  });

  it("refuses keys and values that are too large, and results that would be", () => {
    const { group, ticket } = founded();
    const put = (position: string, length: number, seq: number): Result =>
      group.apply({
        kind: "execute",
        ticket: ticket(seq),
        reads: [],
        operations: [{ kind: "put", position, value: new Uint8Array(length), expiry: "never" }],
      });
    const reason = (result: Result): string =>
      result.kind === "refused" ? result.reason : result.kind;
    assert.equal(reason(put("k".repeat(keyBytesMax + 7), 1, 1)), "too-large");
    assert.equal(reason(put("k", valueBytesMax + 1, 2)), "too-large");
    for (let i = 0; i < 9; i++) assert.equal(reason(put(`k${i}`, valueBytesMax, 3 + i)), "done");
    const positions = Array.from({ length: 9 }, (_, i) => `k${i}`);
    const operations = positions.map((position) => ({ kind: "delete", position }) as const);
    const all = { kind: "execute", ticket: ticket(20), reads: [], operations } as const;
    assert.equal(reason(group.apply(all)), "too-large");
    assert.equal(
      reason(group.apply({ ...all, ticket: ticket(21), operations: operations.slice(1) })),
      "done",
    );
  });

  it("votes on no transaction that names a key twice", () => {
    const { group, ticket } = founded();
    const part = { position: "a", expected: null, write: { kind: "delete" } } as const;
    const participants = [{ position: "a", writes: true }];
    const about = { participants, parts: [part, part], bodyHash: 1, hint: "" };
    const { kind } = group.apply({ kind: "prepare", ticket: ticket(1), ...about });
    assert.equal(kind, "mismatch");
  });

  it("says that it is nowhere until it was founded", () => {
    const group = new Group();
    const hello = { gid: "g", index: 1 };
    const { kind } = group.apply({ kind: "open", client, nextSeq: 1, hello });
    assert.equal(kind, "wrong-range");
    const query = encodeQuery({ kind: "hello" });
    const asked = { query, table: group.table, index: 1, time: 1, version: 1 };
    assert.equal(decodeAnswer(storeMachine.query(asked)).kind, "none");
  });
});
