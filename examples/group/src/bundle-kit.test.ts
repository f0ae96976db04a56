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
export async function bundled(plant?: Plant): Promise<string> {
  const folder = fs.mkdtempSync(join(tmpdir(), "kith-group-bundle-"));
  folders.push(folder);
  const outfile = join(folder, "main.mjs");
  let planted = 0;
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
      if (plant === undefined) return;
      onLoad({ filter: new RegExp(`${plant.file.replaceAll(".", "\\.")}$`) }, ({ path }) => {
        const parts = fs.readFileSync(path, "utf8").split(plant.text);
        planted += parts.length - 1;
        return { contents: parts.join(plant.planted), loader: "ts" };
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
  if (plant !== undefined && planted !== 1)
    throw new Error(`${plant.text} occurs ${planted} times in ${plant.file}`);
  return outfile;
}
