/** The store's three members in processes of their own. */

import { fileURLToPath } from "node:url";
import { type Processes, type ProcessesInit, startProcesses } from "@kith/example-group";

const fromSource = import.meta.url.endsWith(".ts");

/** Starts three members on ports of loopback that are free. */
export function startStore({
  node = [],
  ...more
}: Pick<ProcessesInit, "node" | "line"> = {}): Promise<Processes> {
  return startProcesses({
    ...more,
    program: fileURLToPath(new URL(fromSource ? "main.ts" : "main.js", import.meta.url)),
    node: [...(fromSource ? ["--import", "tsx", "--conditions", "source"] : []), ...node],
    more: (members) => [
      "--members",
      members.map((one) => `${one.peerId}@${one.host}:${one.port}`).join(","),
    ],
  });
}
