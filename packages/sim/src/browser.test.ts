import { mkdtempSync, rmSync, existsSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { duplication, loss, reordering } from "./index.ts";
import { pingers } from "./scenario.test.ts";

const browser = "/usr/bin/chromium";
const folder = fileURLToPath(new URL(".", import.meta.url));

const script = `
  import { duplication, loss, reordering } from "./index.ts";
  import { pingers } from "./scenario.test.ts";
  const simulation = pingers(20);
  for (const rule of [loss(0.05), duplication(0.1), reordering(0.1)]) simulation.rule(rule);
  simulation.at(5000, () => simulation.node(3).crash());
  simulation.at(8000, () => simulation.node(3).start());
  simulation.runFor(20_000);
  globalThis.hash = simulation.hash;
`;

const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

describe("a simulation in a browser", () => {
  it("has the same hash as in Node", async function () {
    this.timeout(60_000);
    if (!existsSync(browser)) {
      console.log(`      ${browser} is missing: install Debian's package chromium for this test`);
      this.skip();
    }
    const bundle = await build({
      stdin: { contents: script, resolveDir: folder, loader: "ts" },
      bundle: true,
      write: false,
      format: "iife",
      keepNames: true,
      conditions: ["source"],
      target: "es2023",
      logLevel: "silent",
    });
    const profile = mkdtempSync(path.join(tmpdir(), "kith-sim-"));
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: browser,
      headless: true,
      args: flags,
    });
    try {
      const page = await context.newPage();
      await page.addScriptTag({ content: bundle.outputFiles[0]?.text ?? "" });
      const there: unknown = await page.evaluate("globalThis.hash");

      const simulation = pingers(20);
      for (const rule of [loss(0.05), duplication(0.1), reordering(0.1)]) simulation.rule(rule);
      simulation.at(5000, () => simulation.node(3).crash());
      simulation.at(8000, () => simulation.node(3).start());
      simulation.runFor(20_000);
      expect(there).to.equal(simulation.hash);
    } finally {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    }
  });
});
