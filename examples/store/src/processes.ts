/** The store's three members in processes of their own. */

import { fileURLToPath } from "node:url";
import { type Processes, type ProcessesInit, startProcesses } from "@kith/example-group";

const fromSource = import.meta.url.endsWith(".ts");

/** Starts three members on ports of loopback that are free. @param init `program`: that of this example, as one JavaScript file */
export function startStore({
  node = [],
  program,
  ...more
}: Pick<ProcessesInit, "node" | "line" | "program"> = {}): Promise<Processes> {
  const isSource = fromSource && program === undefined;
  return startProcesses({
    ...more,
    program: program ?? fileURLToPath(new URL(fromSource ? "main.ts" : "main.js", import.meta.url)),
    node: [...(isSource ? ["--import", "tsx", "--conditions", "source"] : []), ...node],
    more: (members) => [
      "--members",
      members.map((one) => `${one.peerId}@${one.host}:${one.port}`).join(","),
    ],
  });
}
