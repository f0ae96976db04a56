/** The member's program as one file, so that its processes start at once; with a mistake in it where one is asked for. */

import * as fs from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";

/** A mistake: a text of a source, which must occur exactly once, and another one in its place. */
export interface Plant {
  /** The end of the source's path. */
  readonly file: string;
  readonly text: string;
  readonly planted: string;
}

const folders: string[] = [];

/** Removes what was built. */
export function removeBundles(): void {
  for (const folder of folders.splice(0)) fs.rmSync(folder, { recursive: true, force: true });
}

/** Builds the program. @returns its path */
export async function bundled(plants: readonly Plant[] = []): Promise<string> {
  const folder = fs.mkdtempSync(join(tmpdir(), "kith-group-bundle-"));
  folders.push(folder);
  const outfile = join(folder, "main.mjs");
  const planted = new Map<Plant, number>();
  const outside: Plugin = {
    name: "outside",
    setup: ({ onResolve }) => {
      // It loads a library of the host from beside itself.
      onResolve({ filter: /^lmdb$/ }, ({ path, importer }) => ({
        path: pathToFileURL(createRequire(importer).resolve(path)).href,
        external: true,
      }));
    },
  };
  const planting: Plugin = {
    name: "plant",
    setup: ({ onLoad }) => {
      for (const file of new Set(plants.map((plant) => plant.file)))
        onLoad({ filter: new RegExp(`${file.replaceAll(".", "\\.")}$`) }, ({ path }) => {
          let contents = fs.readFileSync(path, "utf8");
          for (const plant of plants.filter((one) => one.file === file)) {
            const parts = contents.split(plant.text);
            planted.set(plant, parts.length - 1);
            contents = parts.join(plant.planted);
          }
          return { contents, loader: "ts" };
        });
    },
  };
  await build({
    entryPoints: [fileURLToPath(new URL("main.ts", import.meta.url))],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    conditions: ["source"],
    logLevel: "error",
    // `ws` asks for Node's modules by `require`.
    banner: {
      js: `import { createRequire as makeRequire } from "node:module"; const require = makeRequire(${JSON.stringify(import.meta.url)});`,
    },
    plugins: [outside, planting],
  });
  for (const plant of plants)
    if (planted.get(plant) !== 1)
      throw new Error(`${plant.text} does not occur once in ${plant.file}`);
  return outfile;
}
