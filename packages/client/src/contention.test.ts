/** Many clients at few keys, simulated: all get through, and nobody waits for long while others go on. */

import { expect } from "chai";
import type { Client } from "./client.ts";
import { simStore } from "./store-kit.test.ts";

const clients = 30;
const each = 8;

interface Seen {
  /** The longest that a transaction took, in simulated milliseconds; and how long all of it took. */
  readonly longest: number;
  readonly took: number;
  readonly sum: number;
}

/** Everybody adds to all of the keys, one transaction after the other. */
async function rush(
  client: Client,
  keysOf: (n: number) => readonly string[],
  now: () => number,
): Promise<Seen> {
  const begin = now();
  let longest = 0;
  const one = async (n: number): Promise<void> => {
    for (let i = 0; i < each; i++) {
      const asked = now();
      await client.transact(
        async (tx) => {
          for (const key of keysOf(n)) tx.put(key, `${Number((await tx.get(key)) ?? "0") + 1}`);
        },
        { within: 120_000 },
      );
      longest = Math.max(longest, now() - asked);
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, n) => one(n)));
  const all = await client.getAll(["a/hot", "n/hot"]);
  const sum = [...all.values()].reduce((total, value) => total + Number(value), 0);
  return { longest, took: now() - begin, sum };
}

describe("many clients at few keys", function () {
  this.timeout(120_000);

  it("change one key by transactions, none of which waits for more than two seconds", async () => {
    for (const seed of [1]) {
      const { world, client, during } = simStore(seed);
      const { longest, sum } = await during(
        rush(
          client,
          () => ["a/hot"],
          () => world.time,
        ),
      );
      expect(sum).equal(clients * each);
      expect(longest, `seed ${seed}`).lessThan(2000);
    }
  });

  it("change two keys of two groups, in both orders, and all get through", async () => {
    const { world, client, during } = simStore(3);
    const both = ["a/hot", "n/hot"];
    const keysOf = (n: number): readonly string[] => (n % 2 === 0 ? both : [...both].reverse());
    const { longest, took, sum } = await during(rush(client, keysOf, () => world.time));
    expect(sum).equal(2 * clients * each);
    expect(longest).lessThan(10_000);
    expect(took).lessThan(30_000);
  });
});
