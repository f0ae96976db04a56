/**
 * The counter in processes of their own. With `--listen` this is one node; without, it starts three of them,
 * kills one with -9 half-way, starts it again on its data, and ends when all agree on the total.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { run } from "@kith/core";
import { bindAddress } from "@kith/network/host";
import { real, stopOnSignals } from "@kith/node";
import { Node } from "./node.ts";

const { values } = parseArgs({
  options: {
    listen: { type: "string" },
    data: { type: "string" },
    join: { type: "string", default: "" },
    target: { type: "string", default: "100" },
  },
});
if (values.listen === undefined) await demonstrate();
else await node(values.listen, values.data);

/** One node. Prints a line for each total that it shows. */
async function node(listen: string, data: string | undefined): Promise<void> {
  const join = values.join.split(",").filter((address) => address !== "");
  const init = { every: 100, pause: 10, target: Number(values.target), join };
  const world = real({ listen, ...(data === undefined ? {} : { data }) });
  const system = await run(Node, init, world);
  stopOnSignals(system);
  const { state } = system.instance;
  let shown = -1;
  const show = setInterval(() => {
    if (state.total === shown) return;
    shown = state.total;
    console.log(
      `life ${world.peer.incarnation}: total ${shown}, ${state.own} of them counted here`,
    );
  }, 100);
  await system.done.finally(() => clearInterval(show));
}

/** Three nodes, one of which does not live through it. */
async function demonstrate(): Promise<void> {
  const target = Number(values.target);
  const data = mkdtempSync(join(tmpdir(), "kith-counter-"));
  const bound = await Promise.all([0, 1, 2].map(() => bindAddress()));
  const addresses = bound.map(({ host, port }) => `${host}:${port}`);
  for (const one of bound) one.close();
  const running = new Map<number, ChildProcess>();
  const done = new Set<number>();
  let killed = false;

  try {
    await new Promise<void>((resolve, reject) => {
      const begin = (index: number): void => {
        const args = [
          ...["--import", "tsx", "--conditions", "source", fileURLToPath(import.meta.url)],
          ...["--listen", addresses[index] ?? "", "--data", join(data, `node-${index + 1}`)],
          ...["--join", addresses[0] ?? "", "--target", `${target}`],
        ];
        const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
        running.set(index, child);
        child.on("error", reject);
        child.on("exit", (code, signal) => {
          if (signal !== "SIGKILL" && done.size < 3)
            reject(new Error(`Node ${index + 1} ended with ${code ?? signal}.`));
          else if (done.size < 3) begin(index);
        });
        createInterface(child.stdout).on("line", (line) => {
          console.log(`node ${index + 1}, ${line}`);
          const total = Number(/total (\d+)/.exec(line)?.[1]);
          if (index === 1 && total > target && !killed) {
            killed = true;
            console.log("node 2 is killed");
            child.kill("SIGKILL");
          }
          if (total === 3 * target) done.add(index);
          if (done.size === 3) resolve();
        });
      };
      for (const index of [0, 1, 2]) begin(index);
    });
  } finally {
    for (const index of [0, 1, 2]) done.add(index);
    await Promise.all([...running.values()].map(ended));
    rmSync(data, { recursive: true });
  }
  console.log(`All three say ${3 * target}.`);
}

/** Ends a process in order. */
function ended(child: ChildProcess): Promise<unknown> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  child.kill("SIGTERM");
  return once(child, "exit");
}
