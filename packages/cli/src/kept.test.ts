import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Component } from "@kith/core";
import { reportOf, runSeed, scenario } from "@kith/sim/scenario";
import { expect } from "chai";
import { Kept } from "./kept.ts";

describe("what is kept of a long count", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "kith-kept-"));
  const file = path.join(folder, "kept");
  after(() => rmSync(folder, { recursive: true }));
  const nothing = scenario({
    name: "nothing",
    about: "A node that does nothing.",
    nodes: 1,
    main: class Idle extends Component {},
    init: () => ({}),
    duration: 10,
    processes: [],
    succeed: { each: 0 },
  });
  const ran = (seed: number) => ({ report: reportOf(runSeed(nothing, seed)), micros: seed });

  it("is there when it goes on, but for a line that was cut off, and only for its commit and its scenario", () => {
    new Kept(file, "one", "a").keep(ran(1));
    new Kept(file, "one", "b").keep(ran(2));
    new Kept(file, "two", "a").keep(ran(3));
    appendFileSync(file, '{"commit":"one","scenario":"a","rep');
    const again = new Kept(file, "one", "a");
    expect(again.all.map(({ report, micros }) => [report.seed, micros])).deep.equal([[1, 1]]);
    again.keep(ran(4));
    const { all } = new Kept(file, "one", "a");
    expect(all.map(({ report }) => report.hash)).deep.equal([ran(1), ran(4)].map(hashOf));
  });

  it("is nothing without a file", () => {
    const none = new Kept(undefined, "one", "a");
    none.keep(ran(1));
    expect(none.all).deep.equal([]);
  });
});

function hashOf({ report }: { readonly report: { readonly hash: string } }): string {
  return report.hash;
}
