/** What a client says where a call fails: whether it was done, was not, or may have been. */

import {
  Aborted,
  Ambiguous,
  Busy,
  Committed,
  Entries,
  Get,
  NotDone,
  Refused,
  type StoreAnswer,
} from "@kith/store";
import { expect } from "chai";
import type { Client } from "./client.ts";
import { ClientError, type ClientErrorCode, type Outcome } from "./errors.ts";
import { fakeClient } from "./fake.test.ts";

/** The error that a call ends with. */
export async function errorOf(call: Promise<unknown>): Promise<ClientError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof ClientError) return error;
    throw error;
  }
  throw new Error("The call did not fail.");
}

const calls: readonly [string, (client: Client) => Promise<unknown>][] = [
  ["get", (client) => client.get("k")],
  ["getAll", (client) => client.getAll(["k", "l"])],
  ["put", (client) => client.put("k", "v")],
  ["put with a condition", (client) => client.put("k", "v", { when: "absent" })],
  ["delete", (client) => client.delete("k")],
  ["compareAndSet", (client) => client.compareAndSet("k", "a", "b")],
  ["increment", (client) => client.increment("k")],
  ["append", (client) => client.append("k", "v")],
  ["expire", (client) => client.expire("k", 1000)],
  ["batch", (client) => client.batch([{ put: "k", value: "v" }])],
  ["transact", (client) => client.transact((tx) => tx.put("k", "v"), { attempts: 1 })],
];

const answers: readonly [StoreAnswer, ClientErrorCode, Outcome][] = [
  [new Busy(), "KITH_CLIENT_BUSY", "not-done"],
  [new NotDone({ reason: "timeout" }), "KITH_CLIENT_TIMEOUT", "not-done"],
  [new NotDone({ reason: "stopped" }), "KITH_CLIENT_CLOSED", "not-done"],
  [new Ambiguous(), "KITH_CLIENT_AMBIGUOUS", "unknown"],
  [
    new Refused({ at: 0, reason: "too-large", value: null, version: 0 }),
    "KITH_CLIENT_REFUSED",
    "not-done",
  ],
  [new Aborted({}), "KITH_CLIENT_CONFLICT", "not-done"],
];

describe("a call that fails", () => {
  for (const [name, call] of calls)
    it(`${name} says what has become of it`, async () => {
      for (const [answer, code, outcome] of answers) {
        const { client } = await fakeClient(() => answer);
        const error = await errorOf(call(client));
        await client.close();
        // A transaction that was not begun is tried again like one that was overtaken.
        const expected =
          name === "transact" && answer instanceof Busy ? "KITH_CLIENT_CONFLICT" : code;
        expect([error.code, error.outcome], answer.constructor.name).deep.equal([
          expected,
          outcome,
        ]);
        expect(error.next).not.equal("");
      }
    });

  it("is given up by a signal: a read is not done, a write may be", async () => {
    for (const [name, call, outcome] of [
      ["get", (client: Client, signal: AbortSignal) => client.get("k", { signal }), "not-done"],
      ["put", (client: Client, signal: AbortSignal) => client.put("k", "v", { signal }), "unknown"],
      [
        "transact",
        (client: Client, signal: AbortSignal) =>
          client.transact((tx) => tx.put("k", "v"), { signal }),
        "unknown",
      ],
    ] as const) {
      const { client, asked } = await fakeClient(() => null);
      const controller = new AbortController();
      const error = errorOf(call(client, controller.signal));
      while (asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
      controller.abort(new Error("enough"));
      const { code, outcome: is, cause } = await error;
      expect([code, is], name).deep.equal(["KITH_CLIENT_ABORTED", outcome]);
      expect(String(cause)).equal("Error: enough");
      await client.close();
    }
  });

  it("that was given up before it was sent is not done", async () => {
    const { client, asked } = await fakeClient(() => new Busy());
    const error = await errorOf(client.put("k", "v", { signal: AbortSignal.abort() }));
    expect([error.code, error.outcome]).deep.equal(["KITH_CLIENT_ABORTED", "not-done"]);
    await client.close();
    expect(asked).deep.equal([]);
  });

  it("ends when the client is closed, and later ones are not begun", async () => {
    const { client, asked } = await fakeClient(() => null);
    const read = errorOf(client.get("k"));
    const write = errorOf(client.put("k", "v"));
    while (asked.length < 2) await new Promise((resolve) => setImmediate(resolve));
    await client.close();
    expect([(await read).code, (await read).outcome]).deep.equal([
      "KITH_CLIENT_CLOSED",
      "not-done",
    ]);
    expect([(await write).code, (await write).outcome]).deep.equal([
      "KITH_CLIENT_CLOSED",
      "unknown",
    ]);
    const late = await errorOf(client.put("k", "v"));
    expect([late.code, late.outcome]).deep.equal(["KITH_CLIENT_CLOSED", "not-done"]);
    await client.close();
  });

  it("ends when the client's own system fails, and so do watches and later calls", async () => {
    const fake = await fakeClient((request) => {
      if (request instanceof Get) throw new Error("out of order");
      return null;
    });
    const { client } = fake;
    const watch = client.watch("k");
    const waiting = [client.put("k", "v"), client.get("k")].map(errorOf);
    const [put, got] = await Promise.all(waiting);
    expect([put?.code, put?.outcome]).deep.equal(["KITH_CLIENT_CLOSED", "unknown"]);
    expect([got?.code, got?.outcome]).deep.equal(["KITH_CLIENT_CLOSED", "not-done"]);
    expect((await errorOf(watch.next())).code).equal("KITH_CLIENT_CLOSED");
    expect((await errorOf(client.get("k"))).code).equal("KITH_CLIENT_CLOSED");
    expect((await errorOf(client.transact((tx) => tx.get("k")))).code).equal("KITH_CLIENT_CLOSED");
    await client.close();
  });

  it("is wrong before it is sent: a key that is too long, an increment that is no whole number", async () => {
    const { client, asked } = await fakeClient(() => new Busy());
    expect((await errorOf(client.get("k".repeat(5000)))).code).equal("KITH_CLIENT_ARGUMENT");
    expect((await errorOf(client.increment("k", 0.5))).code).equal("KITH_CLIENT_ARGUMENT");
    await client.close();
    expect(asked).deep.equal([]);
  });
});

describe("a body that throws", () => {
  const entries = (keys: readonly string[]): Entries =>
    new Entries({
      entries: keys.map((key) => ({ key, value: null, version: 0, expiresIn: null })),
      next: null,
    });

  it("asks whether reads fit together, also where they were under way at a time", async () => {
    const { client, asked } = await fakeClient((request) =>
      "keys" in request ? entries(request.keys) : new Committed(),
    );
    const commits = (): number => asked.filter((one) => "writes" in one).length;
    await client.transact((tx) => tx.get("a"));
    expect(commits()).equal(0);
    await client.transact((tx) => Promise.all([tx.get("a"), tx.get("b")]));
    expect(commits()).equal(1);
    await client.close();
  });

  it("ends its transaction where what it had read holds, with nothing written", async () => {
    const { client, asked } = await fakeClient((request) =>
      "keys" in request ? entries(request.keys) : new Committed(),
    );
    let thrown: unknown;
    try {
      await client.transact(async (tx) => {
        await tx.get("a");
        await tx.get("b");
        tx.put("a", "x");
        throw new Error("no money");
      });
    } catch (error) {
      thrown = error;
    }
    await client.close();
    expect(String(thrown)).equal("Error: no money");
    expect(asked.flatMap((one) => ("writes" in one ? [one.writes] : []))).deep.equal([[]]);
  });

  it("is run again where what it had read did not fit together", async () => {
    let checks = 0;
    const { client } = await fakeClient((request) =>
      "keys" in request
        ? entries(request.keys)
        : checks++ === 0
          ? new Aborted({})
          : new Committed(),
    );
    let runs = 0;
    const result = await client.transact(async (tx) => {
      await tx.get("a");
      await tx.get("b");
      if (++runs === 1) throw new Error("a fractured read");
      return runs;
    });
    await client.close();
    expect(result).equal(2);
  });

  it("may not be used after its end", async () => {
    const { client } = await fakeClient(() => new Committed());
    let leaked: { put(key: string, value: string): void } | undefined;
    await client.transact((tx) => void (leaked = tx));
    await client.close();
    expect(() => leaked?.put("a", "x")).throw("KITH_CLIENT_OVER");
  });

  it("is given up after so many attempts, and tells of each", async () => {
    const { client } = await fakeClient((request) =>
      "keys" in request ? entries(request.keys) : new Aborted({}),
    );
    const retries: number[] = [];
    client.events.on("retry", (attempt) => retries.push(attempt));
    let runs = 0;
    const error = await errorOf(
      client.transact(
        (tx) => {
          runs++;
          tx.put("a", "x");
        },
        { attempts: 4 },
      ),
    );
    await client.close();
    expect([error.code, error.outcome, runs]).deep.equal(["KITH_CLIENT_CONFLICT", "not-done", 4]);
    expect(retries).deep.equal([1, 2, 3]);
  });
});
