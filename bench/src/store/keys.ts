/** A million keys in a group of one member, on the disk: what a key takes in memory, and how long a new start takes. */

import { Component, launch, RealScheduler, type System, type World } from "@kith/core";
import { formatPeer, loopback, LoopbackHub, self } from "@kith/network";
import {
  Consensus,
  type ConsensusAnswer,
  Found,
  LeaderChanged,
  Peek,
  Propose,
  replicatedGroups,
} from "@kith/paxos";
import { DiskStorage } from "@kith/storage/host";
import {
  type Command,
  decodeResult,
  encodeCommand,
  encodeQuery,
  type Operation,
  positionOf,
  storeMachine,
} from "@kith/store";
import { HostTimer } from "@kith/timer/host";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Case } from "../harness.ts";

const gid = "g";
const peer = { peerId: 1, host: "n1", port: 7000, incarnation: 1 };
const client = "c".repeat(16);
const perCommand = 100;
const value = new Uint8Array(100).fill(120);

class Holder extends Component {
  readonly groups = this.create(replicatedGroups(storeMachine), {}, { name: "groups" });
  readonly consensus = this.requires(Consensus);
  leads = false;
  #resolve: (answer: ConsensusAnswer) => void = () => undefined;
  readonly #found = this.consensus.onAnswer(Found, () => undefined);
  readonly #propose = this.consensus.onAnswer(Propose, (answer) => this.#answered(answer));
  readonly #peek = this.consensus.onAnswer(Peek, (answer) => this.#answered(answer));

  constructor() {
    super();
    this.connect(this.groups.ports.consensus, this.consensus);
    this.consensus.on(LeaderChanged, ({ here }) => void (this.leads = here));
  }

  found(): void {
    this.enter(() => this.#found(new Found({ gid, peers: [peer] })));
  }
  propose(command: Command): Promise<ConsensusAnswer> {
    return this.#asked(() => this.#propose(new Propose({ gid, command: encodeCommand(command) })));
  }
  hello(): Promise<ConsensusAnswer> {
    const query = encodeQuery({ kind: "hello" });
    return this.#asked(() => this.#peek(new Peek({ gid, query })));
  }
  #asked(ask: () => void): Promise<ConsensusAnswer> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.enter(ask);
    });
  }
  #answered(answer: object): void {
    if ("result" in answer || "detail" in answer || "leader" in answer)
      this.#resolve(answer as unknown as ConsensusAnswer);
  }
}

function start(directory: string): System<Holder> {
  const network = loopback(new LoopbackHub());
  const world: World = {
    scheduler: new RealScheduler(),
    node: "n1",
    settings: [self.of(formatPeer(peer))],
    install: (root) => {
      root.offers(root.create(HostTimer, {}, { name: "Timer" }).ports.timer);
      root.offers(root.create(network, { self: peer }, { name: "Network" }).ports.network);
      const storage = root.create(DiskStorage, { directory }, { name: "Storage" });
      root.offers(storage.ports.storage);
    },
  };
  return launch(Holder, {}, world);
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}

function used(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

async function fill(holder: Holder, keys: number): Promise<void> {
  await holder.propose({ kind: "found", gid, ordered: false, lo: "", hi: null });
  const hello = await holder.hello();
  const index = "index" in hello ? Number(hello.index) : 0;
  const opened = await holder.propose({ kind: "open", client, nextSeq: 1, hello: { gid, index } });
  if (!("result" in opened)) throw new Error("there is no session");
  const session = decodeResult(opened.result as Uint8Array);
  if (session.kind !== "opened") throw new Error(`there is no session: ${session.kind}`);
  const token = { gid: session.gid, index: session.index };
  for (let seq = 1; (seq - 1) * perCommand < keys; seq++) {
    const operations = Array.from({ length: perCommand }, (_, i): Operation => {
      const key = `key-${(seq - 1) * perCommand + i}`.padEnd(16, "-");
      return { kind: "put", position: positionOf(key, false), value, expiry: "never" };
    });
    const ticket = { client, seq, token, ackedBelow: seq };
    const done = await holder.propose({ kind: "execute", ticket, reads: [], operations });
    if (!("result" in done)) throw new Error("a command was not done");
  }
}

/** One operation is a key that is written; the facts are what it is about. */
export function keysCase(keys: number): Case {
  let bytes = 0;
  let restartMs = 0;
  return {
    unit: "key",
    count: keys,
    cold: true,
    heapMegabytes: 8192,
    run: async (count) => {
      const directory = mkdtempSync(join(tmpdir(), "kith-bench-keys-"));
      process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
      const before = used();
      const first = start(directory);
      first.instance.found();
      const again = setInterval(() => first.instance.found(), 100);
      await until(() => first.instance.leads);
      clearInterval(again);
      await fill(first.instance, count);
      // Until the table is written.
      await new Promise((resolve) => setTimeout(resolve, 3000));
      await first.stop();
      const begin = performance.now();
      const second = start(directory);
      await until(() => second.instance.leads);
      restartMs = performance.now() - begin;
      await new Promise((resolve) => setTimeout(resolve, 3000));
      bytes = (used() - before) / count;
      await second.stop();
    },
    facts: () => ({
      "bytes of memory per key": Math.round(bytes),
      "restart ms, election and all": Math.round(restartMs),
    }),
  };
}
