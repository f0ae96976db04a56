/**
 * A program as one JavaScript file, so that its processes start at once: what tests start a hundred times should not read a hundred
 * sources each time. Needs esbuild, which a package that uses this names among its own.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";

/** A plugin of esbuild. */
export type BundlePlugin = Plugin;

/** A program that was built. */
export interface Bundle {
  /** Its one file. */
  readonly program: string;
  /** Removes it. */
  remove(): void;
}

/** It loads a library of the host from beside itself, and so it stays outside. */
const outside: Plugin = {
  name: "outside",
  setup: (builder) => {
    builder.onResolve({ filter: /^lmdb$/ }, ({ path: name, importer }) => ({
      path: pathToFileURL(createRequire(importer).resolve(name)).href,
      external: true,
    }));
  },
};

/**
 * Builds a program below the host's directory for temporary files, from the sources of the packages. Throws what esbuild throws.
 *
 * @param entry the path of its source
 * @param plugins of esbuild, such as one that plants a mistake
 */
export async function bundled(
  entry: string,
  plugins: readonly BundlePlugin[] = [],
): Promise<Bundle> {
  const folder = mkdtempSync(path.join(os.tmpdir(), "kith-bundle-"));
  const program = path.join(folder, "program.mjs");
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    await build({
      entryPoints: [entry],
      outfile: program,
      bundle: true,
      platform: "node",
      format: "esm",
      conditions: ["source"],
      // Faults are told by the names of classes.
      keepNames: true,
      logLevel: "error",
      // `ws` asks for Node's modules by `require`.
      banner: {
        js: `import { createRequire as makeRequire } from "node:module"; const require = makeRequire(${JSON.stringify(pathToFileURL(entry).href)});`,
      },
      plugins: [outside, ...plugins],
    });
  } catch (cause) {
    remove();
    throw cause;
  }
  return { program, remove };
}
