import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { sim, type SimOptions } from "./sim.ts";

const bin = fileURLToPath(new URL("../bin/kith.mjs", import.meta.url));
const modules = fileURLToPath(new URL("../../../node_modules", import.meta.url));

/** Echoes what it is asked, but for every so many-th time when a message came twice. */
const echo = `
import { Component } from "@kith/core";
import { message, Network } from "@kith/network";
import { constant, Perform, Performed, scenario, Workload } from "@kith/sim/scenario";

class Ask extends message("cli-test/Ask")<{ readonly id: number }> {}
class Answer extends message("cli-test/Answer")<{ readonly id: number }> {}

class Echo extends Component {
  readonly workload = this.requires(Workload);
  readonly net = this.requires(Network);
  constructor({ peers, broken }: { peers: readonly { peerId: number; host: string; port: number; incarnation: number }[]; broken: boolean }) {
    super();
    let answered = 0;
    this.workload.on(Perform, ({ id }) => {
      for (const to of peers.slice(0, 1)) this.net.trigger(new Ask({ to, id }));
    });
    this.net.on(Ask, ({ from, id }) => this.net.trigger(new Answer({ to: from, id })));
    this.net.on(Answer, ({ id }) => {
      const value = broken && ++answered > 5 ? "wrong" : "right";
      this.workload.trigger(new Performed({ id, type: "ok", value }));
    });
  }
}

const common = {
  nodes: 2,
  main: Echo,
  duration: 2000,
  settle: 1000,
  processes: [{ name: "caller", count: 2, wait: constant(50), next: () => ({ op: "ask" }) }],
  faults: { only: ["loss", "pause"] as const },
  finally: [
    {
      name: "right",
      check: ({ history }: { history: readonly { type: string; value?: unknown }[] }) =>
        history.some(({ type, value }) => type === "ok" && value === "wrong") ? "An answer was wrong." : undefined,
    },
  ],
};

export const good = scenario({ ...common, name: "good echo", about: "Answers what it is asked, and is right.", init: ({ peers }) => ({ peers, broken: false }) });
`;

describe("kith sim", function () {
  this.timeout(60_000);
  let folder = "";

  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), "kith-cli-"));
    symlinkSync(modules, path.join(folder, "node_modules"));
    const manifest = { name: "project", type: "module", workspaces: ["parts/*"] };
    writeFileSync(path.join(folder, "package.json"), JSON.stringify(manifest));
    const part = path.join(folder, "parts", "echo");
    mkdirSync(path.join(part, "scenarios"), { recursive: true });
    const listed = { name: "echo", type: "module", kith: { scenarios: ["scenarios/*.ts"] } };
    writeFileSync(path.join(part, "package.json"), JSON.stringify(listed));
    writeFileSync(path.join(part, "scenarios", "good.ts"), echo);
    writeFileSync(
      path.join(part, "scenarios", "bad.ts"),
      `import { good } from "./good.ts";
       export const bad = { ...good, name: "bad echo", about: "Is wrong.", init: ({ peers }) => ({ peers, broken: true }) };`,
    );
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  const kith = (...args: readonly string[]): SpawnSyncReturns<string> =>
    spawnSync(process.execPath, [bin, "sim", ...args], { cwd: folder, encoding: "utf8" });

  it("lists the scenarios of a project's workspaces, with a paragraph for each", () => {
    const { stdout, stderr, status } = kith("--list");
    expect(stdout, stderr).to.equal(
      "bad echo\n  Is wrong.\n\ngood echo\n  Answers what it is asked, and is right.\n\n",
    );
    expect(status).to.equal(0);
  });

  it("runs a range of seeds in several processes, and exits with 0 where all holds", () => {
    const { stdout, stderr, status } = kith("good echo", "--seeds", "1..12", "--jobs", "2");
    expect(stdout, stderr).to.match(/^good echo: 12 seeds/);
    expect(stdout).to.match(/\n {2}checked {6}right 12\n/);
    expect(stdout).to.match(/holds\n$/);
    expect(stderr).to.equal("");
    expect(status).to.equal(0);
  });

  it("gives the same result by one process and by two", () => {
    const [one, two] = ["1", "2"].map(
      (jobs) => kith("bad echo", "--seeds", "1..10", "--json", "--jobs", jobs).stdout,
    );
    expect(JSON.parse(one ?? "")).to.have.property("seeds", 10);
    expect(two).to.equal(one);
  });

  it("gives the hash of a seed to programs, and the same one again", () => {
    const [first, second] = [1, 2].map(() => {
      const { stdout } = kith("good echo", "--seed", "7", "--json");
      const json: { hash: string; problems: string[] } = JSON.parse(stdout);
      return json;
    });
    expect(first?.hash).to.match(/^[0-9a-f]{16}$/);
    expect(first?.problems).to.deep.equal([]);
    expect(second).to.deep.equal(first);
  });

  it("runs with as many nodes as are asked for, in one process and in several, and says how to do it again", () => {
    const one = kith("bad echo", "--peers", "7", "--seed", "3");
    expect(one.stdout, one.stderr).to.match(/npx kith sim "bad echo" --peers 7 --seed 3\n/);
    const hashes = (...args: string[]): unknown =>
      JSON.parse(kith("good echo", "--seeds", "1..6", "--json", "--jobs", "2", ...args).stdout)
        .hashes;
    expect(hashes("--peers", "2")).to.deep.equal(hashes());
    expect(hashes("--peers", "7")).to.not.deep.equal(hashes());
  });

  it("tells a failure: its invariant, what led to it, how to see it again, and its smallest form", () => {
    const args = ["--history", "h.jsonl", "--trace", "t.log", "--shrink", "story.ts"];
    const { stdout, stderr, status } = kith("bad echo", "--seeds", "1..4", ...args);
    // It is told at once, before all have run, and only once.
    expect(stdout, stderr).to.match(/^Seed 1 fails at .* right\n {2}An answer was wrong\./);
    expect(stdout).to.match(/\n\nbad echo: 4 seeds/);
    expect(stdout.split(" fails at ")).to.have.length(2);
    expect(stdout).to.match(/answers Performed .*\nAgain:\n {2}npx kith sim "bad echo" --seed 1\n/);
    expect(stdout).to.match(/Shrunk to \d+ decisions on 2 nodes/);
    expect(stdout).to.match(/4 seeds failed: 1, 2, 3, 4\ndoes not hold\n$/);
    expect(status).to.equal(1);
    const [line = ""] = readFileSync(path.join(folder, "h.jsonl"), "utf8").split("\n");
    expect(JSON.parse(line)).to.include({ type: "invoke", op: "ask" });
    expect(readFileSync(path.join(folder, "t.log"), "utf8")).to.match(/^\(\?<host>/);
    const story = kith("story.ts");
    expect(story.stdout, story.stderr).to.match(/An answer was wrong/);
    expect(story.status).to.equal(1);
  });

  it("says what to do where it cannot", async () => {
    const unknown = kith("nobody");
    expect(unknown.stderr).to.match(
      /no scenario nobody; there are bad echo, good echo\.[^]*KITH_CLI_SCENARIO/,
    );
    expect(unknown.status).to.equal(1);
    writeFileSync(path.join(folder, "torn.ts"), "export const = ;");
    mkdirSync(path.join(folder, "old"));
    writeFileSync(path.join(folder, "old", "package.json"), "{}");
    writeFileSync(path.join(folder, "old", "common.ts"), "export const nothing = 1;");
    const cases: readonly (readonly [string | undefined, SimOptions, string])[] = [
      ["no/such/file.ts", {}, "KITH_CLI_SCENARIO"],
      ["torn.ts", {}, "KITH_CLI_LOAD"],
      ["old/common.ts", {}, "KITH_CLI_LOAD"],
      ["good echo", { seeds: "9..1" }, "KITH_CLI_ARGUMENT"],
      ["good echo", { seed: "1", seeds: "1..2" }, "KITH_CLI_ARGUMENT"],
      ["good echo", { jobs: "none" }, "KITH_CLI_ARGUMENT"],
      ["good echo", { seed: "" }, "KITH_CLI_ARGUMENT"],
      ["good echo", { peers: "0" }, "KITH_CLI_ARGUMENT"],
      ["good echo", { seeds: "1..1000000", history: "no/such/folder.jsonl" }, "KITH_CLI_FILE"],
      ["good echo", { seeds: "1..1000000", trace: "no/such/folder.log" }, "KITH_CLI_FILE"],
      ["good echo", { seeds: "1..1000000", shrink: "no/such/folder.ts" }, "KITH_CLI_FILE"],
      ["good echo", { seed: "1", history: "parts" }, "KITH_CLI_FILE"],
      [undefined, {}, "KITH_CLI_ARGUMENT"],
    ];
    for (const [name, options, code] of cases) {
      const output = { out: () => undefined, terminal: { write: () => undefined }, folder };
      const error: unknown = await sim(name, options, output).catch((cause: unknown) => cause);
      expect(error, `${name}`).to.have.property("code", code);
    }
  });
});
