/** The counter on real sockets and disks: several nodes in one process, and nodes in processes of their own. */

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
import { Node } from "./node.ts";

const program = fileURLToPath(new URL("main.ts", import.meta.url));

describe("the counter, for real", () => {
  const systems: System<Node>[] = [];
  let data = "";

  beforeEach(() => {
    data = mkdtempSync(join(tmpdir(), "kith-counter-test-"));
  });
  afterEach(async () => {
    await Promise.all(systems.splice(0).map((system) => system.stop()));
    rmSync(data, { recursive: true });
  });

  it("agrees on the total, three nodes in one process, one stopped and started again on its data", async () => {
    const target = 50;
    const bound = await Promise.all([0, 1, 2].map(() => bindAddress()));
    const first = bound[0];
    const begin = async (index: number, to: number): Promise<System<Node>> => {
      const listen = bound[index];
      if (listen === undefined || first === undefined) throw new Error("there are three");
      const world = real({ listen, data: join(data, `${index}`), node: `node-${index}` });
      const join0 = [`${first.host}:${first.port}`];
      const system = await run(Node, { every: 20, pause: 2, target: to, join: join0 }, world);
      systems.push(system);
      return system;
    };
    const [, second] = [await begin(0, target), await begin(1, 10), await begin(2, target)];
    await until(() => systems.every(({ instance }) => instance.state.total === 2 * target + 10));
    await second.stop();
    systems.splice(systems.indexOf(second), 1);
    const again = await begin(1, target);
    await until(() => systems.every(({ instance }) => instance.state.total === 3 * target));
    expect(again.instance.state.own).to.equal(target);
  });

  it("agrees on the total, three processes, one of them killed with -9 and started again", async () => {
    const args = ["--import", "tsx", "--conditions", "source", program, "--target", "60"];
    // A code other than 0 rejects.
    const { stdout } = await promisify(execFile)(process.execPath, args);
    expect(stdout).to.contain("node 2 is killed").and.to.contain("node 2, life 2:");
    expect(stdout.trimEnd().split("\n").at(-1)).to.equal("All three say 180.");
  });
});

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error("It did not come about within 30 s.");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
