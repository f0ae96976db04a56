/**
 * The store inside one process: four members of eight groups with replicas of all of them, in memory, on a loopback hub
 * that encodes what goes over it; and a client that is a member of none. What is measured is CPU time: there is no
 * network and no disk to wait for. Scalaris, which keeps four replicas too, is what design.md compares it with.
 */

import { Component, launch, RealScheduler, type System, type World } from "@kith/core";
import { formatPeer, loopback, LoopbackHub, type PeerRef, self } from "@kith/network";
import { bytesText, GroupClient, textBytes } from "@kith/paxos";
import { MemoryStorage } from "@kith/storage";
import {
  Aborted,
  Applied,
  Apply,
  Commit,
  Committed,
  Entries,
  Founding,
  FoundStore,
  Get,
  Got,
  type KnownGroup,
  Put,
  Read,
  Store,
  type StoreAnswer,
  StoreClient,
  StoreFounded,
  StoreMember,
  Written,
} from "@kith/store";
import { HostTimer } from "@kith/timer/host";
import type { Case } from "../harness.ts";
import { Times } from "../times.ts";

const members = 4;
const groupCount = 8;
const keyCount = 1000;
const within = 60_000;

/** What a client does, one after the other. */
export type Deed = "read" | "put" | "increment" | "update" | "transfer" | "look";

type Question = Get | Put | Apply | Read | Commit;

/** A member, which founds the store with the others. */
class Member extends Component {
  readonly founding = this.requires(Founding);
  founded = false;
  readonly #found = this.founding.onAnswer(FoundStore, (answer) => {
    this.founded = answer instanceof StoreFounded;
  });

  constructor({ groups, leases }: { readonly groups: readonly KnownGroup[]; leases: boolean }) {
    super();
    const group = leases ? { lease: { drift: 0.001, margin: 10 } } : {};
    const member = this.create(StoreMember, { groups, group });
    this.connect(member.ports.founding, this.founding);
    this.onStart(() => this.#found(new FoundStore({ groups, ordered: false })));
  }
}

/** A guest with promises. */
class Guest extends Component {
  readonly store = this.requires(Store);
  readonly #waiting = new Map<number, (answer: object) => void>();
  #number = 0;
  readonly #get = this.store.onAnswer(Get, (answer, _, n: number) => this.#end(n, answer));
  readonly #put = this.store.onAnswer(Put, (answer, _, n: number) => this.#end(n, answer));
  readonly #apply = this.store.onAnswer(Apply, (answer, _, n: number) => this.#end(n, answer));
  readonly #read = this.store.onAnswer(Read, (answer, _, n: number) => this.#end(n, answer));
  readonly #commit = this.store.onAnswer(Commit, (answer, _, n: number) => this.#end(n, answer));

  constructor({ groups }: { readonly groups: readonly KnownGroup[] }) {
    super();
    const known = Object.fromEntries(groups.map((one) => [one.descriptor.gid, one.members]));
    const guest = this.create(GroupClient, { groups: known, sessions: false }, { name: "guest" });
    const client = this.create(StoreClient, { groups }, { name: "client" });
    this.connect(guest.ports.replicated, client.ports.replicated);
    this.connect(client.ports.store, this.store);
  }

  ask(what: Question): Promise<StoreAnswer | object> {
    return new Promise((resolve) => {
      const context = ++this.#number;
      this.#waiting.set(context, resolve);
      this.enter(() => {
        if (what instanceof Get) this.#get(what, { context });
        else if (what instanceof Put) this.#put(what, { context });
        else if (what instanceof Apply) this.#apply(what, { context });
        else if (what instanceof Read) this.#read(what, { context });
        else this.#commit(what, { context });
      });
    });
  }

  #end(number: number, answer: object): void {
    this.#waiting.get(number)?.(answer);
    this.#waiting.delete(number);
  }
}

/** A store in this process. */
export class Inside {
  readonly systems: readonly System<Component>[];
  readonly guest: Guest;
  /** How often a transaction was run again. */
  aborted = 0;

  private constructor(systems: System<Component>[], guest: Guest) {
    this.systems = systems;
    this.guest = guest;
  }

  /** Starts it, and writes all keys once. */
  static async start(leases = false): Promise<Inside> {
    const hub = new LoopbackHub();
    const network = loopback(hub);
    const scheduler = new RealScheduler();
    const worldOf = (peer: PeerRef): World => ({
      scheduler,
      node: peer.host,
      settings: [self.of(formatPeer(peer))],
      install: (root) => {
        root.offers(root.create(HostTimer, {}, { name: "Timer" }).ports.timer);
        root.offers(root.create(network, { self: peer }, { name: "Network" }).ports.network);
        root.offers(root.create(MemoryStorage, {}, { name: "Storage" }).ports.storage);
      },
    });
    const peers = Array.from({ length: members }, (_, i) => peerOf(i + 1));
    const groups = groupsOf(peers);
    const held = peers.map((peer) => launch(Member, { groups, leases }, worldOf(peer)));
    const guest = launch(Guest, { groups }, worldOf(peerOf(members + 1)));
    while (!held.every(({ instance }) => instance.founded)) await later(5);
    const inside = new Inside([...held, guest], guest.instance);
    for (let n = 0; n < keyCount; n++) await inside.ask("put", n);
    return inside;
  }

  /** Does one thing. @param n which one it is, of all; a hot one is on the same key as all others */
  async ask(deed: Deed, n: number, hot = false): Promise<boolean> {
    const { guest } = this;
    const key = hot ? "hot" : keyOf(n);
    switch (deed) {
      case "read":
        return (await guest.ask(new Get({ key, within }))) instanceof Got;
      case "put":
        return (await guest.ask(new Put({ key, value: zero, within }))) instanceof Written;
      case "increment": {
        const updates = [{ kind: "add", key, delta: 1n } as const];
        return (await guest.ask(new Apply({ updates, within }))) instanceof Applied;
      }
      case "look": {
        const keys = [key, keyOf(n + 1)];
        return (await guest.ask(new Read({ keys, within }))) instanceof Entries;
      }
      case "update":
        return await this.#transact([key]);
      case "transfer":
        return await this.#transact([key, keyOf(n + 1 + ((n * 31) % (keyCount - 1)))]);
    }
  }

  async #transact(keys: readonly string[]): Promise<boolean> {
    for (let attempt = 0; ; attempt++) {
      const seen = await this.guest.ask(new Read({ keys, apart: true, attempt, within }));
      if (!(seen instanceof Entries)) return false;
      const reads = seen.entries.map((one) => ({ key: one.key, version: one.version }));
      const writes = seen.entries.map((one, i) => {
        const before = one.value === null ? 0 : Number(bytesText(one.value));
        const after = textBytes(String(before + (keys.length > 1 && i === 0 ? -1 : 1)));
        return { key: one.key, write: { kind: "put", value: after, expiry: "never" } } as const;
      });
      const answer = await this.guest.ask(new Commit({ reads, writes, within }));
      if (answer instanceof Committed) return true;
      if (!(answer instanceof Aborted)) return false;
      this.aborted++;
    }
  }

  /** Stops it, so that the process can end. */
  close(): void {
    for (const system of this.systems) void system.stop();
  }
}

/** What may be said of a case. */
export interface InsideOptions {
  /** Whether all are at one key. */
  readonly hot?: boolean;
  /** Whether leaders have leases. */
  readonly leases?: boolean;
  /** What stands beside it in design.md, for the table. */
  readonly beside?: Readonly<Record<string, number>>;
}

/** Clients that wait for each of theirs; CPU time is that of members and clients together. */
export function insideCase(
  deed: Deed,
  clients: number,
  count: number,
  { hot = false, leases = false, beside = {} }: InsideOptions = {},
): Case {
  let inside: Inside | null = null;
  let number = 0;
  const times = new Times();
  return {
    unit: deed,
    count,
    rounds: 3,
    prepare: async () => {
      inside = await Inside.start(leases);
    },
    run: async (total) => {
      const one = inside;
      if (one === null) return;
      const counts = times.begin();
      const begin = performance.now();
      let left = total;
      const client = async (): Promise<void> => {
        while (left-- > 0) {
          const asked = performance.now();
          if (!(await one.ask(deed, number++, hot))) throw new Error("an operation failed");
          if (counts) times.all.push(performance.now() - asked);
        }
      };
      await Promise.all(Array.from({ length: clients }, client));
      if (counts) times.wallMs += performance.now() - begin;
    },
    facts: () => {
      const aborted = inside?.aborted ?? 0;
      inside?.close();
      return {
        ...times.facts(`${deed}s/s`),
        "longest ms": Math.round(Math.max(...times.all)),
        "aborted per 100": Math.round((aborted * 100) / number),
        ...beside,
      };
    },
  };
}

const zero = textBytes("0");

function keyOf(n: number): string {
  return `key-${(n * 7919) % keyCount}`;
}

function peerOf(peerId: number): PeerRef {
  return { peerId, host: `n${peerId}`, port: 7000, incarnation: 1 };
}

function groupsOf(peers: readonly PeerRef[]): KnownGroup[] {
  const bound = (i: number): string => (i === 0 ? "" : String.fromCharCode((i * 256) / groupCount));
  return Array.from({ length: groupCount }, (_, i) => ({
    descriptor: {
      gid: `store-${i}`,
      epoch: 1,
      lo: bound(i),
      hi: i + 1 === groupCount ? null : bound(i + 1),
    },
    members: peers,
  }));
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
