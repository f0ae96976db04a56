/** The replicated services in three processes, of which the leader is killed with -9. */

import { expect } from "chai";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { run, type System } from "@kith/core";
import { bindAddress } from "@kith/network/host";
import { real } from "@kith/node";
import { CounterNode } from "./counter.ts";

/** The lock service in processes, too; the counter shows the same. */
const all = process.env["KITH_REPLICATED_ALL"] !== undefined;
const program = fileURLToPath(new URL("main.ts", import.meta.url));

describe("the replicated services, for real", () => {
  it("count in three nodes of one process, on sockets and disks", async () => {
    const data = mkdtempSync(join(tmpdir(), "kith-replicated-test-"));
    const bound = await Promise.all([0, 1, 2].map(() => bindAddress()));
    const members = bound.map(({ host, port }, index) => ({ peerId: index + 1, host, port }));
    const systems: System<CounterNode>[] = [];
    try {
      for (const [index, listen] of bound.entries()) {
        const init = { members, found: true, name: `node-${index + 1}`, target: 20, pause: 5 };
        // One word apart from the simulation: there it is `simulate(CounterNode, …)`.
        const peerId = index + 1;
        const world = real({ listen, peerId, data: join(data, `${index}`) });
        systems.push(await run(CounterNode, init, world));
      }
      await until(() => systems.every(({ instance }) => instance.state.sum === 60));
    } finally {
      await Promise.all(systems.map((system) => system.stop()));
      rmSync(data, { recursive: true });
    }
  });

  for (const [service, target, last] of [
    ["counter", "20", "All three say 60, and node"],
    ...(all ? ([["lock", "20", "All three had the lock again, and node"]] as const) : []),
  ] as const)
    it(`go on when the leader of three processes is killed: ${service}`, async () => {
      const args = ["--import", "tsx", "--conditions", "source", program, service];
      // A code other than 0 rejects.
      const { stdout } = await promisify(execFile)(process.execPath, [...args, "--target", target]);
      expect(stdout).to.contain("is killed: it leads").and.to.contain("life 2:");
      expect(stdout.trimEnd().split("\n").at(-1)).to.contain(last);
    });
});

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error("It did not come about within 30 s.");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
