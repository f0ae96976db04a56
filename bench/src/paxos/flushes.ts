/** Loaded into a process before its program: counts its flushes, and prints how many there were at SIGUSR2. */

import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

let flushes = 0;
const { fdatasync } = fs;
// What imports it by name from now on gets this one.
Object.assign(fs, {
  fdatasync: (file: number, done: (error: NodeJS.ErrnoException | null) => void) => {
    flushes++;
    fdatasync(file, done);
  },
});
syncBuiltinESMExports();

/** How many flushes this process has begun. */
export function flushesHere(): number {
  return flushes;
}

process.on("SIGUSR2", () => console.log(`flushes ${flushes}`));
