/** The store's three members in processes of their own. */

import { fileURLToPath } from "node:url";
import { type Processes, startProcesses } from "@kith/example-group";

const fromSource = import.meta.url.endsWith(".ts");

/** Starts three members on ports of loopback that are free. @param line told what they print */
export function startStore(line?: (index: number, line: string) => void): Promise<Processes> {
  return startProcesses({
    program: fileURLToPath(new URL(fromSource ? "main.ts" : "main.js", import.meta.url)),
    node: fromSource ? ["--import", "tsx", "--conditions", "source"] : [],
    more: (members) => [
      "--members",
      members.map((one) => `${one.peerId}@${one.host}:${one.port}`).join(","),
    ],
    ...(line === undefined ? {} : { line }),
  });
}
