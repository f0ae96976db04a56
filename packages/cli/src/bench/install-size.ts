/** How large `npm install @kith/cli` is: its packages and all that they need, as far as they are published and installed here. */

import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** What there is. */
export interface InstallSize {
  readonly packages: number;
  /** Of Kith, among them. */
  readonly own: number;
  readonly mb: number;
  readonly ownMb: number;
}

/** Measures it, from the package that this file belongs to. */
export function installSize(
  folder: string = dirname(fileURLToPath(new URL("../../package.json", import.meta.url))),
): InstallSize {
  const seen = new Map<string, boolean>();
  const visit = (linked: string): void => {
    const place = realpathSync(linked);
    if (seen.has(place)) return;
    const manifest = join(place, "package.json");
    const json: unknown = JSON.parse(readFileSync(manifest, "utf8"));
    seen.set(place, String(fieldOf(json, "name")).startsWith("@kith/"));
    for (const field of ["dependencies", "optionalDependencies"])
      for (const name of Object.keys(Object(fieldOf(json, field))))
        for (const near of createRequire(manifest).resolve.paths(name) ?? [])
          if (existsSync(join(near, name, "package.json"))) {
            visit(join(near, name));
            break;
          }
  };
  visit(folder);
  let [own, bytes, ownBytes] = [0, 0, 0];
  for (const [place, isOwn] of seen) {
    const size = isOwn ? sizeOfPublished(place) : sizeOf(place, () => true);
    bytes += size;
    if (!isOwn) continue;
    own++;
    ownBytes += size;
  }
  return { packages: seen.size, own, mb: bytes / 1e6, ownMb: ownBytes / 1e6 };
}

/** What of a workspace would be published. */
function sizeOfPublished(place: string): number {
  const json: unknown = JSON.parse(readFileSync(join(place, "package.json"), "utf8"));
  const files = fieldOf(json, "files");
  const listed: unknown[] = Array.isArray(files) ? files : [];
  const all = ["package.json", "README.md", ...listed.map(String)];
  return all.reduce((sum, name) => {
    const path = join(place, name);
    if (!existsSync(path)) return sum;
    if (statSync(path).isFile()) return sum + statSync(path).size;
    return sum + sizeOf(path, (file) => !file.endsWith(".test.ts") && file !== ".tsbuildinfo");
  }, 0);
}

function sizeOf(folder: string, counts: (file: string) => boolean): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === "node_modules") continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += sizeOf(path, counts);
    else if (entry.isFile() && counts(entry.name)) bytes += statSync(path).size;
  }
  return bytes;
}

function fieldOf(json: unknown, name: string): unknown {
  return typeof json === "object" && json !== null
    ? Object.getOwnPropertyDescriptor(json, name)?.value
    : undefined;
}
