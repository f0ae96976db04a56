/**
 * The member's program as one JavaScript file, so that its processes start at once: what is started a hundred times should not
 * read a hundred sources each time.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

/** The program, and what removes it. */
export interface Bundle {
  readonly program: string;
  remove(): void;
}

/** Builds it below the host's directory for temporary files. Throws what esbuild throws. */
export async function bundled(): Promise<Bundle> {
  const folder = mkdtempSync(join(tmpdir(), "kith-store-bundle-"));
  const program = join(folder, "main.mjs");
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
        setup: (builder) => {
          // It loads a library of the host from beside itself.
          builder.onResolve({ filter: /^lmdb$/ }, ({ path, importer }) => ({
            path: pathToFileURL(createRequire(importer).resolve(path)).href,
            external: true,
          }));
        },
      },
    ],
  });
  return { program, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
