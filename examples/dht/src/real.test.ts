/** The table on sockets: five peers in one process. */

import { run, type System } from "@kith/core";
import { bindAddress, real } from "@kith/node";
import { expect } from "chai";
import { Main } from "./client.ts";

/** That one who has left is not reached any more is no news here. */
const log = (): void => undefined;

describe("the hash table, for real", () => {
  const systems: System<Main>[] = [];
  afterEach(() => Promise.all(systems.splice(0).map((system) => system.stop())));

  it("serves from every peer what was put at any other, also when one has left", async () => {
    const ids = [11, 2, 33, 24, 5].map((n) => n * 2 ** 43);
    const first = real({ listen: await bindAddress(), peerId: ids[0] ?? 1, log });
    systems.push(await run(Main, { introducers: [] }, first));
    for (const peerId of ids.slice(1)) {
      const world = real({ listen: await bindAddress(), peerId, log });
      systems.push(await run(Main, { introducers: [first.peer] }, world));
    }
    const at = (index: number): Main => (systems[index % systems.length] as System<Main>).instance;
    const keys = Array.from({ length: 40 }, (_, n) => `key ${n}`);
    for (const [n, key] of keys.entries()) {
      // A newcomer that has not found its ring yet says so in the end: then again.
      for (let left = 3; left > 0; left--)
        if ((await at(n).put(key, `value of ${key}`)).status === "ok") break;
    }
    const [, leaver] = systems;
    if (leaver === undefined) throw new Error("there are five");
    await new Promise<void>((resolve) => leaver.instance.go(resolve));
    await leaver.stop();
    systems.splice(1, 1);
    for (const [n, key] of keys.entries())
      expect(await at(n + 1).get(key)).to.include({ status: "ok", value: `value of ${key}` });
  }).timeout(60_000);
});
