/**
 * The example as a reader meets it: a program that prints one line, and a pair that a test can drive.
 * Importing its classes runs the program once more, in this process; that is the line between the tests.
 */

import { expect } from "chai";
import { type InspectionRecord, launch, ManualWorld } from "@kith/core";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Main, Ping, Pong } from "./main.ts";

const program = fileURLToPath(new URL("main.ts", import.meta.url));
const line = "1000 rounds of ping and pong";

describe("the ping-pong example", () => {
  it("prints its result and ends by itself, with code 0 and no complaint", async () => {
    const args = ["--import", "tsx", "--conditions", "source", program];
    // A code other than 0 rejects.
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args);
    expect(stdout).to.equal(`${line}\n`);
    expect(stderr).to.equal("");
  });

  it("has fewer than 40 lines", () => {
    const lines = readFileSync(program, "utf8").trimEnd().split("\n");
    expect(lines.length).to.be.below(40);
  });

  describe("in a manual world", () => {
    const print = console.log;
    let printed: string[];

    beforeEach(() => {
      printed = [];
      console.log = (text: string) => void printed.push(text);
    });
    afterEach(() => {
      console.log = print;
    });

    it("plays as many rounds as it is told, each answer caused by its question", () => {
      const world = new ManualWorld();
      const system = launch(Main, {}, world);
      const records: InspectionRecord[] = [];
      system.inspect((record) => void records.push(record));
      world.settle();

      const triggered = records.filter(({ kind }) => kind === "trigger");
      expect(triggered.filter(({ event }) => event instanceof Ping)).to.have.length(1000);
      expect(triggered.filter(({ event }) => event instanceof Pong)).to.have.length(1000);
      triggered.forEach(({ id, cause }, at) => {
        expect(cause, `the cause of event ${id}`).to.equal(triggered[at - 1]?.id ?? 0);
      });
      expect(system.deadLetters).to.deep.equal({});
      expect(printed).to.deep.equal([line]);
    });

    it("stops with all its components", async () => {
      const world = new ManualWorld();
      const system = launch(Main, {}, world);
      world.settle();
      const stopped = system.stop();
      world.settle();
      await stopped;
      expect(system.tree())
        .to.match(/Ponger, stopped\)/)
        .and.match(/Pinger, stopped\)/);
    });
  });
});
