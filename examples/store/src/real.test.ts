/** The store in three processes, while they are killed and stand still; `KITH_STORE_CHAOS_MS` and `_PAUSE_MS` make it longer. */

import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect } from "chai";
import { build } from "esbuild";
import { runChaos } from "./chaos.ts";
import { judge } from "./judge.ts";

const long = Number(process.env["KITH_STORE_CHAOS_MS"] ?? 0);

describe("a store in three processes", function () {
  this.timeout(120_000 + long * 2);
  const folder = mkdtempSync(join(tmpdir(), "kith-store-bundle-"));
  const program = join(folder, "main.mjs");

  before(async () => {
    // As one file, so that its processes start at once.
    await build({
      entryPoints: [fileURLToPath(new URL("main.ts", import.meta.url))],
      outfile: program,
      bundle: true,
      platform: "node",
      format: "esm",
      conditions: ["source"],
      logLevel: "error",
      banner: {
        js: `import { createRequire as makeRequire } from "node:module"; const require = makeRequire(${JSON.stringify(import.meta.url)});`,
      },
      plugins: [
        {
          name: "outside",
          setup: ({ onResolve }) => {
            // It loads a library of the host from beside itself.
            onResolve({ filter: /^lmdb$/ }, ({ path, importer }) => ({
              path: pathToFileURL(createRequire(importer).resolve(path)).href,
              external: true,
            }));
          },
        },
      ],
    });
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("is strictly serializable while members are killed and stand still, and a group splits", async () => {
    const { history, acknowledged, unknown, kills, splits, servedByFew } = await runChaos({
      duration: long,
      answers: long > 0 ? 20_000 : 200,
      every: long > 0 ? 6000 : 600,
      pause: Number(process.env["KITH_STORE_PAUSE_MS"] ?? 1000),
      people: long > 0 ? 16 : 4,
      program,
    });
    expect(judge(history)).deep.equal([]);
    expect(servedByFew).equal(0);
    expect(kills).greaterThan(0);
    expect(splits).greaterThan(0);
    expect(acknowledged).least(200);
    expect(unknown * 10).lessThan(acknowledged);
  });
});
