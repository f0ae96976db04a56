/** The member's program as one JavaScript file, with a mistake in it where one is asked for. */

import * as fs from "node:fs";
import { fileURLToPath } from "node:url";
import { type Bundle, bundled as built, type BundlePlugin } from "@kith/testing/bundling";

/** A mistake: a text of a source, which must occur exactly once, and another one in its place. */
export interface Plant {
  /** The end of the source's path. */
  readonly file: string;
  readonly text: string;
  readonly planted: string;
}

const bundles: Bundle[] = [];

/** Removes what was built. */
export function removeBundles(): void {
  for (const bundle of bundles.splice(0)) bundle.remove();
}

/** Builds the program. @returns its path */
export async function bundled(plants: readonly Plant[] = []): Promise<string> {
  const planted = new Map<Plant, number>();
  const planting: BundlePlugin = {
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
  const bundle = await built(fileURLToPath(new URL("main.ts", import.meta.url)), [planting]);
  bundles.push(bundle);
  for (const plant of plants)
    if (planted.get(plant) !== 1)
      throw new Error(`${plant.text} does not occur once in ${plant.file}`);
  return bundle.program;
}
