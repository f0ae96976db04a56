/** The real world as a program meets it: the three ports, identities that last, and live replacement. */

import {
  Component,
  KithError,
  run,
  SchedulePeriodic,
  type System,
  timeout,
  Timer,
} from "@kith/core";
import { message, Network, parsePeer, type PeerRef, self } from "@kith/network";
import { Flushed, KeyValue, ReadKey, Storage, Write, Written } from "@kith/storage";
import { DiskStorage } from "@kith/storage/host";
import { HostTimer } from "@kith/timer/host";
import { expect } from "chai";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bindAddress, real, type RealOptions, type RealWorld } from "./index.ts";

class Tick extends timeout("real-test/Tick") {}
class Hello extends message("real-test/Hello")<{ n: number; tags: ReadonlyMap<string, bigint> }> {}
class Answer extends message("real-test/Answer")<{ n: number }> {}

/** Greets another at every tick, and keeps what it has been answered. */
class Greeter extends Component {
  readonly timer = this.requires(Timer);
  readonly net = this.requires(Network);
  readonly storage = this.requires(Storage);
  readonly self = parsePeer(this.setting(self));
  readonly answers: number[] = [];
  flushed = 0;
  written = 0;
  kept: Uint8Array | null = null;
  greeted = 0;
  ticks = 0;
  readonly #write = this.storage.onAnswer(Write, (answer) => {
    if (answer instanceof Flushed) this.flushed++;
    if (answer instanceof Written) this.written++;
  });
  readonly #read = this.storage.onAnswer(ReadKey, (answer) => {
    if (answer instanceof KeyValue) this.kept = answer.value;
  });

  constructor(init: { other?: PeerRef }) {
    super();
    this.timer.on(Tick, () => {
      this.ticks++;
      if (init.other !== undefined) this.greet(init.other);
    });
    this.net.on(Hello, ({ from, n, tags }) => {
      if (tags.get("big") === 2n ** 70n) this.greeted++;
      this.net.trigger(new Answer({ to: from, n }));
    });
    this.net.on(Answer, ({ n }) => {
      this.answers.push(n);
      this.keep(n);
    });
    this.onStart(() => {
      this.timer.trigger(new SchedulePeriodic({ period: 5, timeout: new Tick() }));
      this.#read(new ReadKey({ namespace: "n", key: new Uint8Array([1]) }), { timeout: 5000 });
    });
  }

  greet(to: PeerRef): void {
    const n = this.answers.length;
    this.net.trigger(new Hello({ to, n, tags: new Map([["big", 2n ** 70n]]) }));
  }

  keep(n: number, flush = true): void {
    const operations = [
      { kind: "put", key: new Uint8Array([1]), value: new Uint8Array([n & 255]) },
    ] as const;
    this.#write(new Write({ namespace: "n", operations, flush }), { timeout: 5000 });
  }
}

const quiet = { log: () => undefined };
const systems: System[] = [];
const directories: string[] = [];

function directory(): string {
  const made = mkdtempSync(join(tmpdir(), "kith-node-"));
  directories.push(made);
  return made;
}

async function start(world: RealWorld, other?: PeerRef): Promise<System<Greeter>> {
  const system = await run(Greeter, other === undefined ? {} : { other }, world);
  systems.push(system);
  return system;
}

async function listening(options: RealOptions = {}): Promise<RealWorld> {
  return real({ ...quiet, ...options, listen: await bindAddress() });
}

/** Looks until a condition holds; gives up after ten seconds. */
async function until(what: string, holds: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
}

function fails(code: string, action: () => unknown): void {
  expect(action).to.throw(KithError).with.property("code", code);
}

describe("the real world", () => {
  afterEach(async () => {
    await Promise.all(systems.splice(0).map((system) => system.stop()));
    for (const made of directories.splice(0)) rmSync(made, { recursive: true, force: true });
  });

  it("gives a program time, messages and storage", async () => {
    const one = await listening();
    const two = await listening();
    const receiver = await start(one);
    const sender = await start(two, one.peer);
    await until("answers come", () => sender.instance.answers.length >= 5);
    await until("they are stored", () => sender.instance.flushed >= 5);
    expect(receiver.instance.greeted).to.be.at.least(5);
    expect(receiver.instance.self).to.deep.equal(one.peer);
  });

  it("without an address it calls, and is answered", async () => {
    const one = await listening();
    const caller = real(quiet);
    const receiver = await start(one);
    const sender = await start(caller, one.peer);
    await until("answers come", () => sender.instance.answers.length >= 3);
    expect(caller.peer.port).to.equal(0);
    expect(receiver.instance.greeted).to.be.at.least(3);
  });

  it("without a directory it says once that what is stored does not last", async () => {
    const texts: string[] = [];
    const world = real({ log: ({ level, text }) => void (level === "warn" && texts.push(text)) });
    const system = await start(world);
    expect(texts).to.deep.equal([]);
    system.enter(() => {
      system.instance.keep(1);
      system.instance.keep(2);
    });
    await until("both are stored", () => system.instance.flushed === 2);
    expect(texts).to.have.length(1);
    expect(texts[0]).to.match(/ends with the process/);
  });

  it("starts again on its directory as the same peer in a higher life, with its data", async () => {
    const data = directory();
    const first = await listening({ data });
    const system = await start(first);
    system.enter(() => system.instance.keep(77));
    await until("it is stored", () => system.instance.flushed === 1);
    await systems.pop()?.stop();
    const second = await listening({ data });
    expect(second.peer.peerId).to.equal(first.peer.peerId);
    expect(second.peer.incarnation).to.be.above(first.peer.incarnation);
    const again = await start(second);
    await until("it is read", () => again.instance.kept !== null);
    expect(again.instance.kept).to.deep.equal(new Uint8Array([77]));
  });

  it("what was written without a flush is flushed by a clean stop", async () => {
    const data = directory();
    const system = await start(real({ ...quiet, data }));
    system.enter(() => {
      for (let n = 1; n <= 6; n++) system.instance.keep(n, false);
    });
    await until("it is written", () => system.instance.written === 6);
    expect(system.instance.flushed).to.equal(0);
    await systems.pop()?.stop();
    const again = await start(real({ ...quiet, data }));
    await until("it is read", () => again.instance.kept !== null);
    expect(again.instance.kept).to.deep.equal(new Uint8Array([6]));
  });

  it("peers of one process that do not listen have different addresses, identities and draws", () => {
    const worlds = [
      real(quiet),
      real(quiet),
      real({ ...quiet, peerId: 3 }),
      real({ ...quiet, peerId: 3 }),
    ];
    expect(new Set(worlds.map(({ peer }) => peer.host)).size).to.equal(4);
    expect(new Set(worlds.map(({ peer }) => peer.incarnation)).size).to.equal(4);
    expect(new Set(worlds.map(({ peer }) => peer.peerId)).size).to.equal(3);
    expect(new Set(worlds.map(({ seed }) => seed)).size).to.equal(4);
  });

  it("says what is wrong with an address", () => {
    fails("KITH_NODE_ADDRESS", () => real({ listen: "127.0.0.1:0" }));
    fails("KITH_NODE_ADDRESS", () => real({ listen: "0.0.0.0:7000", secret: "s" }));
    fails("KITH_NODE_ADDRESS", () => real({ listen: "[::]:7000", secret: "s" }));
    fails("KITH_NODE_ADDRESS", () => real({ advertise: "example.org:7000" }));
    fails("KITH_PEER_INVALID", () => real({ listen: "nowhere" }));
    const world = real({ listen: "0.0.0.0:7000", advertise: "example.org:80", secret: "s" });
    expect(world.peer).to.include({ host: "example.org", port: 80 });
    expect(world.network.init.listen).to.deep.equal({ host: "0.0.0.0", port: 7000 });
  });

  it("runs one system, and another one only as another life", async () => {
    const world = real(quiet);
    await start(world);
    await run(Greeter, {}, world).then(
      () => expect.fail("it ran twice"),
      (error: unknown) => expect(error).to.have.property("code", "KITH_NODE_WORLD_USED"),
    );
  });

  it("an address that is taken, and a directory that is, end the system", async () => {
    const one = await listening({ data: directory() });
    await start(one);
    const { host, port } = one.peer;
    const codes = async (options: RealOptions): Promise<readonly unknown[]> => {
      try {
        const system = await run(Greeter, {}, real({ ...quiet, ...options }));
        // That an address is taken comes from the host, and may come a moment later.
        await system.done;
      } catch (error) {
        return codesOf(error);
      }
      return [];
    };
    expect(await codes({ listen: `${host}:${port}` })).to.include("KITH_NETWORK_LISTEN");
    expect(await codes({ data: directories[0] ?? "" })).to.include("KITH_STORAGE_LOCKED");
  });

  it("Timer, Storage and Network are replaced while it runs, and nothing stands still", async () => {
    const one = await listening();
    const data = directory();
    const two = await listening({ data });
    const receiver = await start(one);
    const sender = await start(two, one.peer);
    const goesOn = async (what: string): Promise<void> => {
      const { answers, flushed } = sender.instance;
      const before = answers.length;
      await until(`answers after ${what}`, () => sender.instance.answers.length > before + 3);
      await until(`writes after ${what}`, () => sender.instance.flushed > flushed + 3);
    };
    await goesOn("the start");
    class OtherTimer extends HostTimer {}
    class OtherStorage extends DiskStorage {}
    await sender.swap("/Timer", OtherTimer);
    await goesOn("the swap of Timer");
    await sender.swap("/Storage", OtherStorage, { directory: join(data, "storage") });
    await goesOn("the swap of Storage");
    await sender.swap("/Network", two.network.cls, two.network.init);
    await goesOn("the swap of the calling Network");
    await receiver.swap("/Network", one.network.cls, one.network.init);
    await goesOn("the swap of the called Network");
    expect(sender.tree())
      .to.match(/OtherTimer/)
      .and.to.match(/OtherStorage/);
  });

  it("leaves nothing open when it has stopped", async () => {
    const before = process.getActiveResourcesInfo().length;
    const one = await listening({ data: directory() });
    const two = await listening();
    await start(one);
    const sender = await start(two, one.peer);
    await until("answers come", () => sender.instance.answers.length >= 3);
    await Promise.all(systems.splice(0).map((system) => system.stop()));
    await until("all is let go", () => process.getActiveResourcesInfo().length <= before + 1);
  });
});

/** The codes of an error and of what caused it. */
function codesOf(error: unknown): readonly unknown[] {
  if (!(error instanceof Error)) return [];
  return [Reflect.get(error, "code"), ...codesOf(error.cause)];
}
