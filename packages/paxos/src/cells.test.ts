/** The cells of a table, and how they become rows and cells again. */

import { expect } from "chai";
import fc from "fast-check";
import { type Cells, deleteCell, noCells, setCell, visitKeys } from "./cells.ts";
import { type Machine } from "./machine.ts";
import { applyEntry, emptyTable, queryTable, takeDirty, tableOf } from "./table.ts";

const text = new TextEncoder();

function keysOf(cells: Cells, from = "", to?: string): string[] {
  const keys: string[] = [];
  visitKeys(cells, from, to, (key) => keys.push(key) > 0);
  return keys;
}

describe("cells", () => {
  it("have their keys in order, whatever was set and removed", () => {
    const key = fc.integer({ min: 0, max: 2000 }).map(String);
    const deed = fc.tuple(fc.boolean(), key);
    const deeds = fc.array(deed, { maxLength: 6000, size: "max" });
    fc.assert(
      fc.property(deeds, key, key, (list, from, to) => {
        const cells = noCells();
        const model = new Set<string>();
        for (const [sets, name] of list) {
          if (sets) setCell(cells, name, text.encode(name));
          else deleteCell(cells, name);
          if (sets) model.add(name);
          else model.delete(name);
        }
        const all = [...model].sort();
        expect(keysOf(cells)).deep.equal(all);
        expect(cells.values.size).equal(all.length);
        expect(keysOf(cells, from, to)).deep.equal(all.filter((at) => at >= from && at < to));
        for (const block of cells.blocks) expect(block.length).within(1, 512);
      }),
      { numRuns: 30, seed: 5 },
    );
  });

  it("are the same after they were written and read, with keys that no storage takes", () => {
    const keys = [
      "a",
      "",
      "b".repeat(1000),
      "b".repeat(1001),
      `${"b".repeat(1001)}c`,
      "d".repeat(4200),
    ];
    const machine: Machine = {
      versions: [1],
      apply({ command, table }) {
        const [deed = 0, which = 0] = command;
        const name = keys[which] ?? "";
        if (deed === 0) table.put(name, command);
        else table.delete(name);
        return command;
      },
      query: ({ table, index }) => text.encode(`${index} ${table.keys("b", "e", 3).join("|")}`),
    };
    const table = emptyTable(1);
    const rows = new Map<string, Uint8Array>();
    const apply = (...bytes: number[]): void => {
      const place = { index: table.applied + 1, term: 1, time: 0 };
      const data = new Uint8Array(bytes);
      applyEntry(table, machine, { kind: "command", data, ...place }, true);
    };
    const write = (): void => {
      for (const [row, value] of takeDirty(table))
        if (value === null) rows.delete(row);
        else rows.set(row, value);
      for (const row of rows.keys()) expect(row.length).lessThan(1024);
      const read = tableOf(rows, 1);
      expect(read.cells.values).deep.equal(table.cells.values);
      expect(read.applied).equal(table.applied);
      const query = (of: typeof table): string =>
        new TextDecoder().decode(queryTable(of, machine, new Uint8Array()));
      expect(query(read)).equal(query(table));
      expect(query(read).startsWith(`${table.applied} `)).equal(true);
    };
    for (const which of keys.keys()) apply(0, which);
    write();
    for (const which of [3, 5]) apply(1, which);
    write();
    for (const which of [5, 3]) apply(0, which);
    apply(1, 4);
    write();
  });

  it("are seen by a command with what it has written itself", () => {
    const seen: string[] = [];
    const machine: Machine = {
      versions: [1],
      apply({ table }) {
        table.put("e", new Uint8Array());
        table.put("b", new Uint8Array());
        table.delete("c");
        table.delete("a");
        table.put("a", new Uint8Array());
        seen.push(
          table.keys().join(""),
          table.keys("b", "f", 2).join(""),
          table.keys("c").join(""),
        );
        return new Uint8Array();
      },
      query: () => new Uint8Array(),
    };
    const table = emptyTable(1);
    for (const key of ["a", "c", "d", "f"]) setCell(table.cells, key, new Uint8Array());
    const entry = { kind: "command", data: new Uint8Array(), index: 1, term: 1, time: 0 } as const;
    applyEntry(table, machine, entry, false);
    expect(seen).deep.equal(["abdef", "bd", "def"]);
    expect(keysOf(table.cells).join("")).equal("abdef");
  });
});
