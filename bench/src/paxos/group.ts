/**
 * What the cases of consensus share: three peers with a replicated group, as three systems of this process on a
 * loopback hub, with their storages in memory or on the disk; and proposers that wait for each of their answers.
 */

import { Component, launch, RealScheduler, type System, type World } from "@kith/core";
import { formatPeer, loopback, LoopbackHub, self } from "@kith/network";
import {
  Bundle,
  bytesText,
  Consensus,
  Done,
  Found,
  Founded,
  LeaderChanged,
  type Machine,
  Propose,
  Query,
  replicatedGroups,
  textBytes,
} from "@kith/paxos";
import { MemoryStorage } from "@kith/storage";
import { DiskStorage } from "@kith/storage/host";
import { HostTimer } from "@kith/timer/host";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const counter: Machine = {
  versions: [1],
  apply({ command, table }) {
    table.put(bytesText(command), command);
    return command;
  },
  query: ({ query, table }) => table.get(bytesText(query)) ?? query,
};

/** A member: holds groups, and asks for what it is told to. */
class Member extends Component {
  readonly groups;
  readonly consensus = this.requires(Consensus);
  readonly leads = new Set<string>();
  founded = 0;
  onDone: ((proposer: number, done: boolean) => void) | null = null;
  readonly #found = this.consensus.onAnswer(Found, (answer) => {
    if (answer instanceof Founded) this.founded++;
  });
  readonly #propose = this.consensus.onAnswer(Propose, (answer, _, context: { n: number }) =>
    this.onDone?.(context.n, answer instanceof Done),
  );
  readonly #query = this.consensus.onAnswer(Query, (answer, _, context: { n: number }) =>
    this.onDone?.(context.n, answer instanceof Done),
  );

  constructor({ leases }: { readonly leases: boolean }) {
    super();
    const settings = { lease: leases ? { drift: 0.001, margin: 10 } : (false as const) };
    this.groups = this.create(replicatedGroups(counter), { settings }, { name: "groups" });
    this.connect(this.groups.ports.consensus, this.consensus);
    this.consensus.on(LeaderChanged, ({ gid, here }) => {
      if (here) this.leads.add(gid);
      else this.leads.delete(gid);
    });
  }

  found(gid: string): void {
    this.enter(() => this.#found(new Found({ gid, peers: [1, 2, 3].map(peer) })));
  }
  propose(gid: string, n: number): void {
    const command = textBytes(`${n}`);
    this.enter(() =>
      this.#propose(new Propose({ gid, command }), { context: { n }, timeout: 30_000 }),
    );
  }
  query(gid: string, n: number): void {
    const query = textBytes(`${n}`);
    this.enter(() => this.#query(new Query({ gid, query }), { context: { n }, timeout: 30_000 }));
  }
}

/** Three members and what they have done. */
export interface Cluster {
  /** Does so many commands or queries, with so many proposers that wait for each of theirs. */
  run(
    kind: "command" | "query",
    count: number,
    proposers: number,
    latencies: number[],
  ): Promise<void>;
  /** How many messages the members have sent to each other, where groups idle beside. */
  readonly messages: number;
  /** Stops the members, so that the process can end. */
  close(): void;
}

function peer(peerId: number): { peerId: number; host: string; port: number; incarnation: number } {
  return { peerId, host: `n${peerId}`, port: 7000, incarnation: 1 };
}

/** Builds three members of one group, or more groups beside it that do nothing. */
export async function cluster(
  place: "memory" | "disk",
  { idleGroups = 0, leases = false } = {},
): Promise<Cluster> {
  const hub = new LoopbackHub();
  const network = loopback(hub);
  const scheduler = new RealScheduler();
  const worldOf = (id: number): World => ({
    scheduler,
    node: `n${id}`,
    settings: [self.of(formatPeer(peer(id)))],
    install: (root) => {
      root.offers(root.create(HostTimer, {}, { name: "Timer" }).ports.timer);
      root.offers(root.create(network, { self: peer(id) }, { name: "Network" }).ports.network);
      if (place === "memory") {
        root.offers(root.create(MemoryStorage, {}, { name: "Storage" }).ports.storage);
        return;
      }
      const directory = mkdtempSync(join(tmpdir(), "kith-bench-"));
      process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
      const storage = root.create(DiskStorage, { directory }, { name: "Storage" });
      root.offers(storage.ports.storage);
    },
  });
  const systems: System<Member>[] = [1, 2, 3].map((id) => launch(Member, { leases }, worldOf(id)));
  const members = systems.map(({ instance }) => instance);
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await new Promise((resolve) => setTimeout(resolve, 300));
  const gids = ["g", ...Array.from({ length: idleGroups }, (_, i) => `idle-${i}`)];
  for (const member of members) for (const gid of gids) member.found(gid);
  await until(() => members.every(({ founded }) => founded === gids.length));
  await until(() => gids.every((gid) => members.some(({ leads }) => leads.has(gid))));
  const leader = members.find(({ leads }) => leads.has("g"));
  if (leader === undefined) throw new Error("there is no leader");
  let messages = 0;
  if (idleGroups > 0)
    for (const system of systems)
      system.inspect(({ kind, event }) => {
        if (kind === "trigger" && event instanceof Bundle) messages++;
      });
  return {
    get messages() {
      return messages;
    },
    close: () => {
      for (const system of systems) void system.stop();
    },
    run: (kind, count, proposers, latencies) =>
      new Promise((resolve, reject) => {
        let left = count;
        let open = 0;
        const begun = new Map<number, number>();
        const next = (n: number): void => {
          if (left-- <= 0) return;
          open++;
          begun.set(n, performance.now());
          if (kind === "command") leader.propose("g", n);
          else leader.query("g", n);
        };
        leader.onDone = (n, done) => {
          if (!done) reject(new Error("the leader has changed"));
          latencies.push(performance.now() - (begun.get(n) ?? NaN));
          open--;
          next(n);
          if (open === 0) resolve();
        };
        for (let n = 0; n < proposers; n++) next(n);
      }),
  };
}
