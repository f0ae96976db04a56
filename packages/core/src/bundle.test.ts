/** The kernel as a browser gets it: bundled and minified, without a Node API, small, and it runs. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import { build, type Metafile } from "esbuild";

/** What the kernel should weigh; it does not yet. */
const gzippedKilobytesAim = 12;
/** What it may weigh meanwhile: it has to get smaller, not larger. */
const gzippedKilobytesMax = 26;
const here = path.dirname(fileURLToPath(import.meta.url));

/** A program as a newcomer writes it, against the package's index. */
const pingPong = `
import { Component, event, ManualWorld, launch, port, run } from "./index.ts";
class Ping extends event("bundle/Ping") {}
class Pong extends event("bundle/Pong") {}
const PingPong = port("PingPong", { requests: [Ping], indications: [Pong] });
class Ponger extends Component {
  pp = this.provides(PingPong);
  constructor() {
    super();
    this.pp.on(Ping, (ping) => this.pp.trigger(new Pong({ n: ping.n })));
  }
}
class Pinger extends Component {
  pp = this.requires(PingPong);
  last = 0;
  constructor(init) {
    super();
    this.pp.on(Pong, (pong) => {
      this.last = pong.n;
      if (pong.n < init.rounds) this.pp.trigger(new Ping({ n: pong.n + 1 }));
      else init.rounds = 0;
    });
    this.onStart(() => this.pp.trigger(new Ping({ n: 1 })));
  }
}
class Main extends Component {
  ponger = this.create(Ponger);
  pinger = this.create(Pinger, { rounds: 100 });
  constructor() {
    super();
    this.connect(this.ponger.ports.pp, this.pinger.ports.pp);
  }
}
export async function real() {
  const system = await run(Main);
  await system.stop();
  return system.tree();
}
export function manual() {
  const world = new ManualWorld();
  const system = launch(Main, undefined, world);
  return [world.settle(), system.tree(), JSON.stringify(system.deadLetters)];
}
`;

async function bundle(
  entry: { contents: string } | { file: string },
): Promise<{ text: string; meta: Metafile }> {
  const result = await build({
    ...("file" in entry
      ? { entryPoints: [entry.file] }
      : { stdin: { contents: entry.contents, resolveDir: here, loader: "ts" } }),
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    write: false,
    metafile: true,
  });
  return { text: result.outputFiles[0]?.text ?? "", meta: result.metafile };
}

describe("the bundle for browsers", () => {
  it("holds no Node module, and no package but those that are meant", async () => {
    const { text, meta } = await bundle({ file: path.join(here, "index.ts") });
    const imports = Object.values(meta.inputs).flatMap((input) =>
      input.imports.map((one) => one.path),
    );
    const external = imports.filter(
      (name) => name.startsWith("node:") || builtinModules.includes(name),
    );
    expect(external).to.deep.equal([]);
    const packages = new Set(
      Object.keys(meta.inputs).flatMap(
        (file) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? [],
      ),
    );
    expect([...packages]).to.deep.equal(["eventemitter3"]);
    expect(text).not.to.match(/\b(require|process|Buffer|__dirname)\b\s*[.(]/);
  });

  it(`is ${gzippedKilobytesMax} KB gzipped at most`, async () => {
    const { text } = await bundle({ file: path.join(here, "index.ts") });
    const kilobytes = gzipSync(text, { level: 9 }).length / 1024;
    console.log(
      `      ${kilobytes.toFixed(1)} KB gzipped of ${(text.length / 1024).toFixed(1)} KB (the aim of ${gzippedKilobytesAim} KB is ${kilobytes > gzippedKilobytesAim ? "missed" : "reached"})`,
    );
    expect(kilobytes).to.be.at.most(gzippedKilobytesMax);
  });

  it("runs, with names that a minifier has made", async () => {
    const { text } = await bundle({ contents: pingPong });
    const folder = path.join(here, "../../../tools/.tmp");
    mkdirSync(folder, { recursive: true });
    const place = mkdtempSync(path.join(folder, "bundle-"));
    try {
      const file = path.join(place, "main.mjs");
      writeFileSync(file, text);
      const { manual, real } = (await import(pathToFileURL(file).href)) as {
        manual: () => [number, string, string];
        real: () => Promise<string>;
      };
      const [turns, tree, letters] = manual();
      expect(turns).to.be.greaterThan(200);
      expect(tree.match(/started/g)).to.have.length(4);
      expect(letters).to.equal("{}");
      expect((await real()).match(/stopped/g)).to.have.length(3);
    } finally {
      rmSync(place, { recursive: true, force: true });
    }
  });
});
