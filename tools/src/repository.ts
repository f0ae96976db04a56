// Small repositories in a temporary folder, for the tests of the checks.

import fs from "node:fs";
import os from "node:os";
import path from "node:path";

/** Writes files (path from the root → text) into a new folder and gives its path. */
export function plant(files: Readonly<Record<string, string>>, parent = os.tmpdir()): string {
  fs.mkdirSync(parent, { recursive: true });
  const root = fs.mkdtempSync(path.join(parent, "kith-"));
  for (const [file, text] of Object.entries(files)) {
    const full = path.join(root, file);
    fs.mkdirSync(path.dirname(full), { recursive: true });
    fs.writeFileSync(full, text);
  }
  return root;
}

/** Removes what `plant` wrote. */
export function uproot(root: string): void {
  fs.rmSync(root, { recursive: true, force: true });
}
