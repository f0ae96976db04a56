import { expect } from "chai";
import { Component, type LogRecord, ManualWorld, launch } from "./index.ts";
import { hostLog } from "./host.ts";
import { start } from "./kit.test.ts";

class Chatty extends Component {
  constructor() {
    super();
    this.onStart(() => {
      this.log.trace("t");
      this.log.debug("d", { a: 1 });
      this.log.info("i");
      this.log.warn("w", 7);
      this.log.error("e", new Error("x"));
    });
  }
}
class Main extends Component {
  readonly child = this.create(Chatty);
}

describe("the log", () => {
  it("has the node's prefix, the component's path, a level, a time, and data where there are some", () => {
    const lines: LogRecord[] = [];
    const world = new ManualWorld({ node: "n3", log: (record) => lines.push(record) });
    world.clock.advance(1500);
    launch(Main, {}, world);
    world.settle();
    expect(
      lines.map(({ level, node, path, text, time }) => `${level} ${node} ${path} ${text} ${time}`),
    ).to.deep.equal(
      ["trace t", "debug d", "info i", "warn w", "error e"].map(
        (line) => `${line.split(" ")[0]} n3 /Main-1/Chatty-1 ${line.split(" ")[1]} 1500`,
      ),
    );
    expect(lines[0]).not.to.have.property("data");
    expect(lines[1]?.data).to.deep.equal({ a: 1 });
  });

  it("goes to the sink of its own system", () => {
    const lines: Record<string, number> = { a: 0, b: 0 };
    for (const node of ["a", "b"])
      start(Main, undefined, {
        node,
        log: (record) => void (lines[record.node] = (lines[record.node] ?? 0) + 1),
      });
    expect(lines).to.deep.equal({ a: 5, b: 5 });
  });

  it("is printed by the host from warnings up, where nobody gave a sink", () => {
    const printed: unknown[][] = [];
    const { warn, error } = console;
    console.warn = (...args: unknown[]) => void printed.push(args);
    console.error = (...args: unknown[]) => void printed.push(args);
    try {
      for (const level of ["trace", "debug", "info", "warn", "error"] as const)
        hostLog({ level, time: 0, node: "", path: "/A", text: level });
      hostLog({ level: "error", time: 0, node: "n1", path: "/A", text: "with data", data: 5 });
    } finally {
      Object.assign(console, { warn, error });
    }
    expect(printed).to.deep.equal([
      ["warn /A: warn"],
      ["error /A: error"],
      ["error n1 /A: with data", 5],
    ]);
  });
});
