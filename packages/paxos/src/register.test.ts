/** A replicated register for tests, and a peer that holds groups of it and does what a test tells it. */

import { Component, KithError } from "@kith/core";
import { Network, type PeerRef } from "@kith/network";
import { Bundle, bundled, Packer, Records } from "./bundle.ts";
import type { Change, PeerAddress } from "./config.ts";
import { replicatedGroups, type ReplicatedGroups } from "./host.ts";
import type { Machine } from "./machine.ts";
import {
  Applied,
  AskStatus,
  ChangeMembers,
  Consensus,
  type ConsensusAnswer,
  Done,
  Found,
  GroupHalted,
  GroupLeft,
  LeaderChanged,
  Propose,
  Query,
  Status,
  TransferLeadership,
  Upgrade,
} from "./port.ts";
import type { PeerMessage } from "./peer-message.ts";
import type { Replica } from "./replica.ts";
import type { GroupSettings } from "./settings.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Keeps the last value and how often it was written; `fail` cannot be applied, `no key` writes what no storage takes, `split h` makes a group h that begins with what
 * is here.
 */
export const register: Machine = {
  versions: [1],
  apply({ command, table, spawn }) {
    const value = decoder.decode(command);
    if (value === "fail") throw new Error("this cannot be");
    if (value === "no key") table.put("\u20ac", encoder.encode("what cannot be stored"));
    if (value === "no key to delete") table.delete("\u20ac");
    if (value.startsWith("split ")) {
      const cells = table.keys().map((key) => [key, table.get(key) ?? new Uint8Array()] as const);
      spawn(value.slice("split ".length), new Map(cells));
      // So much that the table is written with the same batch.
      for (let i = 0; i < 600; i++) table.put(`s${i}`, new Uint8Array());
    }
    const [count = "0"] = decoder.decode(table.get("v") ?? encoder.encode("0 -")).split(" ");
    const now = encoder.encode(`${Number(count) + 1} ${value}`);
    table.put("v", now);
    // So that snapshots have parts.
    table.put(`k${Number(count) % 50}`, new Uint8Array(64));
    return now;
  },
  query({ query, table }) {
    if (decoder.decode(query) === "fail") throw new Error("this cannot be asked");
    return table.get("v") ?? encoder.encode("0 -");
  },
};

/** The register as its next version has it: values are written in capitals. */
export const registerV2: Machine = {
  versions: [1, 2],
  apply: (applying) =>
    applying.version === 1
      ? register.apply(applying)
      : register.apply({
          ...applying,
          command: encoder.encode(decoder.decode(applying.command).toUpperCase()),
        }),
  query: (querying) => register.query(querying),
};

export interface Operation {
  readonly kind: "write" | "read";
  readonly value: string;
  readonly node: number;
  readonly began: number;
  ended: number;
  /** Null while it is open, or for ever. */
  answer: string | null;
  index: number;
}

export interface PeerInit {
  readonly settings?: Partial<GroupSettings>;
}

export class Peer extends Component {
  readonly groups;
  readonly consensus = this.requires(Consensus);
  readonly network = this.requires(Network);
  readonly leads = new Set<string>();
  readonly halted: string[] = [];
  lost = false;
  readonly left: string[] = [];
  status: Status | null = null;
  readonly answers: ConsensusAnswer[] = [];
  onApplied: ((applied: Applied) => void) | null = null;
  onEnd: ((operation: number, answer: ConsensusAnswer) => void) | null = null;

  readonly #propose = this.consensus.onAnswer(Propose, (answer, _, context: { id: number }) => {
    if ("index" in answer || !("timeout" in answer)) this.onEnd?.(context.id, answer);
  });
  readonly #query = this.consensus.onAnswer(Query, (answer, _, context: { id: number }) => {
    if ("index" in answer || !("timeout" in answer)) this.onEnd?.(context.id, answer);
  });
  readonly #found = this.consensus.onAnswer(Found, (answer) => this.#note(answer));
  readonly #change = this.consensus.onAnswer(ChangeMembers, (answer) => this.#note(answer));
  readonly #transfer = this.consensus.onAnswer(TransferLeadership, (answer) => this.#note(answer));
  readonly #upgrade = this.consensus.onAnswer(Upgrade, (answer) => this.#note(answer));
  readonly #status = this.consensus.onAnswer(AskStatus, (answer) => {
    if (answer instanceof Status) this.status = answer;
  });

  constructor(init: PeerInit = {}) {
    super();
    this.groups = this.create(
      replicatedGroups(register),
      { announce: true, twice: true, ...init },
      {
        name: "groups",
        // A storage that fails takes the replicas with it; anything else is a defect.
        onFault: ({ cause }) => {
          const lost = cause instanceof KithError && cause.code === "KITH_PAXOS_STORAGE";
          this.lost ||= lost;
          return lost ? "stop" : "escalate";
        },
      },
    );
    this.connect(this.groups.ports.consensus, this.consensus);
    this.consensus.on(LeaderChanged, ({ gid, here }) => {
      if (here) this.leads.add(gid);
      else this.leads.delete(gid);
    });
    this.consensus.on(Applied, (applied) => this.onApplied?.(applied));
    this.consensus.on(GroupHalted, ({ reason }) => void this.halted.push(reason));
    this.consensus.on(GroupLeft, ({ gid }) => void this.left.push(gid));
  }

  /** White box: what the host knows beside its replicas. */
  describeHost(): string {
    const host = (this.groups as unknown as { core: { instance: ReplicatedGroups } }).core.instance;
    const { ready, loading, tombs, writes, streams } = host.state;
    return `ready ${ready} loading ${[...loading.keys()].join()} tombs ${[...tombs].join(" ")} writes ${writes.underWay} streams ${streams.outgoing.size} ${streams.incoming.size}`;
  }

  /** White box: the replica of a group here. */
  replica(gid: string): Replica | undefined {
    const host = (this.groups as unknown as { core: { instance: ReplicatedGroups } }).core.instance;
    return host.state.replicas.get(gid);
  }

  #note(answer: unknown): void {
    this.answers.push(answer as ConsensusAnswer);
  }

  /** Says something to another process, as its own replicas would. */
  say(to: PeerRef, from: PeerRef, ...messages: PeerMessage[]): void {
    const packer = new Packer(new Records());
    const packed = messages.map((message) => packer.pack(message));
    this.enter(() => this.network.trigger(new Bundle({ to, from, messages: bundled(packed) })));
  }
  found(gid: string, peers: readonly PeerAddress[]): void {
    this.enter(() => this.#found(new Found({ gid, peers })));
  }
  write(gid: string, value: string, id: number): void {
    this.enter(() =>
      this.#propose(new Propose({ gid, command: encoder.encode(value) }), { context: { id } }),
    );
  }
  query(gid: string, id: number, text = ""): void {
    const query = encoder.encode(text);
    this.enter(() => this.#query(new Query({ gid, query }), { context: { id } }));
  }
  change(gid: string, change: Change): void {
    this.enter(() => this.#change(new ChangeMembers({ gid, change })));
  }
  upgrade(gid: string, version: number): void {
    this.enter(() => this.#upgrade(new Upgrade({ gid, version })));
  }
  transfer(gid: string, to: number): void {
    this.enter(() => this.#transfer(new TransferLeadership({ gid, to })));
  }
  ask(gid: string): void {
    this.enter(() => this.#status(new AskStatus({ gid })));
  }
}

/** The text of a result; null where the answer is none. */
export function resultOf(answer: ConsensusAnswer): string | null {
  return answer instanceof Done ? decoder.decode(answer.result) : null;
}

/** Where the simulated node of that number is found. */
export function addressAt(index: number): PeerAddress {
  return { peerId: index + 1, host: `n${index + 1}`, port: 7000 };
}
