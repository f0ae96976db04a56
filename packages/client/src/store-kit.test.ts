/** A store of three members for tests of its client: simulated, and on sockets and disks. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Component, run, type System } from "@kith/core";
import { bindAddress, type BoundAddress, real } from "@kith/node";
import type { PeerAddress } from "@kith/paxos";
import { simulate, type Simulation } from "@kith/sim";
import { Founding, FoundStore, type KnownGroup, StoreMember } from "@kith/store";
import { Client } from "./client.ts";
import { text } from "./codec.ts";
import { StoreUser } from "./user.ts";

const bounds = ["", "g", "p"];
const quick = { heartbeat: 50, electionMin: 300, electionMax: 600 };

/** Three groups, ordered, on these members. */
export function groupsOn(members: readonly PeerAddress[]): KnownGroup[] {
  return bounds.map((lo, i) => ({
    descriptor: { gid: `g${i}`, epoch: 1, lo, hi: bounds[i + 1] ?? null },
    members,
  }));
}

/** A member in a process of its own. */
export class MemberNode extends Component {
  readonly founding = this.requires(Founding);
  readonly #found = this.founding.onAnswer(FoundStore, () => undefined);

  constructor({ groups }: { readonly groups: readonly KnownGroup[] }) {
    super();
    const member = this.create(StoreMember, { groups, ordered: true, group: quick });
    this.connect(member.ports.founding, this.founding);
    this.onStart(() => this.#found(new FoundStore({ groups, ordered: true })));
  }
}

/** A simulated node: a member where it is one of the first three; ordinary code can use the store at each. */
export class SimNode extends StoreUser {
  readonly founding = this.requires(Founding);
  readonly #found = this.founding.onAnswer(FoundStore, () => undefined);

  constructor({
    groups,
    index,
  }: {
    readonly groups: readonly KnownGroup[];
    readonly index: number;
  }) {
    super();
    const member = this.create(StoreMember, { groups, ordered: true, group: quick });
    this.connect(member.ports.store, this.store);
    this.connect(member.ports.founding, this.founding);
    this.onStart(() => {
      if (index < 3) this.#found(new FoundStore({ groups, ordered: true }));
    });
  }
}

/** A simulated store with a client at the fourth node. */
export interface SimStore {
  readonly world: Simulation<typeof SimNode>;
  readonly client: Client;
  /** Lets the world run until a promise has settled. */
  readonly during: <T>(promise: Promise<T>) => Promise<T>;
}

/** Makes one. */
export function simStore(seed: number): SimStore {
  const members = [0, 1, 2].map((i) => ({ peerId: i + 1, host: `n${i + 1}`, port: 7000 }));
  const groups = groupsOn(members);
  const world = simulate(SimNode, {
    seed,
    nodes: 4,
    initOf: ({ index }) => ({ groups, index }),
  }).boot();
  world.runFor(2000);
  const client = new Client({ user: world.node(3).root, codec: text, ordered: true });
  return { world, client, during: (promise) => during(world, promise) };
}

/** Promises settle between the steps of the world. */
async function during<T>(
  world: { runFor(duration: number): unknown },
  promise: Promise<T>,
): Promise<T> {
  let settled = false;
  const over = (): void => {
    settled = true;
  };
  promise.then(over, over);
  for (let steps = 0; !settled && steps < 100_000; steps++) {
    world.runFor(5);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return await promise;
}

/** A real store: three processes' worth of systems on loopback, with disks. */
export interface RealStore {
  /** Where the members are, `host:port`. */
  readonly peers: readonly string[];
  /** Stops a member. */
  readonly stop: (index: number) => Promise<void>;
  /** Starts one that was stopped, on its disk. */
  readonly start: (index: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Starts one. */
export async function realStore(): Promise<RealStore> {
  const data = mkdtempSync(join(tmpdir(), "kith-client-"));
  const bound: BoundAddress[] = [];
  for (let i = 0; i < 3; i++) bound.push(await bindAddress());
  const members = bound.map(({ host, port }, i) => ({ peerId: i + 1, host, port }));
  const groups = groupsOn(members);
  const systems: (System<MemberNode> | undefined)[] = [];
  const start = async (index: number): Promise<void> => {
    const at = bound[index];
    if (at === undefined) throw new Error(`There is no member ${index}.`);
    const listen = { host: at.host, port: at.port };
    const world = real({
      listen,
      peerId: index + 1,
      data: join(data, `${index}`),
      log: () => undefined,
    });
    systems[index] = await run(MemberNode, { groups }, world);
  };
  const stop = async (index: number): Promise<void> => {
    await systems[index]?.stop();
    systems[index] = undefined;
  };
  await Promise.all(bound.map((_, index) => start(index)));
  return {
    peers: bound.map(({ host, port }) => `${host}:${port}`),
    start,
    stop,
    close: async () => {
      for (const at of bound) at.close();
      await Promise.all(systems.map((_, index) => stop(index)));
      rmSync(data, { recursive: true });
    },
  };
}
