import { expect } from "chai";
import { checkLayers } from "./layers.ts";
import { plant, uproot } from "./repository.ts";
import { describeFindings } from "./source.ts";

/** A repository of packages: `core: { deps, files }` becomes `packages/core`. */
type House = Readonly<
  Record<string, { deps?: string[]; devDeps?: string[]; files?: Record<string, string> }>
>;

function check(house: House): string {
  const files: Record<string, string> = {
    "package.json": JSON.stringify({ name: "kith", devDependencies: { chai: "6.3.0" } }),
  };
  for (const [name, { deps = [], devDeps = [], files: own = {} }] of Object.entries(house)) {
    const folder = name.includes("/") ? name : `packages/${name}`;
    const versions = (names: string[]) => Object.fromEntries(names.map((n) => [n, "0.1.0"]));
    files[`${folder}/package.json`] = JSON.stringify({
      name: `@kith/${name.replace("examples/", "example-")}`,
      dependencies: versions(deps),
      devDependencies: versions(devDeps),
    });
    for (const [file, text] of Object.entries(own)) files[`${folder}/src/${file}`] = text;
  }
  const root = plant(files);
  try {
    return describeFindings(checkLayers(root));
  } finally {
    uproot(root);
  }
}

const core = { files: { "index.ts": "export const core = 1;" } };

describe("layers", () => {
  it("lets a package import from rows below, and within its row", () => {
    const found = check({
      core,
      ring: { deps: ["@kith/core"], files: { "index.ts": 'export * from "@kith/core";' } },
      router: {
        deps: ["@kith/core", "@kith/ring"],
        files: { "a.ts": 'import "@kith/core"; import type { x } from "@kith/ring/compliance";' },
      },
      "examples/chat": { deps: ["@kith/router"], files: { "main.ts": 'import "@kith/router";' } },
    });
    expect(found).to.equal("");
  });

  it("reports an import from a row above", () => {
    const found = check({
      core: { deps: ["@kith/ring"], files: { "a.ts": '\nimport "@kith/ring";' } },
      ring: {},
    });
    expect(found).to.match(
      /^packages\/core\/src\/a\.ts:2: @kith\/core imports @kith\/ring from a row above/,
    );
  });

  for (const [how, text] of Object.entries({
    "a re-export": 'export { x } from "@kith/peer";',
    "a type import": 'export type X = import("@kith/peer").X;',
    "a dynamic import": 'export const x = () => import("@kith/peer");',
  })) {
    it(`sees ${how}`, () => {
      const found = check({ store: { deps: ["@kith/peer"], files: { "a.ts": text } }, peer: {} });
      expect(found).to.contain("from a row above");
    });
  }

  it("reports an import from an example", () => {
    const found = check({
      core: { deps: ["@kith/example-chat"], files: { "a.ts": 'import "@kith/example-chat";' } },
      "examples/chat": {},
    });
    expect(found).to.contain("A package never imports from examples/chat");
  });

  it("reports a cycle within a row", () => {
    const found = check({
      ring: { deps: ["@kith/router"], files: { "a.ts": 'import "@kith/router";' } },
      router: { deps: ["@kith/ring"], files: { "a.ts": 'import "@kith/ring";' } },
    });
    expect(found).to.contain("in a cycle: @kith/ring → @kith/router → @kith/ring");
  });

  it("reports a cycle that only package.json declares", () => {
    const found = check({ ring: { devDeps: ["@kith/router"] }, router: { deps: ["@kith/ring"] } });
    expect(found).to.contain("in a cycle");
  });

  it("keeps the test kit to tests and compliance suites", () => {
    const importing = 'import "@kith/testing";';
    const house = (file: string): House => ({
      testing: {},
      ring: { devDeps: ["@kith/testing"], deps: ["@kith/testing"], files: { [file]: importing } },
    });
    expect(check(house("ring.ts"))).to.contain(
      "Only tests and compliance suites use @kith/testing",
    );
    expect(check(house("ring.test.ts"))).to.equal("");
    expect(check(house("compliance.ts"))).to.equal("");
    expect(check(house("compliance/ring.ts"))).to.equal("");
  });

  it("reports what package.json does not declare", () => {
    const found = check({
      core,
      ring: { files: { "a.ts": 'import "@kith/core";\nimport { z } from "zod/v4";' } },
    });
    expect(found).to.contain("a.ts:1: @kith/core is not in the dependencies of @kith/ring's");
    expect(found).to.contain("a.ts:2: zod is not in the dependencies of @kith/ring's");
  });

  it("wants in dependencies what ships, in devDependencies what tests use", () => {
    const house = (file: string): House => ({
      core: { devDeps: ["ws"], files: { [file]: 'import "ws";' } },
    });
    expect(check(house("a.ts"))).to.contain("ws is not in the dependencies");
    expect(check(house("a.test.ts"))).to.equal("");
  });

  it("lets tests use what the root declares, and only tests", () => {
    expect(check({ core: { files: { "a.test.ts": 'import "chai";' } } })).to.equal("");
    expect(check({ core: { files: { "a.ts": 'import "chai";' } } })).to.contain("chai is not in");
  });

  it("reports a relative import that leaves the package", () => {
    const found = check({ core, ring: { files: { "a.ts": 'import "../../core/src/index.ts";' } } });
    expect(found).to.contain("leaves the package");
  });

  it("reports a package in no row, and one that does not exist", () => {
    expect(check({ gossip: {} })).to.contain("This package is in no row");
    const found = check({
      ring: { deps: ["@kith/rign"], files: { "a.ts": 'import "@kith/rign";' } },
    });
    expect(found).to.contain("There is no package @kith/rign");
  });
});
