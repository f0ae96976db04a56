/** What the system says of processes: their processor time and their memory. Only Linux says it, in /proc. */

import { readFileSync } from "node:fs";

// A hundred ticks a second, on every Linux.
const msPerTick = 10;

/** The processor time that processes have taken so far, in ms, all together; null where nobody knows. */
export function cpuMsOf(pids: readonly number[]): number | null {
  let sum = 0;
  for (const pid of pids) {
    const text = fileOf(pid, "stat");
    if (text === null) return null;
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    sum += (Number(fields[11]) + Number(fields[12])) * msPerTick;
  }
  return sum;
}

/** What processes have in memory, in MB, all together; null where nobody knows. */
export function residentMbOf(pids: readonly number[]): number | null {
  let sum = 0;
  for (const pid of pids) {
    const found = /VmRSS:\s+(\d+)/.exec(fileOf(pid, "status") ?? "");
    if (found === null) return null;
    sum += Number(found[1]) / 1024;
  }
  return sum;
}

function fileOf(pid: number, name: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    return null;
  }
}
