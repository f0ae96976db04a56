/**
 * What three real processes say to each other before it is on the disk: nothing. Each runs under `strace`, which sees what
 * they write, sync and send; and with mistakes planted, it shows.
 */

import { expect } from "chai";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "@kith/core";
import { real } from "@kith/node";
import { bundled, type Plant, removeBundles } from "./bundle-kit.test.ts";
import { startProcesses } from "./processes.ts";
import { type Judged, judge, straceArguments } from "./trace-kit.test.ts";
import { User } from "./user.ts";

/** Lets three processes elect, write, and elect again, under `strace`. */
async function traced(plants: readonly Plant[] = []): Promise<Judged> {
  const folder = fs.mkdtempSync(join(tmpdir(), "kith-group-trace-"));
  const traces = [1, 2, 3].map((n) => join(folder, `${n}`));
  const processes = await startProcesses({
    program: await bundled(plants),
    before: (index) => ["strace", ...straceArguments, "-o", traces[index] ?? ""],
  });
  const system = await run(
    User,
    { members: processes.members, deadline: 60_000 },
    real({ log: () => undefined }),
  );
  try {
    const user = system.instance;
    const write = async (n: number): Promise<void> => {
      const value = new TextEncoder().encode(`value ${n} ${"x".repeat(100)}`);
      const { outcome } = await user.do({ op: "write", key: `k${n}`, value });
      expect(outcome).equal("done");
    };
    for (let n = 0; n < 20; n++) await write(n);
    await Promise.all(Array.from({ length: 10 }, (_, n) => write(n)));
    if (plants.length === 0) {
      // The tracer would leave what it traces alone if it was killed.
      await processes.stop(user.target - 1);
      for (let n = 0; n < 20; n++) await write(n);
    }
    await Promise.all([0, 1, 2].map((index) => processes.stop(index)));
    return judge(traces.map((trace) => fs.readFileSync(trace, "latin1")));
  } finally {
    await system.stop();
    await processes.close();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

describe("the system calls of three members", function () {
  this.timeout(120_000);
  if (spawnSync("strace", ["-V"]).error !== undefined) {
    it("are not looked at: strace is missing here (Debian's package strace)", () => {});
    return;
  }
  after(removeBundles);

  it("sync what a vote or an acknowledgement speaks of before it leaves", async () => {
    const { broken, acknowledgements, votes } = await traced();
    expect(broken).deep.equal([]);
    expect(acknowledgements).greaterThan(50);
    // Two elections, each with a request to two others and a vote at least.
    expect(votes).greaterThan(3);
  });

  // The group itself would notice, and stop.
  const unnoticed: Plant = {
    file: "paxos/src/durability.ts",
    text: "export function ensureDurable(state: GroupState, message: PeerMessage): void {",
    planted:
      "export function ensureDurable(state: GroupState, message: PeerMessage): void { if (state.term >= 0) return;",
  };
  for (const [what, plants] of [
    [
      "show a storage that says so before the sync is over",
      [
        {
          file: "storage/src/host/files.ts",
          text: "flush: (file, done) => fs.fdatasync(file, done),",
          planted:
            "flush: (file, done) => { setImmediate(done, null); fs.fdatasync(file, () => {}); },",
        },
      ],
    ],
    [
      "show a follower that confirms entries before they are flushed",
      [
        unnoticed,
        {
          file: "paxos/src/replication.ts",
          text: "sendAfter(state, writeOf(state, match), sender, { ...answer, match });",
          planted: "sendAfter(state, 0, sender, { ...answer, match });",
        },
      ],
    ],
    [
      "show votes that leave before they are flushed",
      [
        unnoticed,
        {
          file: "paxos/src/durability.ts",
          text: "const after = Math.max(write, state.hardWrite);",
          planted: "const after = 0 * write;",
        },
      ],
    ],
  ] as const) {
    it(what, async () => {
      const { broken } = await traced(plants);
      expect(broken).not.deep.equal([]);
      if (/vote/.test(what)) expect(broken.join("\n")).match(/vote/);
      if (/follower/.test(what)) expect(broken.join("\n")).match(/acknowledged/);
    });
  }
});
