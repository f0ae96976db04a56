import { expect } from "chai";
import type { Machine } from "./machine.ts";
import {
  inSession,
  openSession,
  type SessionResult,
  sessionResult,
  withSessions,
} from "./sessions.ts";
import { applyEntry, emptyTable, queryTable, type Table, tableOf, takeDirty } from "./table.ts";

const text = new TextDecoder();
const bytes = (of: string): Uint8Array => new TextEncoder().encode(of);

/** Counts how often it was called, by name. */
const counter: Machine = {
  versions: [1],
  apply({ command, table }) {
    const name = text.decode(command);
    if (name === "fail") throw new Error("this cannot be");
    const count = Number(text.decode(table.get(name) ?? bytes("0"))) + 1;
    table.put(name, bytes(String(count)));
    return bytes(String(count));
  },
  query: ({ query, table }) => table.get(text.decode(query)) ?? bytes(table.keys().join()),
};
const machine = withSessions(counter);

function apply(table: Table, data: Uint8Array, time = 0): SessionResult {
  const place = { index: table.applied + 1, term: 1, time };
  const { result } = applyEntry(table, machine, { kind: "command", data, ...place }, true);
  return sessionResult(result ?? new Uint8Array());
}

function call(table: Table, seq: number, ackedBelow = 1, name = "n"): string {
  const result = apply(table, inSession({ client: "c", seq, ackedBelow, command: bytes(name) }));
  return result.kind === "done" ? text.decode(result.result) : result.kind;
}

describe("a machine with sessions", () => {
  it("applies a command once, however often it comes", () => {
    const table = emptyTable(1);
    expect(call(table, 1)).equal("unknown-session");
    expect(apply(table, openSession("c")).kind).equal("opened");
    expect([call(table, 1), call(table, 1), call(table, 2), call(table, 1)]).deep.equal([
      "1",
      "1",
      "2",
      "1",
    ]);
    expect(apply(table, openSession("c", 9)).kind).equal("opened");
    expect(call(table, 3)).equal("3");
  });

  it("answers what is no command of a session, and is not stopped by it", () => {
    const table = emptyTable(1);
    apply(table, openSession("c"));
    const whole = [
      openSession("c"),
      inSession({ client: "c", seq: 1, ackedBelow: 1, command: bytes("n") }),
    ];
    for (const one of whole)
      for (let length = 0; length < one.length; length++)
        expect(apply(table, one.slice(0, length)).kind).equal("invalid");
    expect(apply(table, openSession("c".repeat(70_000))).kind).equal("invalid");
    expect(call(table, 1)).equal("1");
  });

  it("expires where it has not been used for an hour, when another one is opened", () => {
    const table = emptyTable(1);
    const hour = 3_600_000;
    const opened = openSession("c", 1, 1);
    const command = inSession({ client: "c", seq: 1, ackedBelow: 1, command: bytes("n") });
    apply(table, opened);
    expect(apply(table, command, hour).kind).equal("done");
    // Used within the hour before: it stays.
    apply(table, openSession("d"), 2 * hour);
    expect(apply(table, command, 2 * hour)).deep.equal({ kind: "done", result: bytes("1") });
    apply(
      table,
      inSession({ client: "d", seq: 1, ackedBelow: 1, command: bytes("n") }),
      2.5 * hour,
    );
    const before = table.applied;
    expect(apply(table, openSession("e", 1, before), 2.9 * hour).kind).equal("stale");
    expect(apply(table, command, 2.9 * hour).kind).equal("unknown-session");
    // Late copies of what opened it do not open it again, and so its commands are not applied again.
    expect(apply(table, opened, 3 * hour).kind).equal("stale");
    expect(apply(table, command, 3 * hour).kind).equal("unknown-session");
    // Who looks again may open one; a session that was used stayed.
    expect(apply(table, openSession("c", 2, table.applied), 3 * hour).kind).equal("opened");
    expect(apply(table, command, 3 * hour).kind).equal("stale");
    expect(
      apply(
        table,
        inSession({ client: "d", seq: 2, ackedBelow: 2, command: bytes("n") }),
        3 * hour,
      ),
    ).deep.equal({ kind: "done", result: bytes("3") });
  });

  it("forgets results that are not needed, and applies none of their commands again", () => {
    const table = emptyTable(1);
    apply(table, openSession("c"));
    for (let seq = 1; seq <= 5; seq++) call(table, seq);
    expect(call(table, 6, 5)).equal("6");
    expect([call(table, 4, 1), call(table, 5, 1)]).deep.equal(["stale", "5"]);
    const late = emptyTable(1);
    apply(late, openSession("c", 10));
    expect(call(late, 9)).equal("stale");
  });

  it("keeps a bounded number of results, and says so before it applies more", () => {
    const table = emptyTable(1);
    apply(table, openSession("c"));
    for (let seq = 1; seq <= 1024; seq++) call(table, seq);
    expect(call(table, 1025)).equal("busy");
    expect(call(table, 1025, 2)).equal("1025");
  });

  it("is all in the table: what reads it back knows what was applied", () => {
    const table = emptyTable(1);
    apply(table, openSession("c"));
    call(table, 1);
    const rows = takeDirty(table).flatMap(([key, value]) =>
      value === null ? [] : [[key, value] as const],
    );
    const copy = tableOf(rows, 1);
    expect([copy.applied, copy.hash]).deep.equal([table.applied, table.hash]);
    expect([call(copy, 1), call(copy, 2)]).deep.equal(["1", "2"]);
    const query = (of: string): string => text.decode(queryTable(copy, machine, bytes(of)));
    expect([query("n"), query("?")]).deep.equal(["2", "n"]);
  });

  it("leaves the table as it was where the inner machine fails", () => {
    const table = emptyTable(1);
    apply(table, openSession("c"));
    const before = table.hash;
    expect(() => call(table, 1, 1, "fail")).throw("this cannot be");
    expect([table.hash, table.applied]).deep.equal([before, 1]);
    expect(call(table, 1)).equal("1");
  });
});

describe("a table", () => {
  it("finds out that a machine is no function of the table and the command (D1)", () => {
    let calls = 0;
    const impure: Machine = {
      versions: [1],
      apply: ({ table }) => {
        table.put("x", new Uint8Array([++calls]));
        return new Uint8Array();
      },
      query: () => new Uint8Array(),
    };
    const entry = { kind: "command", data: new Uint8Array(), index: 1, term: 1, time: 0 } as const;
    expect(() => applyEntry(emptyTable(1), impure, entry, true)).throw("D1");
  });

  it("goes over to another version by an entry, and refuses one that the code does not have", () => {
    const versioned: Machine = {
      versions: [1, 2],
      apply: ({ version }) => new Uint8Array([version]),
      query: () => new Uint8Array(),
    };
    const table = emptyTable(1);
    const next = (): { index: number; term: number; time: number } => ({
      index: table.applied + 1,
      term: 1,
      time: 0,
    });
    const command = (): Uint8Array | null =>
      applyEntry(table, versioned, { kind: "command", data: new Uint8Array(), ...next() }, true)
        .result;
    expect(command()).deep.equal(new Uint8Array([1]));
    applyEntry(table, versioned, { kind: "upgrade", version: 2, ...next() }, true);
    expect(command()).deep.equal(new Uint8Array([2]));
    expect(() =>
      applyEntry(table, versioned, { kind: "upgrade", version: 3, ...next() }, true),
    ).throw("version 3");
    const old = { ...versioned, versions: [1] };
    const entry = { kind: "command", data: new Uint8Array(), ...next() } as const;
    expect(() => applyEntry(table, old, entry, true)).throw("version 2");
  });
});
