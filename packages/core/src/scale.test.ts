/**
 * What a large program costs the compiler: 150 ports and 150 components are written into a folder
 * and checked by the repository's own compiler. Counts are asserted, which are the same on every
 * machine; the time is only printed.
 */

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const count = 150;
/** What the generated program may cost beyond an empty one. */
const instantiationsMax = 300_000;
const typesMax = 95_000;
const memoryMegabytesMax = 150;

const here = path.dirname(fileURLToPath(import.meta.url));
const top = path.join(here, "../../..");
const tsc = path.join(
  path.dirname(createRequire(import.meta.url).resolve("typescript/package.json")),
  "bin/tsc",
);

/** A port with two requests, an asked one and two indications, one of them keyed. */
function portModule(i: number): string {
  return `import { event, port, request } from "../../../packages/core/src/index.ts";
export class Put${i} extends event("scale/Put${i}")<{ key: string; value: number; note?: string }> {}
export class Drop${i} extends event("scale/Drop${i}", Put${i})<{ hard: boolean }> {}
export class Found${i} extends event("scale/Found${i}")<{ value: number | null }> {}
export class Find${i} extends request("scale/Find${i}", Found${i})<{ key: string }> {}
export class Changed${i} extends event("scale/Changed${i}")<{ key: string; value: number }> {}
export class Gone${i} extends event("scale/Gone${i}")<{ key: string }> {}
export const Store${i} = port("Store${i}", {
  requests: [Put${i}, Drop${i}, Find${i}],
  indications: [Changed${i}, Gone${i}],
});
`;
}

/** A component that provides a port, requires the next, owns a child, and uses what there is. */
function componentModule(i: number): string {
  const next = (i + 1) % count;
  return `import { by, Component, ScheduleTimeout, timeout, Timer } from "../../../packages/core/src/index.ts";
import { Changed${i}, Drop${i}, Find${i}, Found${i}, Gone${i}, Put${i}, Store${i} } from "./port${i}.ts";
import { Changed${next}, Find${next}, Put${next}, Store${next} } from "./port${next}.ts";
class Tick${i} extends timeout("scale/Tick${i}")<{ n: number }> {}
export class Part${i} extends Component {
  readonly store = this.requires(Store${i});
  readonly state = this.declareState({ seen: 0 });
  constructor({ start }: { start: number }) {
    super();
    this.store.on(Gone${i}, ({ key }) => key.length > start);
  }
}
export class Node${i} extends Component {
  readonly store = this.provides(Store${i}, by(Changed${i}, ({ key }) => key));
  readonly below = this.requires(Store${next});
  readonly timer = this.requires(Timer);
  readonly part = this.create(Part${i}, { start: ${i} }, { name: "part" });
  readonly again = this.exposes(this.part.ports.store);
  readonly find = this.below.onAnswer(Find${next}, (answer, asked, context: { at: number }) => {
    if ("value" in answer) this.store.trigger(new Changed${i}({ key: asked.key, value: context.at }));
  });
  constructor() {
    super();
    this.connect(this.store, this.part.ports.store, { key: "k" });
    this.store.on(Put${i}, ({ key, value }) => this.below.trigger(new Put${next}({ key, value })));
    this.store.on(Drop${i}, ({ hard }) => hard);
    this.store.on(Find${i}, (_, token) => this.store.reply(token, new Found${i}({ value: null })));
    this.below.on(Changed${next}, ({ key }) => this.find(new Find${next}({ key }), { context: { at: 1 }, timeout: 5 }));
    this.timer.on(Tick${i}, ({ n }) => n > 1);
    this.onStart(() => this.timer.trigger(new ScheduleTimeout({ delay: 1, timeout: new Tick${i}({ n: 1 }) })));
  }
  replace(): void {
    this.swap(this.part, Part${i}, { start: 2 });
  }
}
`;
}

/** Checks some modules. @returns the compiler's counts by name */
function check(modules: Readonly<Record<string, string>>): Record<string, number> {
  const folder = path.join(top, "tools/.tmp");
  mkdirSync(folder, { recursive: true });
  const place = mkdtempSync(path.join(folder, "scale-"));
  try {
    for (const [name, text] of Object.entries(modules)) writeFileSync(path.join(place, name), text);
    writeFileSync(
      path.join(place, "tsconfig.json"),
      JSON.stringify({
        extends: "../../../tsconfig.check.json",
        include: ["*.ts"],
        compilerOptions: { types: ["node"] },
      }),
    );
    const run = spawnSync(
      process.execPath,
      [tsc, "-p", place, "--extendedDiagnostics", "--singleThreaded"],
      { encoding: "utf8" },
    );
    expect(
      run.stdout
        .split("\n")
        .filter((line) => line.includes("error TS"))
        .slice(0, 5),
    ).to.deep.equal([]);
    expect(run.status, run.stdout + run.stderr).to.equal(0);
    return Object.fromEntries(
      [...run.stdout.matchAll(/^([A-Z][\w ]+):\s+([\d.]+)/gm)].map(([, name, value]) => [
        name as string,
        Number(value),
      ]),
    );
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

describe("a program of 150 ports and 150 components", () => {
  it("type-checks within a budget of instantiations, types and memory", function () {
    this.timeout(120_000);
    const empty = check({ "main.ts": `export * from "../../../packages/core/src/index.ts";\n` });
    const modules: Record<string, string> = {};
    for (let i = 0; i < count; i++) {
      modules[`port${i}.ts`] = portModule(i);
      modules[`node${i}.ts`] = componentModule(i);
    }
    const full = check(modules);
    const cost = (name: string): number => (full[name] as number) - (empty[name] as number);
    const memory = Math.round(cost("Memory used") / 1024);
    console.log(
      `      ${cost("Instantiations")} instantiations, ${cost("Types")} types, ${memory} MB, ${full["Total time"]} s (${empty["Total time"]} s of it for core alone)`,
    );
    expect(cost("Instantiations")).to.be.within(1000, instantiationsMax);
    expect(cost("Types")).to.be.within(1000, typesMax);
    expect(memory).to.be.below(memoryMegabytesMax);
  });
});
