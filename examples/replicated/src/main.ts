/**
 * The two services in processes of their own: `main.ts counter` or `main.ts lock`. With `--listen` this is one
 * member; without, it starts three, kills the leader with -9, starts it again on its data, and ends when all is done.
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
import { parseAddress } from "@kith/network";
import { bindAddress } from "@kith/network/host";
import { real, stopOnSignals } from "@kith/node";
import { CounterNode } from "./counter.ts";
import { LockNode } from "./lock.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    listen: { type: "string" },
    data: { type: "string" },
    members: { type: "string", default: "" },
    found: { type: "boolean", default: false },
    target: { type: "string", default: "100" },
  },
});
const service = positionals[0] === "lock" ? "lock" : "counter";
const target = Number(values.target);
if (values.listen === undefined) await demonstrate();
else await member(values.listen, values.data);

/** One member. Prints a line whenever something of it has changed. */
async function member(listen: string, data: string | undefined): Promise<void> {
  const members = values.members
    .split(",")
    .map((address, index) => ({ peerId: index + 1, ...parseAddress(address) }));
  const peerId = 1 + values.members.split(",").indexOf(listen);
  const common = { members, found: values.found, name: `node-${peerId}`, pause: 10 };
  const world = real({ listen, peerId, ...(data === undefined ? {} : { data }) });
  const system =
    service === "counter"
      ? await run(CounterNode, { ...common, target }, world)
      : await run(LockNode, { ...common, lease: 2000, work: 50 }, world);
  stopOnSignals(system);
  const { instance } = system;
  let shown = "";
  const show = setInterval(() => {
    const { leads } = instance.state;
    const state =
      instance instanceof CounterNode
        ? `total ${instance.state.sum}, ${Math.max(0, instance.state.own)} of them counted here`
        : `${instance.state.turns} turns, the last with token ${instance.state.last}`;
    const line = `life ${world.peer.incarnation}: ${state}${leads ? ", leads" : ""}`;
    if (line !== shown) console.log((shown = line));
  }, 250);
  await system.done.finally(() => clearInterval(show));
}

/** Three members, of which the leader does not live through it. */
async function demonstrate(): Promise<void> {
  const data = mkdtempSync(join(tmpdir(), "kith-replicated-"));
  const bound = await Promise.all([0, 1, 2].map(() => bindAddress()));
  const addresses = bound.map(({ host, port }) => `${host}:${port}`);
  for (const one of bound) one.close();
  const running = new Map<number, ChildProcess>();
  const finished = new Set<number>();
  let killed = 0;
  let done = false;

  try {
    await new Promise<void>((resolve, reject) => {
      const begin = (index: number, found: boolean): void => {
        const args = [
          ...["--import", "tsx", "--conditions", "source", fileURLToPath(import.meta.url), service],
          ...["--listen", addresses[index] ?? "", "--data", join(data, `node-${index + 1}`)],
          ...[
            "--members",
            addresses.join(),
            "--target",
            `${target}`,
            ...(found ? ["--found"] : []),
          ],
        ];
        const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
        running.set(index, child);
        child.on("error", reject);
        child.on("exit", (code, signal) => {
          if (done) return;
          if (signal === "SIGKILL") begin(index, false);
          else reject(new Error(`Node ${index + 1} ended with ${code ?? signal}.`));
        });
        createInterface(child.stdout).on("line", (line) => {
          console.log(`node ${index + 1}, ${line}`);
          const progress = Number(/(?:total|token) (\d+)/.exec(line)?.[1]);
          if (killed === 0 && line.endsWith("leads") && progress > target / 4) {
            killed = index + 1;
            console.log(`node ${killed} is killed: it leads`);
            child.kill("SIGKILL");
          }
          const isDone = service === "counter" ? progress === 3 * target : progress >= target;
          if (isDone && killed > 0) finished.add(index);
          if (finished.size === 3) resolve();
        });
      };
      for (const index of [0, 1, 2]) begin(index, true);
    });
  } finally {
    done = true;
    await Promise.all([...running.values()].map(ended));
    rmSync(data, { recursive: true });
  }
  console.log(
    service === "counter"
      ? `All three say ${3 * target}, and node ${killed} was killed meanwhile.`
      : `All three had the lock again, and node ${killed} was killed meanwhile.`,
  );
}

/** Ends a process in order. */
function ended(child: ChildProcess): Promise<unknown> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  child.kill("SIGTERM");
  return once(child, "exit");
}
