/** What a client does, on a store that keeps its promises: the same cases in a simulation and on sockets. */

import { expect } from "chai";
import type { Client } from "./client.ts";
import { json } from "./codec.ts";
import { errorOf } from "./errors.test.ts";

/** A case: works on a client whose store is empty but for what earlier cases have left under other prefixes. */
export interface ClientCase {
  readonly name: string;
  readonly run: (client: Client) => Promise<void>;
}

interface Account {
  readonly owner: string;
  readonly balance: number;
}

function isAccount(value: unknown): value is Account {
  return (
    typeof value === "object" &&
    value !== null &&
    "owner" in value &&
    typeof value.owner === "string" &&
    "balance" in value &&
    typeof value.balance === "number"
  );
}

/** All of them. */
export const clientCases: readonly ClientCase[] = [
  {
    name: "puts, gets and deletes",
    run: async (client) => {
      expect(await client.get("a/1")).equal(undefined);
      const version = await client.put("a/1", "grüße");
      expect(await client.find("a/1")).deep.equal({ value: "grüße", version, expiresIn: null });
      expect(await client.delete("a/1")).equal(true);
      expect(await client.delete("a/1")).equal(false);
      expect(await client.find("a/1")).deep.equal({
        value: undefined,
        version: 0,
        expiresIn: null,
      });
    },
  },
  {
    name: "writes on conditions, and says when one does not hold",
    run: async (client) => {
      expect(await client.compareAndSet("b", undefined, "one")).equal(true);
      expect(await client.compareAndSet("b", undefined, "two")).equal(false);
      expect(await client.compareAndSet("b", "one", "two")).equal(true);
      const { version } = await client.find("b");
      await client.put("b", "three", { when: { version } });
      const error = await errorOf(client.put("b", "four", { when: { version } }));
      expect([error.code, error.reason]).deep.equal(["KITH_CLIENT_REFUSED", "condition"]);
      expect(await client.compareAndSet("b", "three", undefined)).equal(true);
      expect(await client.get("b")).equal(undefined);
    },
  },
  {
    name: "increments and appends",
    run: async (client) => {
      const sums = await Promise.all(Array.from({ length: 20 }, () => client.increment("c", 2)));
      expect(new Set(sums).size).equal(20);
      expect(await client.get("c")).equal("40");
      expect(await client.increment("c", -41n)).equal(-1n);
      await client.put("c", "text");
      expect((await errorOf(client.increment("c"))).reason).equal("not-an-integer");
      expect(await client.append("c", "!")).equal(5);
      expect(await client.get("c")).equal("text!");
    },
  },
  {
    name: "lets keys expire",
    run: async (client) => {
      await client.put("d", "long", { expiresIn: 600_000 });
      const { expiresIn } = await client.find("d");
      expect(expiresIn).within(1, 610_000);
      expect(await client.expire("d", 300)).equal(true);
      expect(await client.expire("nobody", 100)).equal(false);
      while ((await client.get("d")) !== undefined);
      await client.put("d", "long", { expiresIn: 600_000 });
      expect(await client.expire("d", null)).equal(true);
      expect((await client.find("d")).expiresIn).equal(null);
    },
  },
  {
    name: "writes and reads keys of several groups at one instant",
    run: async (client) => {
      await client.batch([
        { put: "e", value: "1" },
        { put: "m", value: "2" },
        { put: "z", value: "3" },
        { delete: "b" },
      ]);
      const all = await client.getAll(["z", "e", "nothing", "m"]);
      expect([...all].toSorted(([a], [b]) => (a < b ? -1 : 1))).deep.equal([
        ["e", "1"],
        ["m", "2"],
        ["z", "3"],
      ]);
      await client.batch([]);
      expect((await client.getAll([])).size).equal(0);
    },
  },
  {
    name: "runs transactions, which lose nothing where they are in each other's way",
    run: async (client) => {
      const accounts = client.as(json(isAccount));
      const names = ["ada", "hal", "zoe"];
      for (const owner of names) await accounts.put(`${owner}/account`, { owner, balance: 100 });
      const move = (from: string, to: string, amount: number): Promise<void> =>
        accounts.transact(
          async (tx) => {
            const both = await tx.getAll([`${from}/account`, `${to}/account`]);
            const [a, b] = [both.get(`${from}/account`), both.get(`${to}/account`)];
            if (a === undefined || b === undefined) throw new Error("no such account");
            tx.put(`${from}/account`, { ...a, balance: a.balance - amount });
            tx.put(`${to}/account`, { ...b, balance: b.balance + amount });
          },
          { within: 60_000, attempts: 1000 },
        );
      const moves: Promise<void>[] = [];
      for (let n = 0; n < 12; n++)
        moves.push(move(names[n % 3] ?? "", names[(n + 1) % 3] ?? "", n + 1));
      await Promise.all(moves);
      const all = await accounts.getAll(names.map((name) => `${name}/account`));
      expect([...all.values()].reduce((sum, { balance }) => sum + balance, 0)).equal(300);
      const balances = names.map((name) => all.get(`${name}/account`)?.balance);
      // Each has paid 22, 26 or 30 and got what the one before has paid.
      expect(balances).deep.equal([108, 96, 96]);
    },
  },
  {
    name: "shows a transaction its own writes, and reads a key once",
    run: async (client) => {
      await client.put("f", "before");
      const seen = await client.transact(async (tx) => {
        const first = await tx.get("f");
        tx.put("f", "mine");
        const own = await tx.get("f");
        tx.delete("f");
        return [first, own, await tx.get("f"), await tx.get("nothing")];
      });
      expect(seen).deep.equal(["before", "mine", undefined, undefined]);
      expect(await client.get("f")).equal(undefined);
    },
  },
  {
    name: "reads without writing, all at one instant",
    run: async (client) => {
      const writer = (async () => {
        for (let n = 1; n <= 10; n++)
          await client.batch([
            { put: "g1", value: `${n}` },
            { put: "q1", value: `${n}` },
          ]);
      })();
      for (let n = 0; n < 10; n++) {
        const [a, b] = await client.transact(async (tx) => [
          await tx.get("g1"),
          await tx.get("q1"),
        ]);
        expect(a).equal(b);
      }
      await writer;
    },
  },
  {
    name: "goes through keys in their order",
    run: async (client) => {
      const keys = Array.from({ length: 12 }, (_, n) => `h${String(n).padStart(2, "0")}`);
      await client.batch(keys.map((key) => ({ put: key, value: key })));
      const found: string[] = [];
      for await (const [key, value] of client.scan({ from: "h0", to: "h:", pageSize: 5 })) {
        expect(value).equal(key);
        found.push(key);
      }
      expect(found).deep.equal(keys);
    },
  },
];
