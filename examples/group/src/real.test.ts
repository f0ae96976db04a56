/** The group in three processes: what clients are told, and what is left when the leader is killed or stands still. */

import { expect } from "chai";
import { run, type System } from "@kith/core";
import { real } from "@kith/node";
import { checkRegisters, complaint } from "@kith/testing/history";
import { bundled, removeBundles } from "./bundle-kit.test.ts";
import { runChaos } from "./chaos.ts";
import { type Processes, startProcesses } from "./processes.ts";
import { User } from "./user.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array | null): string => new TextDecoder().decode(value ?? undefined);

describe("a replicated group in three processes", function () {
  this.timeout(120_000);
  let program = "";
  let processes: Processes | null = null;
  let system: System<User> | null = null;

  before(async () => {
    program = await bundled();
  });
  afterEach(async () => {
    await system?.stop();
    await processes?.close();
    system = processes = null;
  });
  after(removeBundles);

  it("does what clients ask, in one order, and goes on without its leader, which comes back", async () => {
    processes = await startProcesses({ program });
    system = await run(
      User,
      { members: processes.members, deadline: 60_000 },
      real({ log: () => undefined }),
    );
    const user = system.instance;
    const write = { op: "write", key: "k", value: bytes("one") } as const;
    expect((await user.do(write)).outcome).equal("done");
    const cas = { op: "cas", key: "k", from: bytes("one"), to: bytes("two") } as const;
    expect((await user.do(cas)).outcome).equal("done");
    expect((await user.do(cas)).outcome).equal("not-done");
    expect(text((await user.look("k")).value)).equal("two");

    const leader = user.target - 1;
    await processes.kill(leader);
    const many = Array.from({ length: 50 }, (_, i) =>
      user.do({ op: "write", key: `k${i}`, value: bytes(`${i}`) }),
    );
    for (const { outcome } of await Promise.all(many)) expect(outcome).equal("done");
    expect(user.target - 1).not.equal(leader);

    // With its former leader back, it can do without another one.
    processes.start(leader);
    await processes.kill(user.target - 1);
    expect(text((await user.look("k")).value)).equal("two");
    for (let i = 0; i < 50; i++) expect(text((await user.look(`k${i}`)).value)).equal(`${i}`);
  });

  it("is linearizable while its leader is killed, and stands still", async () => {
    const { history, kills, pauses, acknowledged, unknown } = await runChaos({
      duration: Number(process.env["KITH_GROUP_CHAOS_MS"] ?? 0),
      every: 1500,
      faults: 2,
      answers: 300,
      processes: { program },
    });
    expect(complaint(checkRegisters(history))).equal(undefined);
    expect(kills).greaterThan(0);
    expect(pauses).greaterThan(0);
    expect(acknowledged).least(300);
    expect(unknown).lessThan(acknowledged / 10);
  });
});
