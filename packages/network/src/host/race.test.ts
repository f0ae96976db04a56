/** Two processes that call each other at the same time have one connection, and lose nothing. */

import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { Note } from "../compliance/harness.ts";
import { ConnectionDown, ConnectionUp, Dropped } from "../index.ts";
import type { Order, Report } from "./fixtures/dialler.ts";
import { holds, say, start, stopAll, type TestProcess } from "./process-kit.test.ts";

const count = 20;
const rounds = 200;
const range = (to: number): number[] => Array.from({ length: to }, (_, i) => i);

class Child {
  readonly #process: ChildProcess;
  readonly #reports: Report[] = [];

  constructor() {
    const file = fileURLToPath(new URL("fixtures/dialler.ts", import.meta.url));
    this.#process = fork(file, { execArgv: ["--import", "tsx", "--conditions", "source"] });
    this.#process.on("message", (report: Report) => this.#reports.push(report));
  }

  tell(order: Order): void {
    this.#process.send(order);
  }

  async next<K extends Report["kind"]>(kind: K): Promise<Extract<Report, { kind: K }>> {
    await holds(`a process says ${kind}`, () => this.#reports.length > 0);
    const report = this.#reports.shift();
    expect(report?.kind).to.equal(kind);
    return report as Extract<Report, { kind: K }>;
  }

  async end(): Promise<void> {
    if (this.#process.connected) this.tell({ kind: "end" });
    await holds("a process ends", () => this.#process.exitCode !== null);
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }
}

describe("two that call each other at once", () => {
  it(`as processes, ${rounds} times: one connection, nothing lost`, async function () {
    this.timeout(120_000);
    const children = [new Child(), new Child()];
    let collisions = 0;
    try {
      for (let round = 0; round < rounds; round++) {
        // Now the one, now the other has the smaller name.
        children.forEach((child, i) => child.tell({ kind: "begin", peerId: i + 1 }));
        const ready = await Promise.all(children.map((child) => child.next("ready")));
        children.forEach((child, i) => {
          const to = ready[1 - i]?.self;
          if (to !== undefined) child.tell({ kind: "go", to, count });
        });
        await Promise.all(children.map((child) => child.next("done")));
        for (const child of children) child.tell({ kind: "report" });
        const reports = await Promise.all(children.map((child) => child.next("report")));
        for (const { notes, ups, downs, dropped } of reports) {
          expect(notes, `round ${round}`).to.deep.equal(range(2 * count));
          expect({ ups, downs, dropped }).to.deep.equal({ ups: 1, downs: 0, dropped: 0 });
        }
        if (reports.some(({ collided }) => collided)) collisions++;
      }
      await Promise.all(children.map((child) => child.end()));
    } finally {
      for (const child of children) child.kill();
    }
    console.log(`      their calls met in ${collisions} of ${rounds} rounds`);
  });

  it("as systems of one process, where their calls meet each time", async () => {
    for (let round = 0; round < 50; round++) {
      const [a, b] = await Promise.all([start(1), start(2)]);
      const sides: readonly (readonly [TestProcess, TestProcess])[] = [
        [a, b],
        [b, a],
      ];
      for (const [from, to] of sides)
        say(from, (speaker) =>
          speaker.send(...range(count).map((n) => new Note({ to: to.self, n }))),
        );
      await holds("all arrive", () =>
        [a, b].every(({ system }) => system.instance.notes.length === count),
      );
      for (const { system, log } of [a, b]) {
        expect(system.instance.notes).to.deep.equal(range(count));
        expect(system.instance.all(ConnectionUp)).to.have.length(1);
        expect(system.instance.all(ConnectionDown)).to.deep.equal([]);
        expect(system.instance.all(Dropped)).to.deep.equal([]);
        expect(log.some(({ text }) => text.includes("another connection"))).to.equal(true);
      }
      await stopAll();
    }
  });
});
