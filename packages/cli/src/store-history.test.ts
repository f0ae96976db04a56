/** The history that `kith sim store-chaos --history` writes: of the shape that other checkers know, and enough to judge by. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import {
  checkAppends,
  checkRegisters,
  type HistoryEvent,
  parseHistory,
} from "@kith/testing/history";
import { expect } from "chai";

const bin = fileURLToPath(new URL("../bin/kith.mjs", import.meta.url));
const root = fileURLToPath(new URL("../../..", import.meta.url));
/** One of the shorter ones, with all kinds of outcomes. */
const seed = "34";

describe("kith sim store-chaos --history", function () {
  this.timeout(600_000);
  let folder = "";
  let lines: readonly string[] = [];
  let history: readonly HistoryEvent[] = [];
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), "kith-history-"));
    const file = path.join(folder, "h.jsonl");
    const args = [bin, "sim", "store-chaos", "--seed", seed, "--history", file];
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
    expect(status, stderr).equal(0);
    const text = readFileSync(file, "utf8");
    lines = text.trimEnd().split("\n");
    history = parseHistory(text);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("has one line for each call and each return, in their order, with times in nanoseconds", () => {
    expect(lines).length(history.length);
    expect(new Set(history.map(({ type }) => type))).deep.equal(
      new Set(["invoke", "ok", "fail", "info"]),
    );
    const times = history.map(({ time }) => time);
    expect(times).deep.equal([...times].sort((a, b) => a - b));
    // The phase of faults alone takes ten seconds.
    expect(times.at(-1)).above(10e9);
    expect(times.every((time) => Number.isSafeInteger(time))).equal(true);
  });

  it("has one open operation for each process, which calls no more after an `info`", () => {
    const open = new Set<number>();
    const retired = new Set<number>();
    for (const { process, type } of history) {
      expect(retired.has(process)).equal(false);
      expect(open.has(process)).equal(type !== "invoke");
      if (type === "invoke") open.add(process);
      else open.delete(process);
      if (type === "info") retired.add(process);
    }
  });

  it("has registers and transactions over lists, of different keys, each value written once", () => {
    expect(new Set(history.map(({ op }) => op))).deep.equal(
      new Set(["read", "write", "cas", "txn"]),
    );
    const registers = new Set(history.flatMap(({ op, key }) => (op === "txn" ? [] : [key ?? ""])));
    const written = new Set<unknown>();
    const writes = (value: unknown): void => {
      expect(written.has(value)).equal(false);
      written.add(value);
    };
    for (const { type, op, value } of history) {
      if (type !== "invoke") continue;
      if (op === "write" && value !== null) writes(value);
      else if (op === "cas") writes(Array.isArray(value) ? value[1] : undefined);
      else if (op === "txn")
        for (const [kind, key, what] of value as readonly (readonly [string, string, unknown])[]) {
          expect(registers.has(key)).equal(false);
          expect(["r", "append"]).include(kind);
          if (kind === "append") writes(what);
        }
    }
  });

  it("ends with a read of every key, and is what the checkers take", () => {
    const [last, ...before] = history.filter(({ type }) => type === "ok").toReversed();
    if (last === undefined) expect.fail("Nothing is done.");
    expect(last.op).equal("txn");
    const isTxn = ({ op }: HistoryEvent): boolean => op === "txn";
    const lists = new Set(
      history
        .filter(isTxn)
        .flatMap(({ value }) => (value as readonly (readonly string[])[]).map(([, key]) => key)),
    );
    expect(
      new Set((last.value as readonly (readonly string[])[]).map(([, key]) => key)),
    ).deep.equal(lists);
    const registers = new Set(history.flatMap((one) => (isTxn(one) ? [] : [one.key])));
    const read = before.slice(0, registers.size);
    expect(read.every(({ op }) => op === "read")).equal(true);
    expect(new Set(read.map(({ key }) => key))).deep.equal(registers);
    expect(checkRegisters(history.filter((one) => !isTxn(one))).verdict).equal("valid");
    expect(checkAppends(history.filter(isTxn)).verdict).equal("valid");
  });
});
