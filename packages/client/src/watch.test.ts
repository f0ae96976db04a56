/** Watches: what is told, what happens to who is slow, and how they end. */

import { getEventListeners } from "node:events";
import { textBytes } from "@kith/paxos";
import { Busy, type Change, Changes, Resync, WatchRefused } from "@kith/store";
import { expect } from "chai";
import { bytes } from "./codec.ts";
import { fakeClient } from "./fake.test.ts";
import type { WatchEvent } from "./watch.ts";

const change = (key: string, value: string | null, version: number): Change => ({
  key,
  value: value === null ? null : textBytes(value),
  version,
});

const state = (watch: string, entries: readonly Change[], lo = "", hi: string | null = null) =>
  new Resync({
    watch,
    entries: entries.map(({ key, value, version }) => ({ key, value, version, expiresIn: null })),
    lo,
    hi,
  });

function shown(event: WatchEvent<string> | undefined): unknown {
  if (event === undefined) return undefined;
  if (event.kind === "change") return [event.key, event.value, event.version];
  return { state: Object.fromEntries(event.entries), missed: event.missed };
}

describe("a watch", () => {
  it("begins with what is there, and goes on with each change in order", async () => {
    const fake = await fakeClient(() => new Busy());
    fake.onWatch = ({ watch }) => [state(watch, [change("a", "one", 1)])];
    const watch = fake.client.watch("a");
    expect(shown((await watch.next()).value)).deep.equal({ state: { a: "one" }, missed: false });
    const [name = ""] = fake.watches.map((one) => one.watch);
    fake.tell(new Changes({ watch: name, changes: [change("a", "two", 2), change("a", null, 3)] }));
    fake.tell(new Changes({ watch: name, changes: [change("a", "four", 4)] }));
    expect(shown((await watch.next()).value)).deep.equal(["a", "two", 2]);
    expect(shown((await watch.next()).value)).deep.equal(["a", undefined, 3]);
    expect(shown((await watch.next()).value)).deep.equal(["a", "four", 4]);
    await fake.client.close();
    expect((await watch.next()).done).equal(true);
  });

  it("that is refused throws a coded error, once", async () => {
    const fake = await fakeClient(() => new Busy());
    fake.onWatch = ({ watch }) => [new WatchRefused({ watch })];
    const watch = fake.client.watch("a");
    const error: unknown = await watch.next().catch((cause: unknown) => cause);
    expect(error).include({ code: "KITH_CLIENT_BUSY", outcome: "not-done" });
    expect((await watch.next()).done).equal(true);
    await fake.client.close();
  });

  it("says that changes were missed where they were, and what is there now", async () => {
    const fake = await fakeClient(() => new Busy());
    fake.onWatch = ({ watch }) => [state(watch, []), state(watch, [change("a", "late", 9)])];
    const watch = fake.client.watch({ prefix: "a" });
    expect(shown((await watch.next()).value)).deep.equal({ state: {}, missed: false });
    const second = (await watch.next()).value;
    expect(shown(second)).deep.equal({ state: { a: "late" }, missed: true });
    if (second?.kind === "state")
      expect(["a", "abc", "b"].map((key) => second.covers(key))).deep.equal([true, true, false]);
    await fake.client.close();
  });

  it("has a bound: who is too slow gets what is there now, and is told", async () => {
    const fake = await fakeClient(() => new Busy());
    fake.onWatch = ({ watch }) => [state(watch, [change("a", `${fake.watches.length}`, 1)])];
    const missed: unknown[] = [];
    fake.client.events.on("missed", (target) => missed.push(target));
    const watch = fake.client.watch("a", { bufferMax: 10 });
    expect(shown((await watch.next()).value)).deep.equal({ state: { a: "1" }, missed: false });
    const [name = ""] = fake.watches.map((one) => one.watch);
    for (let n = 0; n < 11; n++)
      fake.tell(new Changes({ watch: name, changes: [change("a", `${n}`, n)] }));
    while (fake.watches.length < 2) await new Promise((resolve) => setImmediate(resolve));
    // What is told to the watch that was given up is not heard any more.
    fake.tell(new Changes({ watch: name, changes: [change("a", "old", 99)] }));
    expect(shown((await watch.next()).value)).deep.equal({ state: { a: "2" }, missed: true });
    expect(missed).deep.equal(["a"]);
    await fake.client.close();
  });

  it("keeps no more states than it may, however slow who iterates is", async () => {
    const fake = await fakeClient(() => new Busy());
    fake.onWatch = ({ watch }) => [state(watch, [], "m")];
    const watch = fake.client.watch({ prefix: "" }, { bufferMax: 10 });
    const other = fake.client.watch("other");
    await other.next();
    const [name = "", last = ""] = fake.watches.map((one) => one.watch);
    for (let n = 1; n <= 1000; n++) fake.tell(state(name, [change("a", `${n}`, n)], "", "m"));
    // What was told before has come when this has.
    fake.tell(state(last, []));
    await other.next();
    const seen: unknown[] = [];
    while (JSON.stringify(seen.at(-1)) !== '{"a":"1000"}') {
      const { value } = await watch.next();
      seen.push(value?.kind === "state" ? Object.fromEntries(value.entries) : value);
    }
    expect(seen[0]).deep.equal({});
    expect(seen.length).within(2, 11);
    await fake.client.close();
    expect((await watch.next()).done).equal(true);
  });

  it("is apart from those of a client with another codec, and ends with it", async () => {
    const fake = await fakeClient(() => new Busy());
    fake.onWatch = ({ watch }) => [state(watch, [])];
    const plain = fake.client.as(bytes);
    const first = fake.client.watch("a");
    await first.next();
    const second = plain.watch("b");
    await second.next();
    const [one = "", two = ""] = fake.watches.map(({ watch }) => watch);
    expect(one).not.equal(two);
    fake.tell(new Changes({ watch: one, changes: [change("a", "x", 2)] }));
    expect(shown((await first.next()).value)).deep.equal(["a", "x", 2]);
    const next = second.next();
    await fake.client.close();
    expect((await next).done).equal(true);
    expect(() => plain.watch("b")).throw(/KITH_CLIENT_CLOSED/);
  });

  it("leaves nothing at a signal that outlives it", async () => {
    const fake = await fakeClient(() => new Busy());
    const { signal } = new AbortController();
    const heard = new Set<unknown>();
    signal.addEventListener = (_: string, listener: unknown) => void heard.add(listener);
    signal.removeEventListener = (_: string, listener: unknown) => void heard.delete(listener);
    const watch = fake.client.watch("a", { signal });
    expect(heard.size).equal(1);
    await watch.return?.();
    expect(heard.size).equal(0);
    await fake.client.close();
  });

  it("ends when its loop is left, and when its signal says so", async () => {
    const fake = await fakeClient(() => new Busy());
    fake.onWatch = ({ watch }) => [state(watch, [])];
    for await (const event of fake.client.watch("a")) {
      expect(event.kind).equal("state");
      break;
    }
    const controller = new AbortController();
    const watch = fake.client.watch("a", { signal: controller.signal });
    await watch.next();
    const next = watch.next();
    controller.abort();
    expect((await next).done).equal(true);
    while (fake.unwatched.length < 2) await new Promise((resolve) => setImmediate(resolve));
    expect(fake.unwatched).deep.equal(fake.watches.map((one) => one.watch));
    await fake.client.close();
  });

  it("ends with an error where a value cannot be decoded: a change is never skipped", async () => {
    const fake = await fakeClient(() => new Busy());
    fake.onWatch = ({ watch }) => [
      new Changes({ watch, changes: [{ key: "a", value: new Uint8Array([255]), version: 1 }] }),
    ];
    const watch = fake.client.watch("a");
    let thrown: unknown;
    try {
      await watch.next();
    } catch (error) {
      thrown = error;
    }
    expect(String(thrown)).match(/KITH_CLIENT_VALUE/);
    expect((await watch.next()).done).equal(true);
    await fake.client.close();
  });

  it("leaves nothing behind where it never began, nor when it has ended", async () => {
    const fake = await fakeClient(() => new Busy());
    const given = new AbortController();
    for (let n = 0; n < 3; n++) {
      const ended = fake.client.watch("a", { signal: AbortSignal.abort() });
      expect((await ended.next()).done).equal(true);
      // A key that is too long.
      expect(() => fake.client.watch("a".repeat(5000), { signal: given.signal })).throws(/bytes/);
      await fake.client.watch("a", { signal: given.signal }).return?.();
    }
    expect(fake.ends.size).equal(0);
    expect(getEventListeners(given.signal, "abort")).length(0);
    given.abort();
    await fake.client.close();
  });
});
